#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "probe/features.h"

int tide_cmd_doctor(int argc, char **argv)
{
	const struct tide_cmd *cmd = tide_cmd_find("doctor");
	struct tide_options opts;
	struct utsname kernel;
	bool able = true;
	size_t cnt;
	int at;

	tide_options_init(&opts);
	at = tide_options_parse(cmd, argc, argv, &opts);
	if (at < 0)
		return tide_options_exit(at);
	if (argv[at])
		return tide_usage_error(cmd, "what is '%s'?", argv[at]);
	if (!uname(&kernel))
		printf("%s %s on %s, %s\n\n", kernel.sysname, kernel.release, kernel.machine,
		       geteuid() ? "not root" : "root");
	for (const struct tide_feature *f = tide_features(&cnt), *end = f + cnt; f < end; f++) {
		bool there = f->check();

		printf("  %-9s %-26s %s\n",
		       there	     ? "ok"
		       : f->required ? "MISSING"
				     : "absent",
		       f->name, f->gives);
		if (!there)
			printf("  %-9s -> %s\n", "", f->advice);
		able = able && (there || !f->required);
	}
	printf("\n%s\n", able ? "Processes can be watched here."
			      : "Processes cannot be watched here until what is MISSING is there.");
	return able ? TIDE_EXIT_OK : TIDE_EXIT_DENIED;
}
