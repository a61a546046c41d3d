/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process at work that notices harm: for attaching and detaching while it runs.
 *
 * Each thread turns over its own blocks, every one filled with a pattern that is checked before
 * it is resized or freed, and counts what it found wrong. One more thread takes signals all the
 * time, because a probe that mishandles an interrupted call shows only then.
 *
 * busy [threads]
 * stdin: count (says the turns so far and the errors) | quit (stops, says the same, ends)
 * stdout: ready, then {"turns": N, "errors": N} for each command
 * Exit status: 0, or 1 when something was wrong.
 */
#include "handshake.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum { MAX_THREADS = 16, BLOCKS = 512 };

static atomic_ullong turns, errors, signals;
static atomic_bool stop;

struct block {
	unsigned char *bytes;
	size_t len;
	unsigned char pattern;
};

SITE void *busy_malloc(size_t bytes)
{
	void *block = malloc(bytes);

	KEEP(block, "busy_malloc");
	return block;
}

SITE void *busy_realloc(void *old, size_t bytes)
{
	void *block = realloc(old, bytes);

	KEEP(block, "busy_realloc");
	return block;
}

static void expect(const struct block *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (b->bytes[i] != b->pattern)
			atomic_fetch_add(&errors, 1);
}

static void fill(struct block *b, void *bytes, size_t len, uint64_t turn)
{
	if (!bytes) {
		atomic_fetch_add(&errors, 1);
		return;
	}
	b->bytes = bytes;
	b->len = len;
	b->pattern = (unsigned char)(turn * 167 + len);
	memset(b->bytes, b->pattern, len);
}

static void turn_over(struct block *b, uint64_t turn)
{
	size_t len = 16 + turn * 2654435761u % 2000;

	if (!b->bytes) {
		fill(b, busy_malloc(len), len, turn);
		return;
	}
	expect(b, b->len);
	if (turn % 3 == 0) {
		b->bytes = busy_realloc(b->bytes, len);
		expect(b, len < b->len ? len : b->len);
		fill(b, b->bytes, len, turn);
		return;
	}
	free(b->bytes);
	b->bytes = NULL;
}

static void *work(void *arg)
{
	struct block *blocks = arg;

	for (uint64_t turn = 0; !atomic_load(&stop); turn++) {
		turn_over(&blocks[turn * 7919 % BLOCKS], turn);
		atomic_fetch_add(&turns, 1);
		if (turn % 256 == 0)
			sched_yield();
	}
	return NULL;
}

static void take_signal(int nr)
{
	(void)nr;
	atomic_fetch_add(&signals, 1);
}

/* Interrupts the worker again and again, wherever it is. */
static void *disturb(void *arg)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	pthread_t worker = *(pthread_t *)arg;

	while (!atomic_load(&stop)) {
		pthread_kill(worker, SIGUSR1);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void say_count(void)
{
	say("{\"turns\": %llu, \"errors\": %llu, \"signals\": %llu}\n",
	    (unsigned long long)atomic_load(&turns), (unsigned long long)atomic_load(&errors),
	    (unsigned long long)atomic_load(&signals));
}

int main(int argc, char **argv)
{
	static struct block blocks[MAX_THREADS][BLOCKS];
	static pthread_t threads[MAX_THREADS], disturber;
	unsigned long thread_cnt = argc > 1 ? strtoul(argv[1], NULL, 10) : 2, arg;
	struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
	const char *line;

	if (thread_cnt < 1 || thread_cnt > MAX_THREADS || sigaction(SIGUSR1, &action, NULL) != 0)
		return 113;
	for (unsigned long t = 0; t < thread_cnt; t++)
		if (pthread_create(&threads[t], NULL, work, blocks[t]) != 0)
			return 114;
	if (pthread_create(&disturber, NULL, disturb, &threads[0]) != 0)
		return 114;
	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg))
		say_count();
	atomic_store(&stop, true);
	pthread_join(disturber, NULL);
	for (unsigned long t = 0; t < thread_cnt; t++)
		pthread_join(threads[t], NULL);
	say_count();
	return atomic_load(&errors) ? 1 : 0;
}
