/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocates before main and in it: a session from the start must have seen all of it.
 *
 * early [status|segv|kill]: ends with that exit status (default 0) or by that signal.
 */
#include "handshake.h"

#include <signal.h>

enum { BEFORE_MAIN = 300, IN_MAIN = 200, DROPPED = 50 };

static void *before[BEFORE_MAIN], *in_main[IN_MAIN];

SITE void *site_before_main(void)
{
	void *block = malloc(1000);

	KEEP(block, "site_before_main");
	return block;
}

SITE void *site_in_main(void)
{
	void *block = malloc(500);

	KEEP(block, "site_in_main");
	return block;
}

__attribute__((constructor)) static void start(void)
{
	for (int i = 0; i < BEFORE_MAIN; i++)
		before[i] = site_before_main();
}

int main(int argc, char **argv)
{
	for (int i = 0; i < IN_MAIN; i++)
		in_main[i] = site_in_main();
	for (int i = 0; i < DROPPED; i++)
		free(before[i]);
	if (argc < 2)
		return 0;
	if (strcmp(argv[1], "segv") == 0)
		raise(SIGSEGV);
	if (strcmp(argv[1], "kill") == 0)
		raise(SIGKILL);
	return (int)strtol(argv[1], NULL, 10);
}
