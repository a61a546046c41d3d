/* Real probes on this program's own functions: bounds that are met, who is watched and who is
 * not, and stacks.
 *
 * Needs: root. Runs with multi-uprobes and with single ones, as alloc_test.c.
 */
#include "bpf/fake_alloc.h"
#include "bpf/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define A ((void *)0x10000)
#define B ((void *)0x20000)
#define C ((void *)0x30000)

static void three_kept_one_freed(void)
{
	do_malloc(A, 100);
	do_malloc(B, 200);
	fake_free(B);
}

/* ---- bounds --------------------------------------------------------------------------------- */

static void allocate_100(void)
{
	for (int i = 0; i < 100; i++)
		do_malloc((char *)A + i * 64, 10);
}

static void a_full_live_map_is_counted(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct fixture f;

	(void)state;
	opts.max_blocks = 30;
	fixture_run(&f, &opts, allocate_100);
	assert_int_equal(fixture_live(&f, NULL), 30);
	assert_int_equal(f.stats[TIDE_STAT_BLOCKS_FULL], 70);
	assert_int_equal(fixture_totals(&f).alloc_cnt, 30);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_ALLOC), 30);
	fixture_end(&f);
}

static void same_address_twice(void)
{
	do_malloc(A, 100);
	do_malloc(A, 200);
}

static void a_block_whose_free_was_not_seen_is_replaced(void **state)
{
	struct fixture f;
	uint64_t bytes;

	(void)state;
	fixture_run_default(&f, same_address_twice);
	assert_int_equal(fixture_live(&f, &bytes), 1);
	assert_int_equal(bytes, 200);
	assert_int_equal(f.stats[TIDE_STAT_BLOCK_REPLACED], 1);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_FREE), 1);
	fixture_end(&f);
}

static void allocate_and_free_1000(void)
{
	for (int i = 0; i < 1000; i++)
		do_malloc((char *)A + i * 64, 10);
	for (int i = 0; i < 1000; i += 2)
		fake_free((char *)A + i * 64);
}

static void a_full_ring_loses_records_but_not_blocks(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct tide_site_totals totals;
	struct fixture f;
	uint64_t bytes;

	(void)state;
	opts.ring_bytes = 4096;
	fixture_run(&f, &opts, allocate_and_free_1000);
	assert_true(f.stats[TIDE_STAT_LOST_EVENTS] > 1000);
	assert_int_equal(f.stats[TIDE_STAT_LOST_EVENTS] + f.seen_cnt, 1500);
	assert_int_equal(fixture_live(&f, &bytes), 500);
	assert_int_equal(bytes, 5000);
	totals = fixture_totals(&f);
	assert_int_equal(totals.alloc_cnt, 1000);
	assert_int_equal(totals.free_cnt, 500);
	fixture_end(&f);
}

static void the_fence_waits_for_room_and_comes_last(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct fixture f;

	(void)state;
	opts.ring_bytes = 4096;
	fixture_begin(&f, &opts, allocate_100);
	fixture_play(&f);
	assert_int_equal(tide_probe_fence(f.probe, 1), -EAGAIN);
	fixture_drain(&f);
	assert_ok(tide_probe_fence(f.probe, 2));
	fixture_drain(&f);
	assert_int_equal(f.seen[f.seen_cnt - 1].type, TIDE_REC_FENCE);
	fixture_end(&f);
}

static __attribute__((noinline)) void from_depth(int depth)
{
	if (depth)
		from_depth(depth - 1);
	else
		do_malloc((char *)A + (size_t)random() % 1000000 * 16, 10);
	__asm__ volatile("" ::: "memory");
}

static void allocate_from_many_sites(void)
{
	for (int depth = 0; depth < 60; depth++)
		from_depth(depth);
}

static void a_full_site_table_charges_the_site_without_stack(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct fixture f;

	(void)state;
	opts.max_sites = 10;
	fixture_run(&f, &opts, allocate_from_many_sites);
	assert_int_equal(f.stats[TIDE_STAT_SITES_FULL], 50);
	assert_int_equal(fixture_totals(&f).alloc_cnt, 60);
	fixture_end(&f);
}

static void allocate_small_and_large(void)
{
	do_malloc(A, 99);
	do_malloc(B, 100);
	fake_free(A);
	do_realloc(B, 50, C); /* shrinks below the limit: B goes, C is not tracked */
}

static void min_bytes_leaves_small_blocks_out(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct fixture f;

	(void)state;
	opts.min_bytes = 100;
	fixture_run(&f, &opts, allocate_small_and_large);
	assert_int_equal(fixture_live(&f, NULL), 0);
	assert_int_equal(fixture_totals(&f).alloc_cnt, 1);
	assert_int_equal(fixture_totals(&f).free_cnt, 1);
	fixture_end(&f);
}

/* ---- who is watched ------------------------------------------------------------------------- */

static void fork_that_allocates(void)
{
	pid_t child = fork();

	if (!child) {
		do_malloc(B, 1000);
		fake_free(A);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void allocate_then_fork(void)
{
	do_malloc(A, 100);
	fork_that_allocates();
}

static void other_processes_are_not_seen(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct fixture f;

	(void)state;
	fixture_begin(&f, &opts, allocate_then_fork);
	do_malloc(C, 77); /* here, in the parent, which maps the same file */
	fixture_play(&f);
	fixture_drain(&f);
	assert_int_equal(fixture_live(&f, NULL), 1);
	assert_true(fixture_live_find(&f, A, NULL));
	assert_int_equal(fixture_totals(&f).alloc_cnt, 1);
	fixture_end(&f);
}

static void *allocate_one(void *addr)
{
	do_malloc(addr, 10);
	return NULL;
}

static void allocate_in_threads(void)
{
	pthread_t threads[8];

	for (size_t i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, allocate_one, (char *)A + i * 64))
			_exit(4);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

static void all_threads_are_seen(void **state)
{
	struct fixture f;

	(void)state;
	fixture_run_default(&f, allocate_in_threads);
	assert_int_equal(fixture_live(&f, NULL), 8);
	fixture_end(&f);
}

static void exec_sleep(void)
{
	do_malloc(A, 100);
	execl("/bin/true", "true", (char *)NULL);
	_exit(5);
}

static void exec_is_told_and_ends_the_tracking(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct fixture f;
	char byte;

	(void)state;
	fixture_begin(&f, &opts, exec_sleep);
	fixture_go_on(&f);
	assert_int_equal(read(f.done_fd, &byte, 1), 0); /* the pipe closes with the exec */
	fixture_drain(&f);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_EXEC), 1);
	assert_int_equal(fixture_live(&f, NULL), 1);
	fixture_end(&f);
}

static void allocate_pause_allocate(void)
{
	do_malloc(A, 1);
	scenario_pause();
	do_malloc(B, 2);
}

static void nothing_is_seen_after_detach(void **state)
{
	struct tide_probe_opts opts = fixture_opts();
	struct fixture f;
	uint64_t hits;

	(void)state;
	fixture_begin(&f, &opts, allocate_pause_allocate);
	fixture_play(&f);
	fixture_drain(&f);
	hits = f.stats[TIDE_STAT_HITS];
	tide_probe_enable(f.probe, false);
	tide_probe_detach(f.probe);
	fixture_play(&f);
	fixture_drain(&f);
	assert_int_equal(f.stats[TIDE_STAT_HITS], hits);
	assert_int_equal(fixture_live(&f, NULL), 1);
	fixture_end(&f);
}

static void a_bad_place_fails_whole(void **state)
{
	struct tide_allocator bad = {.name = "bad", .point_cnt = 2};
	struct tide_probe_opts opts = fixture_opts();
	struct tide_failure fail = {0};
	struct fixture f;

	(void)state;
	fixture_begin(&f, &opts, three_kept_one_freed);
	tide_probe_detach(f.probe);
	bad.points[0] = (struct tide_alloc_point){.fn = TIDE_FN_FREE, .file_off = 4096};
	bad.points[1] = (struct tide_alloc_point){.fn = TIDE_FN_MALLOC, .file_off = 1ULL << 40};
	assert_true(tide_probe_attach(f.probe, f.child, f.exe_fd, &bad, &fail) < 0);
	assert_int_equal(fail.exit, TIDE_EXIT_FAILED);
	assert_true(strlen(fail.text) > 20);
	fixture_play(&f);
	fixture_drain(&f);
	assert_int_equal(f.stats[TIDE_STAT_HITS], 0);
	fixture_end(&f);
}

/* ---- stacks --------------------------------------------------------------------------------- */

static __attribute__((noinline)) void site_one(void)
{
	do_malloc(A, 1);
	__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void site_two(void)
{
	do_malloc(B, 2);
	__asm__ volatile("" ::: "memory");
}

static void two_sites(void)
{
	/* volatile: unrolled, the two rounds would be two sites */
	for (volatile int i = 0; i < 2; i++) {
		fake_free(A);
		site_one();
	}
	site_two();
}

static bool within(uint64_t ip, const void *fn)
{
	return ip > (uintptr_t)fn && ip < (uintptr_t)fn + 64;
}

static void the_stack_names_its_callers(void **state)
{
	struct tide_live_block a, b;
	struct tide_stack stack;
	struct fixture f;

	(void)state;
	fixture_run_default(&f, two_sites);
	assert_true(fixture_live_find(&f, A, &a));
	assert_true(fixture_live_find(&f, B, &b));
	assert_int_not_equal(a.stack_key, b.stack_key);
	assert_int_equal(f.seen[0].stack_key, a.stack_key); /* the same site again */
	assert_ok(tide_probe_read_stack(f.probe, a.stack_key, &stack));
	assert_true(stack.frame_cnt >= 3);
	/* do_malloc may be inlined into its caller or not; both keep frame pointers. */
	assert_true(within(stack.ip[0], site_one) || within(stack.ip[1], site_one));
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_live_map_is_counted),
		cmocka_unit_test(a_block_whose_free_was_not_seen_is_replaced),
		cmocka_unit_test(a_full_ring_loses_records_but_not_blocks),
		cmocka_unit_test(the_fence_waits_for_room_and_comes_last),
		cmocka_unit_test(a_full_site_table_charges_the_site_without_stack),
		cmocka_unit_test(min_bytes_leaves_small_blocks_out),
		cmocka_unit_test(other_processes_are_not_seen),
		cmocka_unit_test(all_threads_are_seen),
		cmocka_unit_test(exec_is_told_and_ends_the_tracking),
		cmocka_unit_test(nothing_is_seen_after_detach),
		cmocka_unit_test(a_bad_place_fails_whole),
		cmocka_unit_test(the_stack_names_its_callers),
	};

	return fixture_run_twice("scope", tests, sizeof(tests) / sizeof(tests[0]));
}
