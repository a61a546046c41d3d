#include <limits.h>
#include <string.h>

#include "base/parse.h"
#include "cli/cmd.h"
#include "report/report.h"

int tide_cmd_attach(int argc, char **argv)
{
	const struct tide_cmd *cmd = tide_cmd_find("attach");
	struct tide_options opts;
	struct tide_failure fail;
	struct tide_watch watch = {.opts = &opts};
	uint64_t tgid;
	int at;

	tide_options_init(&opts);
	at = tide_options_parse(cmd, argc, argv, &opts);
	if (at < 0)
		return tide_options_exit(at);
	if (!argv[at])
		return tide_usage_error(cmd, "which process? give its PID");
	if (tide_parse_u64(argv[at], &tgid) || !tgid || tgid > INT_MAX)
		return tide_usage_error(cmd, "'%s' is not a process id", argv[at]);
	if (argv[at + 1] &&
	    (tide_parse_duration(argv[at + 1], &opts.interval_ns) || !opts.interval_ns))
		return tide_usage_error(cmd, "'%s' is not an interval", argv[at + 1]);
	if (argv[at + 1] && argv[at + 2] &&
	    (tide_parse_u64(argv[at + 2], &opts.count) || !opts.count))
		return tide_usage_error(cmd, "'%s' is not a number of reports", argv[at + 2]);
	if (argv[at + 1] && argv[at + 2] && argv[at + 3])
		return tide_usage_error(cmd, "what is '%s'?", argv[at + 3]);
	opts.session.named_sites_cnt = tide_named_sites(&opts);
	watch.tgid = (pid_t)tgid;
	if (tide_signals_block(&fail))
		return tide_failed(&fail);
	return tide_watch_run(&watch);
}
