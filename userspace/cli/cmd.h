/* Subcommands: one file each, one table in main.c.
 *
 * Owns: the shared option set and the watch loop. Never: logic that a test would want to call;
 * that is in the layers below.
 * Threads: main only. Memory: small.
 */
#ifndef TIDE_CLI_CMD_H
#define TIDE_CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"
#include "session/session.h"

struct tide_cmd {
	const char *name;
	const char *args;    /* for the usage line */
	const char *summary; /* one line */
	int (*run)(int argc, char **argv);
};

extern const struct tide_cmd tide_cmds[];
extern const size_t tide_cmd_cnt;

int tide_cmd_attach(int argc, char **argv);
int tide_cmd_run(int argc, char **argv);
int tide_cmd_doctor(int argc, char **argv);
int tide_cmd_demo(int argc, char **argv);

/* Everything that attach, run and demo share. */
struct tide_options {
	struct tide_session_opts session;
	size_t top_cnt;
	const char *format;
	const char *output; /* NULL: stdout */
	uint64_t for_ns;    /* 0: until the end */
	uint64_t interval_ns;
	uint64_t count; /* reports to make; 0: no limit */
	bool full_stacks;
	bool short_names;
	bool quiet;
};

void tide_options_init(struct tide_options *opts);
/* Parses the common options of subcommand cmd. Returns the index of the first operand, or
 * -exit_code - 1 when the command is to end here (--help, usage error: said already).
 */
int tide_options_parse(const struct tide_cmd *cmd, int argc, char **argv,
		       struct tide_options *opts);
void tide_options_help(const struct tide_cmd *cmd);
/* Decodes what tide_options_parse() returned below zero. */
static inline int tide_options_exit(int parsed)
{
	return -parsed - 1;
}

/* Sites whose names a report in this format needs. */
size_t tide_named_sites(const struct tide_options *opts);
/* "usage: ..." to stderr; returns TIDE_EXIT_USAGE. */
int tide_usage_error(const struct tide_cmd *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const struct tide_cmd *tide_cmd_find(const char *name);
/* Says why to stderr and returns the exit code. */
int tide_failed(const struct tide_failure *fail);

/* Watches a process until it ends, a signal, --for, or COUNT reports; writes the reports. */
struct tide_watch {
	const struct tide_options *opts;
	pid_t tgid;
	bool our_child; /* started by `run`: stopped before its first allocation */
};
int tide_watch_run(struct tide_watch *watch);

/* Blocks SIGINT and SIGTERM, so that the watch loop takes them in its own time; to be
 * called before anything that must not be interrupted half-way.
 */
int tide_signals_block(struct tide_failure *fail);

#endif
