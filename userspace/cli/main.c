#include <stdio.h>
#include <string.h>

#include "base/failure.h"
#include "base/util.h"
#include "cli/cmd.h"

const struct tide_cmd tide_cmds[] = {
	{"attach", "PID [INTERVAL [COUNT]]", "watch a running process", tide_cmd_attach},
	{"run", "[options] -- CMD...", "watch a command from its first allocation", tide_cmd_run},
	{"doctor", "", "what this kernel allows, and what to do about the rest", tide_cmd_doctor},
	{"demo", "", "play the story of a map that never shrank, and report it", tide_cmd_demo},
};
const size_t tide_cmd_cnt = TIDE_ARRAY_CNT(tide_cmds);

static void usage(FILE *out)
{
	fprintf(out, "tidemark %s: finds the memory a spike left behind, by call site\n\n",
		TIDE_VERSION);
	for (size_t i = 0; i < tide_cmd_cnt; i++)
		fprintf(out, "  tidemark %-7s %-24s %s\n", tide_cmds[i].name, tide_cmds[i].args,
			tide_cmds[i].summary);
	fprintf(out, "\n`tidemark COMMAND --help` lists the options of a command.\n");
}

const struct tide_cmd *tide_cmd_find(const char *name)
{
	for (size_t i = 0; i < tide_cmd_cnt; i++)
		if (!strcmp(tide_cmds[i].name, name))
			return &tide_cmds[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct tide_cmd *cmd = argc > 1 ? tide_cmd_find(argv[1]) : NULL;

	if (cmd)
		return cmd->run(argc - 1, argv + 1);
	if (argc > 1 &&
	    (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))) {
		usage(stdout);
		return TIDE_EXIT_OK;
	}
	if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		printf("tidemark %s\n", TIDE_VERSION);
		return TIDE_EXIT_OK;
	}
	if (argc > 1)
		fprintf(stderr, "tidemark: no command '%s'\n", argv[1]);
	usage(stderr);
	return TIDE_EXIT_USAGE;
}
