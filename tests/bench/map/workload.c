/* The workload of the map comparison, the same object code for every container.
 *
 *   insert   0 -> N entries; then N lookups that hit, N that miss
 *   worst    0 -> N entries again, each call timed by itself; the quietest of three runs
 *   churn    at constant size, 1 M and N: delete one at random, insert one; then the same
 *            again with each key announced eight calls ahead, to containers that take hints
 *   spike    100 K -> N -> 100 K entries by random deletes; resident bytes at each point
 *
 * Each scenario runs in its own child, so that neither heap nor resident memory is inherited.
 * Keys are made before the clock starts, in batches, so that only the container's work is
 * timed, as processor time (page faults included): other load on the machine does not count. What
 * the harness itself keeps lies in shared memory and is left out of the resident bytes (statm:
 * resident minus shared).
 *
 * Prints "container<TAB>measure<TAB>value", for report.awk. TIDE_BENCH_N sets N (10,000,000).
 */
#include "container.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BASE_CNT	100000u
#define SMALL_CNT	1000000u
#define BATCH		65536u
#define WORST_RUNS	3
#define HINT_AHEAD	8
#define KEY_BITS	31
#define CPU_CHECK_CALLS 16

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Time on the processor, page faults included: what else runs on the machine does not count. */
static uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1du;
}

/* The address of block number id: a bijection of 31 bits, so that ids give different blocks at
 * random places of 32 GB, aligned as malloc aligns.
 */
static uint64_t key_of(uint32_t id)
{
	uint32_t mask = (1u << KEY_BITS) - 1;
	uint32_t x = id;

	x = x * 0x9e3779b1u & mask;
	x ^= x >> 16;
	x = x * 0x85ebca6bu & mask;
	x ^= x >> 15;
	return 0x7f1000000000u + (uint64_t)x * 16;
}

static struct bench_value value_of(uint64_t key)
{
	return (struct bench_value){key * 3, (uint32_t)key >> 4, (uint32_t)(key >> 8)};
}

static void *shared_array(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static uint64_t resident_bytes(void)
{
	uint64_t size, resident, shared;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64, &size, &resident, &shared) != 3)
		abort();
	fclose(f);
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void result(const char *measure, double value)
{
	printf("%s\t%s\t%.2f\n", bench_name(), measure, value);
	fflush(stdout);
}

static uint64_t keys[BATCH];

static void make_keys(uint32_t first, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		keys[i] = key_of(first + i);
}

static uint32_t batch_of(uint32_t done, uint32_t cnt)
{
	return cnt - done < BATCH ? cnt - done : BATCH;
}

/* Inserts blocks first to end - 1. Returns the time taken. */
static uint64_t fill(void *map, uint32_t first, uint32_t end)
{
	uint64_t spent = 0;

	for (uint32_t id = first; id < end; id += BATCH) {
		uint32_t cnt = batch_of(id, end);
		uint64_t start;

		make_keys(id, cnt);
		start = cpu_ns();
		for (uint32_t i = 0; i < cnt; i++) {
			struct bench_value value = value_of(keys[i]);

			bench_put(map, keys[i], &value);
		}
		spent += cpu_ns() - start;
	}
	return spent;
}

/* Looks cnt random blocks up; id_base beyond the filled ids makes them misses. */
static uint64_t find(const void *map, uint32_t id_base, uint32_t cnt, bool hit)
{
	uint64_t spent = 0;

	for (uint32_t done = 0; done < cnt; done += BATCH) {
		uint32_t n = batch_of(done, cnt), found = 0;
		uint64_t start;

		for (uint32_t i = 0; i < n; i++)
			keys[i] = key_of(id_base + (uint32_t)(next_random() % cnt));
		start = cpu_ns();
		for (uint32_t i = 0; i < n; i++) {
			struct bench_value value;

			if (bench_get(map, keys[i], &value))
				found += value.birth_ns == keys[i] * 3;
		}
		spent += cpu_ns() - start;
		if (found != (hit ? n : 0))
			abort();
	}
	return spent;
}

static void run_insert(uint32_t n)
{
	uint64_t before = resident_bytes();
	void *map = bench_new();

	result("insert_ns", (double)fill(map, 0, n) / n);
	result("entry_bytes", (double)(resident_bytes() - before) / n);
	result("hit_ns", (double)find(map, 0, n, true) / n);
	result("miss_ns", (double)find(map, n, n, false) / n);
}

/* The longest call. Reading the processor's clock is too slow to do around each; so each is timed
 * by the wall clock, and a long one is bounded by the processor time since the last check, a few
 * calls ago. What remains is the call's own work, whoever else had the processor meanwhile.
 */
static void run_worst(uint32_t n)
{
	void *map = bench_new();
	uint64_t worst = 0, worst_wall = 0, cpu = 0;

	for (uint32_t id = 0; id < n; id++) {
		uint64_t key = key_of(id), start, took, used;
		struct bench_value value = value_of(key);

		if (id % CPU_CHECK_CALLS == 0)
			cpu = cpu_ns();
		start = clock_ns(CLOCK_MONOTONIC);
		bench_put(map, key, &value);
		took = clock_ns(CLOCK_MONOTONIC) - start;
		if (took > worst_wall)
			worst_wall = took;
		if (took <= worst)
			continue;
		used = cpu_ns() - cpu;
		if (used < took)
			took = used;
		if (took > worst)
			worst = took;
	}
	result("worst_ns", (double)worst);
	result("worst_wall_ns", (double)worst_wall);
}

static uint64_t churn_batch(void *map, const uint64_t *dead, uint32_t cnt, uint32_t ahead)
{
	uint64_t start = cpu_ns();
	uint32_t gone = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		struct bench_value value = value_of(keys[i]);

		if (ahead && i + ahead < cnt) {
			bench_prefetch(map, dead[i + ahead]);
			bench_prefetch(map, keys[i + ahead]);
		}
		gone += bench_del(map, dead[i]);
		bench_put(map, keys[i], &value);
	}
	if (gone != cnt)
		abort();
	return cpu_ns() - start;
}

/* Replaces pair_cnt blocks; *next_id is the first id never used. Returns nanoseconds a pair. */
static double churn(void *map, uint32_t *live, uint32_t live_cnt, uint32_t *next_id, uint32_t ahead)
{
	static uint64_t dead[BATCH];
	uint64_t spent = 0;

	for (uint32_t done = 0; done < live_cnt; done += BATCH) {
		uint32_t n = batch_of(done, live_cnt);

		for (uint32_t i = 0; i < n; i++) {
			uint32_t at = (uint32_t)(next_random() % live_cnt);

			dead[i] = key_of(live[at]);
			live[at] = (*next_id)++;
			keys[i] = key_of(live[at]);
		}
		spent += churn_batch(map, dead, n, ahead);
	}
	return (double)spent / live_cnt;
}

static void run_churn(uint32_t n)
{
	bool small = n == SMALL_CNT;
	uint32_t next_id = n;
	uint32_t *live = shared_array(n * sizeof(*live));
	uint64_t before = resident_bytes();
	void *map = bench_new();

	for (uint32_t i = 0; i < n; i++)
		live[i] = i;
	fill(map, 0, n);
	result(small ? "churn_small_ns" : "churn_ns", churn(map, live, n, &next_id, 0));
	result(small ? "hinted_small_ns" : "hinted_ns", churn(map, live, n, &next_id, HINT_AHEAD));
	if (!small)
		result("churn_entry_bytes", (double)(resident_bytes() - before) / n);
}

static uint64_t drain(void *map, uint32_t *live, uint32_t cnt, uint32_t keep)
{
	uint64_t spent = 0;

	while (cnt > keep) {
		uint32_t n = cnt - keep < BATCH ? cnt - keep : BATCH, gone = 0;
		uint64_t start;

		for (uint32_t i = 0; i < n; i++) {
			uint32_t at = (uint32_t)(next_random() % cnt);

			keys[i] = key_of(live[at]);
			live[at] = live[--cnt];
		}
		start = cpu_ns();
		for (uint32_t i = 0; i < n; i++)
			gone += bench_del(map, keys[i]);
		spent += cpu_ns() - start;
		if (gone != n)
			abort();
	}
	return spent;
}

static void run_spike(uint32_t n)
{
	uint32_t *live = shared_array(n * sizeof(*live));
	uint64_t before = resident_bytes();
	void *map = bench_new();

	for (uint32_t i = 0; i < n; i++)
		live[i] = i;
	fill(map, 0, BASE_CNT);
	result("rss_before", (double)(resident_bytes() - before));
	fill(map, BASE_CNT, n);
	result("rss_spike", (double)(resident_bytes() - before));
	result("drain_ns", (double)drain(map, live, n, BASE_CNT) / (n - BASE_CNT));
	result("rss_drained", (double)(resident_bytes() - before));
	bench_shrink(map);
	result("rss_shrunk", (double)(resident_bytes() - before));
}

static int in_child(void (*run)(uint32_t n), uint32_t n)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return 1;
	if (!child) {
		run(n);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		return 1;
	if (status)
		fprintf(stderr, "%s: a scenario failed (wait status %d)\n", bench_name(), status);
	return status != 0;
}

int main(void)
{
	const char *env = getenv("TIDE_BENCH_N");
	unsigned long n = env ? strtoul(env, NULL, 10) : 10000000;
	int failed = 0;

	if (n <= SMALL_CNT / 2 || n > 100000000) {
		fprintf(stderr, "TIDE_BENCH_N: between 500001 and 100000000\n");
		return 2;
	}
	failed |= in_child(run_insert, (uint32_t)n);
	for (int i = 0; i < WORST_RUNS; i++)
		failed |= in_child(run_worst, (uint32_t)n);
	failed |= in_child(run_churn, SMALL_CNT);
	if (n != SMALL_CNT)
		failed |= in_child(run_churn, (uint32_t)n);
	failed |= in_child(run_spike, (uint32_t)n);
	return failed;
}
