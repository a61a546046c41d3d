/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many live blocks at once, and none again: for the collector's own memory.
 *
 * blocks [threads]
 * stdin: fill N (blocks of BLOCK_BYTES, shared out among the threads) | drain | quit
 * stdout: ready, then "done N" with the blocks that live after each command
 * The pointers lie in mapped memory, so that all tracked blocks are the ones filled.
 */
#include "handshake.h"

#include <pthread.h>
#include <sys/mman.h>

enum { BLOCK_BYTES = 24, MAX_THREADS = 16, MAX_BLOCKS = 16 << 20 };

static void **blocks;
static unsigned long thread_cnt = 2, block_cnt;

struct share {
	unsigned long first, end;
	bool fill;
};

SITE void *make_block(void)
{
	void *block = malloc(BLOCK_BYTES);

	KEEP(block, "make_block");
	return block;
}

static void *work(void *arg)
{
	const struct share *share = arg;

	for (unsigned long i = share->first; i < share->end; i++) {
		if (share->fill) {
			blocks[i] = make_block();
			if (!blocks[i])
				_exit(114);
			continue;
		}
		free(blocks[i]);
		blocks[i] = NULL;
	}
	return NULL;
}

static void work_all(unsigned long cnt, bool fill)
{
	struct share shares[MAX_THREADS];
	pthread_t threads[MAX_THREADS];

	for (unsigned long t = 0; t < thread_cnt; t++) {
		shares[t].first = cnt * t / thread_cnt;
		shares[t].end = cnt * (t + 1) / thread_cnt;
		shares[t].fill = fill;
		if (pthread_create(&threads[t], NULL, work, &shares[t]) != 0)
			_exit(115);
	}
	for (unsigned long t = 0; t < thread_cnt; t++)
		pthread_join(threads[t], NULL);
}

int main(int argc, char **argv)
{
	unsigned long arg;
	const char *line;

	if (argc > 1)
		thread_cnt = strtoul(argv[1], NULL, 10);
	if (thread_cnt < 1 || thread_cnt > MAX_THREADS)
		return 113;
	blocks = mmap(NULL, MAX_BLOCKS * sizeof(*blocks), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (blocks == MAP_FAILED)
		return 116;
	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg)) {
		if (is_command(line, "fill", &arg) && block_cnt == 0 && arg <= MAX_BLOCKS) {
			work_all(arg, true);
			block_cnt = arg;
		} else if (is_command(line, "drain", &arg)) {
			work_all(block_cnt, false);
			block_cnt = 0;
		}
		say("done %lu\n", block_cnt);
	}
	return 0;
}
