/* A forked child that gets ready, says so and then waits to be killed. It dies with the test. */
#ifndef TIDE_UNIT_TARGET_CHILD_H
#define TIDE_UNIT_TARGET_CHILD_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"

/* What the child's prepare() calls once it is ready; it need not return. */
static int child_ready_fd = -1;

static inline void child_is_ready(void)
{
	if (write(child_ready_fd, "r", 1) != 1)
		_exit(1);
	close(child_ready_fd);
}

/* prepare may be NULL; when it returns without child_is_ready() that is done for it. */
static inline pid_t child_start(void (*prepare)(void *), void *arg)
{
	int fds[2];
	pid_t tgid;
	char c;

	assert_ok(pipe(fds));
	tgid = fork();
	assert_true(tgid >= 0);
	if (tgid == 0) {
		close(fds[0]);
		child_ready_fd = fds[1];
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prepare)
			prepare(arg);
		child_is_ready();
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return tgid;
}

static inline void child_end(pid_t tgid)
{
	kill(tgid, SIGKILL);
	assert_int_equal(waitpid(tgid, NULL, 0), tgid);
}

/* A number that was a process a moment ago. */
static inline pid_t child_gone(void)
{
	pid_t tgid = child_start(NULL, NULL);

	child_end(tgid);
	return tgid;
}

#endif
