/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Becomes another program while it is watched: itself again, with other sites at work.
 *
 * stdin: fill N | exec | quit
 * stdout: ready (again after the exec), then "done N"
 */
#include "handshake.h"
enum { MAX_BLOCKS = 65536 };

static void *blocks[MAX_BLOCKS];

SITE void *site_before_exec(void)
{
	void *block = malloc(100);

	KEEP(block, "site_before_exec");
	return block;
}

SITE void *site_after_exec(void)
{
	void *block = malloc(100);

	KEEP(block, "site_after_exec");
	return block;
}

int main(int argc, char **argv)
{
	static char after[] = "after";
	char *again[] = {argv[0], after, NULL};
	unsigned long arg = 0;
	const char *line;

	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg)) {
		if (is_command(line, "exec", &arg))
			execv("/proc/self/exe", again);
		if (!is_command(line, "fill", &arg))
			arg = 0;
		for (unsigned long i = 0; i < arg && i < MAX_BLOCKS; i++)
			blocks[i] = argc > 1 ? site_after_exec() : site_before_exec();
		say("done %lu\n", arg);
	}
	return 0;
}
