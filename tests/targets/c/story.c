/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch service whose hash table never gives its spike back.
 *
 * Each cycle reads records into an open hash table (records inline, doubled when too full) and
 * then deletes every key. Cycles are alike but for one catch-up cycle with 6.4 times the
 * records: it doubles the table some times more, and the table never shrinks. Nothing leaks,
 * every byte stays reachable, and the process runs at the spike's size for ever after.
 *
 * Beside the table there are the other habits of memory: batches that come and go within a
 * cycle (read_batch), a journal opened once and kept in use (open_journal), and an export
 * of the catch-up cycle that is given back when it is written (export_results).
 *
 * story [cycles [spike_cycle [records [cycle_ms [talk|quiet]]]]]
 * At the end one line of JSON on stdout says what a profiler should have found, unless quiet.
 *
 * This file stands alone: the demo carries its program inside itself.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define APART __attribute__((noinline))
/* Forbids the tail call, so that the allocator's caller is the function that names the reason. */
#define KEEP(ptr) __asm__ volatile("" : "+r"(ptr) : : "memory")

enum {
	FIRST_SLOTS = 1024,
	BATCH_RECORDS = 256,
	BATCH_BYTES = BATCH_RECORDS * 40,
	JOURNAL_BYTES = 2 << 20,
	EXPORT_PART_BYTES = 1 << 20,
	EXPORT_PARTS = 24,
};

struct record {
	uint64_t key; /* 0: the slot is empty */
	uint64_t at;
	char payload[40];
};

struct table {
	struct record *slots;
	size_t slot_cnt;
	size_t used_cnt;
	unsigned int resize_cnt;
	size_t grown_in_cycle; /* the last cycle that resized it */
};

struct service {
	struct table table;
	char *journal;
	char *export_parts[EXPORT_PARTS];
	size_t cycle_cnt, spike_cycle, record_cnt, cycle_ms;
	bool talk;
	uint64_t batch_cnt;
	uint64_t checksum;
};

static uint64_t hash(uint64_t key)
{
	key ^= key >> 31;
	key *= 0x7fb5d329728ea185ULL;
	key ^= key >> 27;
	key *= 0x81dadef4bc2dd44dULL;
	return key ^ key >> 33;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct record *table_slot(const struct table *t, uint64_t key)
{
	size_t at = hash(key) & (t->slot_cnt - 1);

	while (t->slots[at].key != 0 && t->slots[at].key != key)
		at = (at + 1) & (t->slot_cnt - 1);
	return &t->slots[at];
}

/* The one place that makes table memory: the call site the report must name. */
APART static void table_resize(struct table *t, size_t slot_cnt)
{
	struct table old = *t;

	t->slots = malloc(slot_cnt * sizeof(*t->slots));
	KEEP(t->slots);
	if (!t->slots)
		die("table");
	memset(t->slots, 0, slot_cnt * sizeof(*t->slots));
	t->slot_cnt = slot_cnt;
	t->resize_cnt++;
	for (size_t i = 0; i < old.slot_cnt; i++)
		if (old.slots[i].key != 0)
			*table_slot(t, old.slots[i].key) = old.slots[i];
	free(old.slots);
}

APART static void table_insert(struct service *s, size_t cycle, const struct record *record)
{
	struct table *t = &s->table;
	struct record *slot;

	if (t->used_cnt * 5 >= t->slot_cnt * 4) {
		table_resize(t, t->slot_cnt * 2);
		t->grown_in_cycle = cycle;
	}
	slot = table_slot(t, record->key);
	if (slot->key == 0)
		t->used_cnt++;
	*slot = *record;
}

/* Deletes one key, and moves up what had been pushed behind it. */
static void table_delete(struct table *t, uint64_t key)
{
	size_t mask = t->slot_cnt - 1, hole, at;
	struct record *slot = table_slot(t, key);

	if (slot->key == 0)
		return;
	hole = at = (size_t)(slot - t->slots);
	for (;;) {
		at = (at + 1) & mask;
		if (t->slots[at].key == 0)
			break;
		if (((at - hash(t->slots[at].key)) & mask) < ((at - hole) & mask))
			continue;
		t->slots[hole] = t->slots[at];
		hole = at;
	}
	t->slots[hole].key = 0;
	t->used_cnt--;
}

APART static char *read_batch(struct service *s)
{
	char *batch = malloc(BATCH_BYTES);

	KEEP(batch);
	if (!batch)
		die("batch");
	memset(batch, (int)(s->batch_cnt++ & 0x7f), BATCH_BYTES);
	return batch;
}

APART static void load_batch(struct service *s, size_t cycle, size_t first, size_t cnt)
{
	char *batch = read_batch(s);
	struct record record;

	for (size_t i = 0; i < cnt; i++) {
		record.key = first + i + 1;
		record.at = cycle;
		memcpy(record.payload, batch + i * 40, sizeof(record.payload));
		table_insert(s, cycle, &record);
	}
	free(batch);
}

APART static void load_cycle(struct service *s, size_t cycle, size_t record_cnt)
{
	for (size_t first = 0; first < record_cnt; first += BATCH_RECORDS) {
		size_t left = record_cnt - first;

		load_batch(s, cycle, first, left < BATCH_RECORDS ? left : BATCH_RECORDS);
	}
}

APART static void export_results(struct service *s)
{
	for (size_t i = 0; i < EXPORT_PARTS; i++) {
		s->export_parts[i] = malloc(EXPORT_PART_BYTES);
		KEEP(s->export_parts[i]);
		if (!s->export_parts[i])
			die("export");
		memset(s->export_parts[i], 'e', EXPORT_PART_BYTES);
	}
}

static void finish_export(struct service *s)
{
	for (size_t i = 0; i < EXPORT_PARTS; i++) {
		free(s->export_parts[i]);
		s->export_parts[i] = NULL;
	}
}

/* The service means well: it empties its table. Only the keys go, the slots stay. */
APART static void delete_all_keys(struct service *s, size_t record_cnt)
{
	for (size_t key = 1; key <= record_cnt; key++)
		table_delete(&s->table, key);
}

APART static void open_journal(struct service *s)
{
	s->journal = malloc(JOURNAL_BYTES);
	KEEP(s->journal);
	if (!s->journal)
		die("journal");
	memset(s->journal, 0, JOURNAL_BYTES);
}

static void write_journal(struct service *s, size_t cycle)
{
	for (size_t i = 0; i < JOURNAL_BYTES; i += 4096)
		s->checksum += (uint64_t)(s->journal[i] += (char)cycle);
}

/* Apart, so that the spike's load_cycle call cannot become an instruction, and a site, of its own.
 */
APART static size_t records_of(const struct service *s, size_t cycle)
{
	return cycle == s->spike_cycle ? s->record_cnt * 32 / 5 : s->record_cnt;
}

APART static void run_cycle(struct service *s, size_t cycle)
{
	size_t record_cnt = records_of(s, cycle);
	bool spike = record_cnt > s->record_cnt;

	load_cycle(s, cycle, record_cnt);
	if (spike)
		export_results(s);
	write_journal(s, cycle);
	delete_all_keys(s, record_cnt);
	if (s->talk)
		fprintf(stderr, "cycle %zu of %zu: %zu records%s, table of %zu slots, %zu used\n",
			cycle, s->cycle_cnt, record_cnt, spike ? " (catching up)" : "",
			s->table.slot_cnt, s->table.used_cnt);
}

static void sleep_until(const struct timespec *when)
{
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL) != 0)
		continue;
}

static void run_service(struct service *s)
{
	struct timespec next, now;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (size_t cycle = 1; cycle <= s->cycle_cnt; cycle++) {
		run_cycle(s, cycle);
		next.tv_nsec += (long)(s->cycle_ms % 1000) * 1000000;
		next.tv_sec += (time_t)(s->cycle_ms / 1000) + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > next.tv_sec)
			next = now;
		sleep_until(&next);
		if (cycle == s->spike_cycle + 1)
			finish_export(s);
	}
}

static void say_ledger(const struct service *s)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("{\"cycles\": %zu, \"spike_cycle\": %zu, \"records\": %zu, \"table_slots\": %zu, "
	       "\"table_used\": %zu, \"slot_bytes\": %zu, \"table_bytes\": %zu, \"resizes\": %u, "
	       "\"grown_in_cycle\": %zu, \"batches\": %" PRIu64 ", \"batch_bytes\": %d, "
	       "\"journal_bytes\": %d, \"export_bytes\": %d, \"max_rss_bytes\": %ld}\n",
	       s->cycle_cnt, s->spike_cycle, s->record_cnt, s->table.slot_cnt, s->table.used_cnt,
	       sizeof(struct record), s->table.slot_cnt * sizeof(struct record),
	       s->table.resize_cnt, s->table.grown_in_cycle, s->batch_cnt, BATCH_BYTES,
	       JOURNAL_BYTES, EXPORT_PARTS * EXPORT_PART_BYTES, usage.ru_maxrss * 1024L);
	fflush(stdout);
}

static size_t argument(int argc, char **argv, int nr, size_t usual)
{
	return argc > nr ? strtoul(argv[nr], NULL, 10) : usual;
}

int main(int argc, char **argv)
{
	static struct service s;

	s.cycle_cnt = argument(argc, argv, 1, 25);
	s.spike_cycle = argument(argc, argv, 2, 6);
	s.record_cnt = argument(argc, argv, 3, 200000);
	s.cycle_ms = argument(argc, argv, 4, 1000);
	s.talk = argc > 5 && !strcmp(argv[5], "talk");
	table_resize(&s.table, FIRST_SLOTS);
	open_journal(&s);
	run_service(&s);
	if (argc <= 5 || strcmp(argv[5], "quiet"))
		say_ledger(&s);
	return 0;
}
