/* Real probes on this program's own functions: every rule of bpf/alloc.bpf.c, counted exactly.
 *
 * Needs: root. Each test runs with multi-uprobes (where the kernel has them) and with single
 * ones, which kernels before 6.10 use.
 */
#include "bpf/fake_alloc.h"
#include "bpf/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/features.h"

#define A ((void *)0x10000)
#define B ((void *)0x20000)
#define C ((void *)0x30000)

static bool single;

static struct tide_probe_opts defaults(void)
{
	struct tide_probe_opts opts = fixture_opts();

	opts.single = single;
	return opts;
}

static void run(struct fixture *f, void (*scenario)(void))
{
	struct tide_probe_opts opts = defaults();

	fixture_run(f, &opts, scenario);
}

static void do_malloc(void *result, size_t size)
{
	fake_next.result = result;
	(void)fake_malloc(size);
}

static void do_realloc(void *old, size_t size, void *result)
{
	fake_next.result = result;
	(void)fake_realloc(old, size);
}

/* ---- allocation and free -------------------------------------------------------------------- */

static void three_kept_one_freed(void)
{
	do_malloc(A, 100);
	do_malloc(B, 200);
	do_malloc(C, 300);
	fake_free(B);
	do_malloc(B, 50);
}

static void counts_are_exact(void **state)
{
	struct tide_site_totals totals;
	struct fixture f;
	uint64_t bytes;

	(void)state;
	run(&f, three_kept_one_freed);
	assert_int_equal(fixture_live(&f, &bytes), 3);
	assert_int_equal(bytes, 450);
	totals = fixture_totals(&f);
	assert_int_equal(totals.alloc_cnt, 4);
	assert_int_equal(totals.alloc_bytes, 650);
	assert_int_equal(totals.free_cnt, 1);
	assert_int_equal(totals.free_bytes, 200);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_ALLOC), 4);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_FREE), 1);
	assert_int_equal(f.stats[TIDE_STAT_LOST_EVENTS], 0);
	fixture_end(&f);
}

static void failing_calls(void)
{
	do_malloc(NULL, 100);
	fake_next.result = NULL;
	(void)fake_calloc(1, 100);
	fake_next.error = ENOMEM;
	fake_next.result = A;
	void *out = B;
	(void)fake_posix_memalign(&out, 64, 100);
}

static void failed_calls_are_not_blocks(void **state)
{
	struct fixture f;

	(void)state;
	run(&f, failing_calls);
	assert_int_equal(fixture_live(&f, NULL), 0);
	assert_int_equal(f.seen_cnt, 0);
	assert_int_equal(f.stats[TIDE_STAT_ALLOC_FAILED], 3);
	fixture_end(&f);
}

static void free_strangers(void)
{
	for (int i = 0; i < 1000; i++)
		fake_free((char *)A + i * 16);
	fake_free(NULL);
}

static void untracked_frees_end_in_the_kernel(void **state)
{
	struct fixture f;

	(void)state;
	run(&f, free_strangers);
	assert_int_equal(f.seen_cnt, 0);
	assert_int_equal(f.stats[TIDE_STAT_FREE_UNTRACKED], 1000);
	fixture_end(&f);
}

static void every_shape(void)
{
	void *out = NULL;

	do_malloc((void *)0x1000, 1);
	fake_next.result = (void *)0x2000;
	(void)fake_calloc(3, 20);
	fake_next.result = (void *)0x3000;
	(void)fake_aligned_alloc(64, 300);
	fake_next.result = (void *)0x4000;
	(void)fake_posix_memalign(&out, 64, 4000);
	do_realloc(NULL, 50000, (void *)0x5000);
	fake_next.result = (void *)0x6000;
	(void)fake_reallocarray(NULL, 6, 100000);
}

static void each_shape_gives_its_size(void **state)
{
	static const uint64_t expected[] = {1, 60, 300, 4000, 50000, 600000};
	struct fixture f;

	(void)state;
	run(&f, every_shape);
	for (size_t i = 0; i < 6; i++) {
		struct tide_live_block block;

		assert_true(fixture_live_find(&f, (void *)(0x1000 * (i + 1)), &block));
		assert_int_equal(block.block_bytes, expected[i]);
	}
	fixture_end(&f);
}

/* ---- nesting -------------------------------------------------------------------------------- */

static void inner_malloc(void)
{
	do_malloc(A, 112); /* what the outer call takes its own block from */
}

static void nest(void)
{
	fake_next.inside = inner_malloc;
	fake_next.result = (char *)A + 16;
	(void)fake_calloc(10, 10);
}

static void nested_calls_count_once(void **state)
{
	struct tide_live_block block;
	struct fixture f;

	(void)state;
	run(&f, nest);
	assert_int_equal(fixture_live(&f, NULL), 1);
	assert_true(fixture_live_find(&f, (char *)A + 16, &block));
	assert_int_equal(block.block_bytes, 100);
	assert_int_equal(f.stats[TIDE_STAT_NESTED], 1);
	fixture_end(&f);
}

static jmp_buf jump;

static void jump_out(void)
{
	longjmp(jump, 1);
}

/* noinline: its frame must lie below that of the calls that follow. */
static __attribute__((noinline)) void abandon_a_call(void)
{
	if (setjmp(jump))
		return;
	fake_next.inside = jump_out;
	(void)fake_malloc(100);
}

static void abandon_then_allocate(void)
{
	abandon_a_call();
	do_malloc(A, 10);
	do_malloc(B, 20);
}

static void an_abandoned_call_does_not_hide_the_next(void **state)
{
	struct fixture f;
	uint64_t bytes;

	(void)state;
	run(&f, abandon_then_allocate);
	assert_int_equal(fixture_live(&f, &bytes), 2);
	assert_int_equal(bytes, 30);
	assert_int_equal(f.stats[TIDE_STAT_PENDING_STALE], 1);
	fixture_end(&f);
}

/* ---- realloc -------------------------------------------------------------------------------- */

static void resize_in_place_and_moved(void)
{
	do_malloc(A, 100);
	do_realloc(A, 150, A);
	do_realloc(A, 400, B);
}

static void realloc_is_a_free_and_an_allocation(void **state)
{
	struct tide_site_totals totals;
	struct tide_live_block block;
	struct fixture f;

	(void)state;
	run(&f, resize_in_place_and_moved);
	assert_int_equal(fixture_live(&f, NULL), 1);
	assert_true(fixture_live_find(&f, B, &block));
	assert_int_equal(block.block_bytes, 400);
	totals = fixture_totals(&f);
	assert_int_equal(totals.alloc_cnt, 3);
	assert_int_equal(totals.alloc_bytes, 650);
	assert_int_equal(totals.free_cnt, 2);
	assert_int_equal(totals.free_bytes, 250);
	fixture_end(&f);
}

static void resize_fails(void)
{
	do_malloc(A, 100);
	do_realloc(A, 1UL << 46, NULL);
	fake_next.result = NULL;
	(void)fake_reallocarray(A, 1UL << 40, 1UL << 40); /* count * size overflows */
}

static void a_failed_realloc_keeps_the_old_block(void **state)
{
	struct tide_live_block block;
	struct fixture f;

	(void)state;
	run(&f, resize_fails);
	assert_int_equal(fixture_live(&f, NULL), 1);
	assert_true(fixture_live_find(&f, A, &block));
	assert_int_equal(block.block_bytes, 100);
	assert_int_equal(block.birth_ns, f.seen[0].birth_ns);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_RESTORE), 2);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_FREE), 0);
	fixture_end(&f);
}

static void resize_to_zero(void)
{
	do_malloc(A, 100);
	do_realloc(A, 0, NULL);
}

static void realloc_to_zero_that_returns_null_frees(void **state)
{
	struct fixture f;

	(void)state;
	run(&f, resize_to_zero);
	assert_int_equal(fixture_live(&f, NULL), 0);
	assert_int_equal(fixture_seen_cnt(&f, TIDE_REC_FREE), 1);
	fixture_end(&f);
}

static pthread_barrier_t barrier;

/* The other thread gets A while the realloc that gave it up has not returned yet. */
static void *take_old_address(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&barrier);
	do_malloc(A, 7);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void let_other_take_it(void)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
}

static void resize_under_race(void)
{
	pthread_t other;

	pthread_barrier_init(&barrier, NULL, 2);
	do_malloc(A, 100);
	if (pthread_create(&other, NULL, take_old_address, NULL))
		_exit(4);
	fake_next.inside = let_other_take_it;
	do_realloc(A, 200, B);
	pthread_join(other, NULL);
}

static void realloc_leaves_the_new_owner_of_its_old_address_alone(void **state)
{
	struct tide_live_block block;
	struct fixture f;

	(void)state;
	run(&f, resize_under_race);
	assert_int_equal(fixture_live(&f, NULL), 2);
	assert_true(fixture_live_find(&f, A, &block));
	assert_int_equal(block.block_bytes, 7);
	assert_true(fixture_live_find(&f, B, &block));
	assert_int_equal(block.block_bytes, 200);
	assert_int_equal(f.stats[TIDE_STAT_BLOCK_REPLACED], 0);
	fixture_end(&f);
}

static void pause_inside(void)
{
	scenario_pause();
}

static void resize_paused(void)
{
	do_malloc(A, 100);
	fake_next.inside = pause_inside;
	do_realloc(A, 200, B);
}

static int on_in_flight(uint64_t addr, const struct tide_live_block *block, void *ctx)
{
	struct tide_live_block *found = ctx;

	assert_int_equal(addr, (uintptr_t)A);
	*found = *block;
	return 0;
}

static void a_block_in_a_running_realloc_can_be_read(void **state)
{
	struct tide_live_block block = {0};
	struct tide_probe_opts opts = defaults();
	struct fixture f;

	(void)state;
	fixture_begin(&f, &opts, resize_paused);
	fixture_go_on(&f);
	fixture_wait_pause(&f);
	assert_false(fixture_live_find(&f, A, NULL));
	assert_ok(tide_probe_read_in_flight(f.probe, on_in_flight, &block));
	assert_int_equal(block.block_bytes, 100);
	fixture_go_on(&f);
	fixture_wait_pause(&f);
	assert_true(fixture_live_find(&f, B, NULL));
	fixture_end(&f);
}

/* ---- bounds --------------------------------------------------------------------------------- */

static void allocate_100(void)
{
	for (int i = 0; i < 100; i++)
		do_malloc((char *)A + i * 64, 10);
}

static void a_full_live_map_is_counted(void **state)
{
	struct tide_probe_opts opts = defaults();
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

static void allocate_and_free_1000(void)
{
	for (int i = 0; i < 1000; i++)
		do_malloc((char *)A + i * 64, 10);
	for (int i = 0; i < 1000; i += 2)
		fake_free((char *)A + i * 64);
}

static void a_full_ring_loses_records_but_not_blocks(void **state)
{
	struct tide_probe_opts opts = defaults();
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
	struct tide_probe_opts opts = defaults();
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
	struct tide_probe_opts opts = defaults();
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
	struct tide_probe_opts opts = defaults();
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
	struct tide_probe_opts opts = defaults();
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
	run(&f, allocate_in_threads);
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
	struct tide_probe_opts opts = defaults();
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
	struct tide_probe_opts opts = defaults();
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
	struct tide_probe_opts opts = defaults();
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
	run(&f, two_sites);
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

static int twice(const struct CMUnitTest *tests, size_t cnt)
{
	int failed;

	single = false;
	if (tide_feature_multi_uprobe())
		print_message("with multi-uprobes\n");
	else
		print_message("multi-uprobes are missing in this kernel: single ones, twice\n");
	failed = _cmocka_run_group_tests("alloc", tests, cnt, NULL, NULL);
	single = true;
	print_message("with single uprobes\n");
	return failed + _cmocka_run_group_tests("alloc, single uprobes", tests, cnt, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_exact),
		cmocka_unit_test(failed_calls_are_not_blocks),
		cmocka_unit_test(untracked_frees_end_in_the_kernel),
		cmocka_unit_test(each_shape_gives_its_size),
		cmocka_unit_test(nested_calls_count_once),
		cmocka_unit_test(an_abandoned_call_does_not_hide_the_next),
		cmocka_unit_test(realloc_is_a_free_and_an_allocation),
		cmocka_unit_test(a_failed_realloc_keeps_the_old_block),
		cmocka_unit_test(realloc_to_zero_that_returns_null_frees),
		cmocka_unit_test(realloc_leaves_the_new_owner_of_its_old_address_alone),
		cmocka_unit_test(a_block_in_a_running_realloc_can_be_read),
		cmocka_unit_test(a_full_live_map_is_counted),
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

	return twice(tests, sizeof(tests) / sizeof(tests[0]));
}
