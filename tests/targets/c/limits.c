/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One command for each mistake that a memory tracer is known to make; every command names, in
 * its function, the site whose figures are then to be exact. All blocks of earlier commands stay.
 *
 * stdin: COMMAND [N], quit
 * stdout: ready, then "done NUMBER" after each command; the number depends on the command
 */
#include "handshake.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

enum { MAX_BLOCKS = 1 << 20 };

static void *blocks[MAX_BLOCKS];
static unsigned long block_cnt;
static volatile size_t too_much = (size_t)1 << 47;

static unsigned long keep(void *block)
{
	if (!block || block_cnt == MAX_BLOCKS)
		_exit(114);
	blocks[block_cnt++] = block;
	return 1;
}

#define ALLOC_SITE(name, args, call) \
	SITE void *name args         \
	{                            \
		void *block = NULL;  \
                                     \
		block = call;        \
		KEEP(block, #name);  \
		return block;        \
	}

ALLOC_SITE(site_early, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_plain, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_fail_malloc, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_fail_calloc, (size_t cnt, size_t bytes), calloc(cnt, bytes))
ALLOC_SITE(site_keep, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_resize, (void *old, size_t bytes), realloc(old, bytes))
ALLOC_SITE(site_resize_array, (void *old, size_t cnt, size_t bytes), reallocarray(old, cnt, bytes))
ALLOC_SITE(site_calloc, (size_t cnt, size_t bytes), calloc(cnt, bytes))
ALLOC_SITE(site_new_array, (size_t cnt, size_t bytes), reallocarray(NULL, cnt, bytes))
ALLOC_SITE(site_posix, (size_t bytes), posix_memalign(&block, 64, bytes) == 0 ? block : NULL)
ALLOC_SITE(site_aligned, (size_t bytes), aligned_alloc(64, bytes))
ALLOC_SITE(site_memalign, (size_t bytes), memalign(256, bytes))
ALLOC_SITE(site_huge, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_path, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_jump, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_thread, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_touched, (size_t bytes), malloc(bytes))
ALLOC_SITE(site_untouched, (size_t bytes), malloc(bytes))

/* Blocks from before the attach; drop_early frees them under the tool's eyes. */
static unsigned long early(unsigned long cnt)
{
	for (unsigned long i = 0; i < cnt; i++)
		keep(site_early(100));
	return cnt;
}

static unsigned long drop_early(unsigned long cnt)
{
	for (unsigned long i = 0; i < cnt; i++)
		free(blocks[i]);
	return cnt;
}

static unsigned long plain(unsigned long cnt)
{
	for (unsigned long i = 0; i < cnt; i++)
		keep(site_plain(100));
	return cnt;
}

/* Allocations that fail must not be counted as blocks. */
static unsigned long fail_alloc(unsigned long cnt)
{
	unsigned long failed = 0;

	for (unsigned long i = 0; i < cnt; i++) {
		failed += site_fail_malloc(too_much) == NULL;
		failed += site_fail_calloc(too_much, too_much) == NULL;
	}
	return failed;
}

/* A realloc that fails leaves its old block alive. */
static unsigned long fail_realloc(unsigned long cnt)
{
	unsigned long failed = 0;

	for (unsigned long i = 0; i < cnt; i++) {
		void *block = site_keep(100);

		keep(block);
		failed += site_resize(block, too_much) == NULL;
		failed += site_resize_array(block, too_much, too_much) == NULL;
	}
	return failed;
}

/* Functions that may call one another inside the C library; each block counts once. */
static unsigned long nest(unsigned long cnt)
{
	for (unsigned long i = 0; i < cnt; i++) {
		keep(site_calloc(10, 10));
		keep(site_new_array(10, 10));
		keep(site_posix(100));
		keep(site_aligned(128));
		keep(site_memalign(100));
	}
	return cnt;
}

/* More than 2^40 bytes through one site; nothing of it is ever touched. */
static unsigned long huge(unsigned long cnt)
{
	unsigned long served = 0;

	for (unsigned long i = 0; i < cnt; i++) {
		void *block = site_huge((size_t)1 << 30);

		served += block != NULL;
		free(block);
	}
	return served;
}

/* Blocks of 1 MiB, each with one that is never written and so never resident. */
static unsigned long touch(unsigned long cnt)
{
	for (unsigned long i = 0; i < cnt; i++) {
		char *block = site_touched(1 << 20);

		keep(block);
		keep(site_untouched(1 << 20));
		memset(block, 1, 1 << 20);
	}
	return cnt;
}

SITE void take_left(unsigned long path, unsigned int depth);
SITE void take_right(unsigned long path, unsigned int depth);

static void take(unsigned long path, unsigned int depth)
{
	if (depth == 0)
		keep(site_path(64));
	else if (path & 1)
		take_left(path >> 1, depth - 1);
	else
		take_right(path >> 1, depth - 1);
}

SITE void take_left(unsigned long path, unsigned int depth)
{
	take(path, depth);
	KEEP(path, "take_left");
}

SITE void take_right(unsigned long path, unsigned int depth)
{
	take(path, depth);
	KEEP(path, "take_right");
}

/* cnt different call stacks, one block each. */
static unsigned long paths(unsigned long cnt)
{
	unsigned int depth = 0;

	while (1UL << depth < cnt)
		depth++;
	for (unsigned long path = 0; path < cnt; path++)
		take(path, depth);
	return cnt;
}

static void *allocate_once(void *arg)
{
	(void)arg;
	return site_thread(50);
}

/* cnt threads one after the other, each leaving one block behind. */
static unsigned long threads(unsigned long cnt)
{
	pthread_t thread;
	void *block;

	for (unsigned long i = 0; i < cnt; i++) {
		if (pthread_create(&thread, NULL, allocate_once, NULL) != 0 ||
		    pthread_join(thread, &block) != 0)
			return i;
		keep(block);
	}
	return cnt;
}

static sigjmp_buf landing;

static void leap(int nr)
{
	(void)nr;
	siglongjmp(landing, 1);
}

/* Leaves a signal handler, and the frames below it, by a jump, between allocations. */
static unsigned long jump(unsigned long cnt)
{
	struct sigaction action = {.sa_handler = leap, .sa_flags = SA_NODEFER};
	volatile unsigned long i;

	if (sigaction(SIGUSR2, &action, NULL) != 0)
		return 0;
	for (i = 0; i < cnt; i++) {
		if (sigsetjmp(landing, 1) != 0)
			continue;
		keep(site_jump(100));
		raise(SIGUSR2);
		_exit(115);
	}
	return i;
}

static const struct {
	const char *name;
	unsigned long (*run)(unsigned long cnt);
} commands[] = {
	{"early", early}, {"drop_early", drop_early}, {"plain", plain},
	{"nest", nest},	  {"fail_alloc", fail_alloc}, {"fail_realloc", fail_realloc},
	{"huge", huge},	  {"touch", touch},	      {"paths", paths},
	{"jump", jump},	  {"threads", threads},
};

static void obey(const char *line)
{
	unsigned long arg;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!is_command(line, commands[i].name, &arg))
			continue;
		say("done %lu\n", commands[i].run(arg));
		return;
	}
	_exit(116);
}

int main(void)
{
	unsigned long arg;
	const char *line;

	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg))
		obey(line);
	return 0;
}
