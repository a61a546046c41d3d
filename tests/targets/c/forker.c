/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children in every form; what they allocate is not the parent's.
 *
 * stdin: fork N (N children that allocate, free and resize inherited blocks, then end)
 *        | stay (a child that allocates and lives until quit) | vfork N | spawn N | quit
 * stdout: ready, then "done N" with the children that ended well
 * Every command makes OWN_BLOCKS more blocks at site_parent.
 */
#include "handshake.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

enum { OWN_BLOCKS = 100, CHILD_BLOCKS = 5000, MAX_BLOCKS = 65536 };

extern char **environ;
static void *own[MAX_BLOCKS], *theirs[CHILD_BLOCKS];
static unsigned long own_cnt;
static pid_t staying;

SITE void *site_parent(void)
{
	void *block = malloc(100);

	KEEP(block, "site_parent");
	return block;
}

SITE void *site_child(void)
{
	void *block = malloc(200);

	KEEP(block, "site_child");
	return block;
}

static void be_a_child(void)
{
	for (int i = 0; i < CHILD_BLOCKS; i++)
		theirs[i] = site_child();
	for (unsigned long i = 0; i < own_cnt; i++)
		free(own[i]);
	for (int i = 0; i < CHILD_BLOCKS / 2; i++)
		free(theirs[i]);
}

static pid_t start_forked(void)
{
	pid_t child = fork();

	if (child == 0) {
		be_a_child();
		_exit(7);
	}
	return child;
}

static pid_t start_vforked(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
		_exit(1);
	}
	return child;
}

static pid_t start_spawned(void)
{
	static char name[] = "sh", option[] = "-c", command[] = "exit 7";
	char *argv[] = {name, option, command, NULL};
	pid_t child = -1;

	return posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ) == 0 ? child : -1;
}

static unsigned long start_many(pid_t (*start)(void), unsigned long cnt)
{
	unsigned long good = 0;
	int status;

	for (unsigned long i = 0; i < cnt; i++) {
		pid_t child = start();

		if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status))
			good += WEXITSTATUS(status) == 7;
	}
	return good;
}

static unsigned long stay(void)
{
	staying = fork();
	if (staying == 0) {
		be_a_child();
		for (;;)
			pause();
	}
	return staying > 0;
}

static unsigned long obey(const char *line)
{
	unsigned long arg;

	if (is_command(line, "fork", &arg))
		return start_many(start_forked, arg);
	if (is_command(line, "vfork", &arg))
		return start_many(start_vforked, arg);
	if (is_command(line, "spawn", &arg))
		return start_many(start_spawned, arg);
	if (is_command(line, "stay", &arg))
		return stay();
	return 0;
}

int main(void)
{
	unsigned long arg;
	const char *line;

	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg)) {
		for (int i = 0; i < OWN_BLOCKS && own_cnt < MAX_BLOCKS; i++)
			own[own_cnt++] = site_parent();
		say("done %lu\n", obey(line));
	}
	if (staying > 0 && kill(staying, SIGKILL) == 0)
		waitpid(staying, NULL, 0);
	return 0;
}
