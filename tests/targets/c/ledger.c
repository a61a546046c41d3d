/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge of exactness: a program that keeps its own books.
 *
 * Threads allocate, resize and free at random in a table of slots that all of them share, so a
 * block is mostly freed by another thread than the one that made it. Every allocation passes
 * one of the site_NN functions; each of those holds exactly one call of the allocator, so the
 * immediate caller tells the sites apart. The books live in static memory.
 *
 * ledger [mixed|reuse [threads [operations [seed]]]]
 *   mixed: every allocator function, all sizes
 *   reuse: one heap for all threads, mostly resizes that move: the address a realloc gives up
 *          is taken by another thread before that realloc has returned
 *
 * stdin: go (one round of the given number of operations) | drain (free all) | quit
 * stdout: ready, then after each command "done " and the books as one line of JSON
 */
#include "handshake.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { MAX_THREADS = 64, MAX_SLOTS = 32768 };

/* X(number, call, what it does). Each becomes site_NN(void *old, size_t bytes). */
#define COMMON_SITES(X)                                              \
	X(00, malloc(bytes))                                         \
	X(01, malloc(bytes))                                         \
	X(02, calloc(1, bytes))                                      \
	X(03, calloc(bytes / 8, 8))                                  \
	X(04, realloc(NULL, bytes))                                  \
	X(05, memalign(64, bytes))                                   \
	X(06, aligned_alloc(128, bytes))                             \
	X(07, posix_memalign(&block, 32, bytes) == 0 ? block : NULL) \
	X(08, valloc(bytes))                                         \
	X(09, reallocarray(NULL, bytes / 4, 4))                      \
	X(10, realloc(old, bytes))                                   \
	X(11, realloc(old, bytes))                                   \
	X(12, reallocarray(old, bytes / 2, 2))                       \
	X(13, malloc(bytes))

#ifdef __GLIBC__
#define SITES(X) COMMON_SITES(X) X(14, pvalloc(bytes))
#else
#define SITES(X) COMMON_SITES(X)
#endif

enum {
#define X(nr, call) SITE_##nr,
	SITES(X)
#undef X
		SITE_CNT,
};

static const char *const site_names[] = {
#define X(nr, call) "site_" #nr,
	SITES(X)
#undef X
};

#define X(nr, call)                                   \
	SITE void *site_##nr(void *old, size_t bytes) \
	{                                             \
		void *block = old;                    \
                                                      \
		block = call;                         \
		KEEP(block, "site_" #nr);             \
		return block;                         \
	}
SITES(X)
#undef X

typedef void *(*site_fn)(void *old, size_t bytes);

static const site_fn site_fns[] = {
#define X(nr, call) site_##nr,
	SITES(X)
#undef X
};

struct book {
	uint64_t allocated_blocks, allocated_bytes, freed_blocks, freed_bytes;
};

struct slot {
	atomic_int busy;
	int site;
	size_t bytes;
	void *block;
	uint64_t stamp;
};

static struct slot slots[MAX_SLOTS];
static struct book books[MAX_THREADS][SITE_CNT];
static atomic_ullong operations_done, errors;
static pthread_barrier_t round_begin, round_end;
static unsigned long thread_cnt = 8, operations_per_thread = 131072, slot_cnt = MAX_SLOTS;
static uint64_t seed = 1;
static bool reuse;

struct worker {
	unsigned long nr;
	uint64_t random;
	struct book *books;
};

static uint64_t next_random(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random * 0x2545f4914f6cdd1dULL >> 11;
}

static size_t random_bytes(struct worker *w)
{
	uint64_t kind = next_random(w) % 100;

	if (reuse)
		return 1100 + next_random(w) % (kind < 97 ? 30000 : 200000);
	if (kind == 0)
		return 0;
	if (kind < 70)
		return 1 + next_random(w) % 256;
	if (kind < 97)
		return 256 + next_random(w) % 8000;
	return 100000 + next_random(w) % 100000;
}

/* What the call asks for once its arguments are rounded as the SITES list does. */
static size_t asked_bytes(int site, size_t bytes)
{
	switch (site) {
	case SITE_03:
		return bytes / 8 * 8;
	case SITE_09:
		return bytes / 4 * 4;
	case SITE_12:
		return bytes / 2 * 2;
	default:
		return bytes;
	}
}

static size_t stamp_bytes(size_t bytes)
{
	return bytes < sizeof(uint64_t) ? bytes : sizeof(uint64_t);
}

static void check(bool good)
{
	if (!good)
		atomic_fetch_add(&errors, 1);
}

static void note_free(struct worker *w, struct slot *s)
{
	w->books[s->site].freed_blocks++;
	w->books[s->site].freed_bytes += s->bytes;
}

static void note_alloc(struct worker *w, struct slot *s, int site, void *block, size_t bytes)
{
	s->site = site;
	s->bytes = bytes;
	s->block = block;
	s->stamp = next_random(w);
	memcpy(block, &s->stamp, stamp_bytes(bytes));
	w->books[site].allocated_blocks++;
	w->books[site].allocated_bytes += bytes;
}

static void fill_slot(struct worker *w, struct slot *s)
{
	static const int mixed_sites[] = {SITE_00, SITE_01, SITE_02, SITE_03, SITE_04,
					  SITE_05, SITE_06, SITE_07, SITE_08, SITE_09,
#ifdef __GLIBC__
					  SITE_14,
#endif
					  SITE_13, SITE_00, SITE_01, SITE_13, SITE_02};
	size_t cnt = sizeof(mixed_sites) / sizeof(mixed_sites[0]);
	int site = reuse ? (int)(next_random(w) % 2) : mixed_sites[next_random(w) % cnt];
	size_t bytes = asked_bytes(site, random_bytes(w));
	void *block = site_fns[site](NULL, bytes);

	check(block != NULL);
	if (block)
		note_alloc(w, s, site, block, bytes);
}

static void empty_slot(struct worker *w, struct slot *s)
{
	check(memcmp(s->block, &s->stamp, stamp_bytes(s->bytes)) == 0);
	note_free(w, s);
	free(s->block);
	s->block = NULL;
}

/* A request no address space has room for must leave the old block alone. */
static void fail_to_resize(struct worker *w, struct slot *s)
{
	static const size_t too_much[] = {(size_t)1 << 47, SIZE_MAX / 2 - 64, SIZE_MAX - 4096};
	int site = next_random(w) % 2 ? SITE_10 : SITE_12;

	check(site_fns[site](s->block, too_much[next_random(w) % 3]) == NULL);
	check(memcmp(s->block, &s->stamp, stamp_bytes(s->bytes)) == 0);
}

/* glibc frees on realloc(p, 0) and returns NULL, musl returns a block of no bytes. */
static void resize_to_nothing(struct worker *w, struct slot *s)
{
	void *block = site_11(s->block, 0);

	note_free(w, s);
	s->block = NULL;
	if (block)
		note_alloc(w, s, SITE_11, block, 0);
}

static void resize_slot(struct worker *w, struct slot *s)
{
	int site = SITE_10 + (int)(next_random(w) % 3);
	size_t bytes = asked_bytes(site, random_bytes(w)), kept;
	void *block;

	if (bytes == 0) {
		resize_to_nothing(w, s);
		return;
	}
	block = site_fns[site](s->block, bytes);
	check(block != NULL);
	if (!block)
		return;
	kept = stamp_bytes(bytes < s->bytes ? bytes : s->bytes);
	check(memcmp(block, &s->stamp, kept) == 0);
	note_free(w, s);
	note_alloc(w, s, site, block, bytes);
}

/* Calls that must fail and leave no trace in anybody's books. */
static void fail_to_allocate(struct worker *w)
{
	size_t huge = (size_t)1 << 47;

	if (next_random(w) % 2)
		check(site_00(NULL, huge) == NULL);
	else
		check(site_07(NULL, huge) == NULL);
	free(NULL);
}

static void operate(struct worker *w, struct slot *s)
{
	uint64_t choice = next_random(w) % 100;

	if (!s->block)
		fill_slot(w, s);
	else if (choice < (reuse ? 80 : 30))
		resize_slot(w, s);
	else if (choice < (reuse ? 82 : 34))
		fail_to_resize(w, s);
	else if (choice < (reuse ? 83 : 36))
		fail_to_allocate(w);
	else
		empty_slot(w, s);
}

static void work_one_round(struct worker *w)
{
	unsigned long done = 0;

	while (done < operations_per_thread) {
		struct slot *s = &slots[next_random(w) % slot_cnt];

		if (atomic_exchange_explicit(&s->busy, 1, memory_order_acquire))
			continue;
		operate(w, s);
		atomic_store_explicit(&s->busy, 0, memory_order_release);
		done++;
	}
	atomic_fetch_add(&operations_done, done);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		pthread_barrier_wait(&round_begin);
		work_one_round(w);
		pthread_barrier_wait(&round_end);
	}
	return NULL;
}

static struct book sum_site(int site)
{
	struct book sum = {0};

	for (unsigned long t = 0; t < MAX_THREADS; t++) {
		sum.allocated_blocks += books[t][site].allocated_blocks;
		sum.allocated_bytes += books[t][site].allocated_bytes;
		sum.freed_blocks += books[t][site].freed_blocks;
		sum.freed_bytes += books[t][site].freed_bytes;
	}
	return sum;
}

/* The books say allocated - freed; the slots say what is really there. */
static void count_slots(int site, uint64_t *blocks, uint64_t *bytes)
{
	*blocks = 0;
	*bytes = 0;
	for (unsigned long i = 0; i < slot_cnt; i++) {
		if (slots[i].block && slots[i].site == site) {
			*blocks += 1;
			*bytes += slots[i].bytes;
		}
	}
}

static void say_books(void)
{
	say("done {\"operations\": %llu, \"threads\": %lu, \"sites\": {",
	    (unsigned long long)atomic_load(&operations_done), thread_cnt);
	for (int site = 0; site < SITE_CNT; site++) {
		struct book b = sum_site(site);
		uint64_t blocks, bytes;

		count_slots(site, &blocks, &bytes);
		check(blocks == b.allocated_blocks - b.freed_blocks);
		check(bytes == b.allocated_bytes - b.freed_bytes);
		say("%s\"%s\": {\"allocated_blocks\": %llu, \"allocated_bytes\": %llu, "
		    "\"freed_blocks\": %llu, \"freed_bytes\": %llu, "
		    "\"live_blocks\": %llu, \"live_bytes\": %llu}",
		    site ? ", " : "", site_names[site], (unsigned long long)b.allocated_blocks,
		    (unsigned long long)b.allocated_bytes, (unsigned long long)b.freed_blocks,
		    (unsigned long long)b.freed_bytes, (unsigned long long)blocks,
		    (unsigned long long)bytes);
	}
	say("}, \"errors\": %llu}\n", (unsigned long long)atomic_load(&errors));
}

static void start_workers(void)
{
	static struct worker workers[MAX_THREADS];
	pthread_t thread;

	pthread_barrier_init(&round_begin, NULL, (unsigned int)thread_cnt + 1);
	pthread_barrier_init(&round_end, NULL, (unsigned int)thread_cnt + 1);
	for (unsigned long t = 0; t < thread_cnt; t++) {
		workers[t].nr = t;
		workers[t].random = (seed + t) * 0x9e3779b97f4a7c15ULL | 1;
		workers[t].books = books[t];
		if (pthread_create(&thread, NULL, work, &workers[t]) != 0)
			exit(114);
	}
}

static void drain(void)
{
	struct worker janitor = {.random = 1, .books = books[0]};

	for (unsigned long i = 0; i < slot_cnt; i++)
		if (slots[i].block)
			empty_slot(&janitor, &slots[i]);
}

static void read_arguments(int argc, char **argv)
{
	reuse = argc > 1 && strcmp(argv[1], "reuse") == 0;
	if (argc > 2)
		thread_cnt = strtoul(argv[2], NULL, 10);
	if (argc > 4)
		seed = strtoul(argv[4], NULL, 10);
	if (thread_cnt < 1 || thread_cnt > MAX_THREADS)
		exit(115);
	if (argc > 3)
		operations_per_thread = (strtoul(argv[3], NULL, 10) + thread_cnt - 1) / thread_cnt;
	if (reuse)
		slot_cnt = 1024;
#ifdef __GLIBC__
	if (reuse)
		mallopt(M_ARENA_MAX, 1);
#endif
}

int main(int argc, char **argv)
{
	unsigned long arg;
	const char *line;

	read_arguments(argc, argv);
	start_workers();
	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg)) {
		if (is_command(line, "go", &arg)) {
			pthread_barrier_wait(&round_begin);
			pthread_barrier_wait(&round_end);
		} else if (is_command(line, "drain", &arg)) {
			drain();
		}
		say_books();
	}
	_exit(atomic_load(&errors) ? 1 : 0);
}
