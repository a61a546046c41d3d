/* Why a job could not be done, in words for the user, with the exit code of DESIGN 5.
 *
 * Owns: one message: the object, the reason, the next step. Never: prints or exits.
 * Threads: pure. Memory: fixed.
 */
#ifndef TIDE_BASE_FAILURE_H
#define TIDE_BASE_FAILURE_H

enum tide_exit {
	TIDE_EXIT_OK = 0,
	TIDE_EXIT_FAILED = 1,
	TIDE_EXIT_USAGE = 2,
	TIDE_EXIT_DENIED = 3, /* not root, or the kernel lacks something */
	TIDE_EXIT_TARGET = 4, /* the target is gone or cannot be watched */
};

struct tide_failure {
	enum tide_exit exit;
	char text[1024];
};

/* Fills the failure and returns err (a negative errno), so that `return tide_fail(...)` reads
 * well. fail may be NULL.
 */
int tide_fail(struct tide_failure *fail, enum tide_exit code, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
