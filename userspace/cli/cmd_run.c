#include <string.h>

#include "cli/cmd.h"
#include "session/spawn.h"

int tide_cmd_run(int argc, char **argv)
{
	const struct tide_cmd *cmd = tide_cmd_find("run");
	struct tide_options opts;
	struct tide_failure fail;
	struct tide_watch watch = {.opts = &opts, .our_child = true};
	int at;

	tide_options_init(&opts);
	at = tide_options_parse(cmd, argc, argv, &opts);
	if (at < 0)
		return tide_options_exit(at);
	if (at >= argc)
		return tide_usage_error(cmd, "which command? give it after --");
	opts.session.from_first = true;
	opts.session.named_sites_cnt = tide_named_sites(&opts);
	if (tide_signals_block(&fail) || tide_spawn(&argv[at], &watch.tgid, &fail))
		return tide_failed(&fail);
	return tide_watch_run(&watch);
}
