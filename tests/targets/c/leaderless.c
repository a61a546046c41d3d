/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that gave the process its number ends, the others go on.
 *
 * stdin: fill N | leave (the main thread ends; commands go on being obeyed) | quit
 * stdout: ready, then "done N"
 */
#include "handshake.h"

#include <pthread.h>

enum { MAX_BLOCKS = 65536 };

static void *blocks[MAX_BLOCKS];
static unsigned long block_cnt;

SITE void *site_worker(void)
{
	void *block = malloc(100);

	KEEP(block, "site_worker");
	return block;
}

static void *obey(void *leader)
{
	unsigned long arg = 0;
	const char *line;

	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg)) {
		if (is_command(line, "leave", &arg)) {
			pthread_cancel(*(pthread_t *)leader);
			pthread_join(*(pthread_t *)leader, NULL);
		}
		if (!is_command(line, "fill", &arg))
			arg = 0;
		for (unsigned long i = 0; i < arg && block_cnt < MAX_BLOCKS; i++)
			blocks[block_cnt++] = site_worker();
		say("done %lu\n", arg);
	}
	exit(0);
}

int main(void)
{
	static pthread_t leader;
	pthread_t worker;

	leader = pthread_self();
	if (pthread_create(&worker, NULL, obey, &leader) != 0)
		return 114;
	for (;;)
		pause();
}
