/* Real probes on this program's own functions: the rules of bpf/alloc.bpf.c, counted exactly.
 *
 * Needs: root. Each test runs with multi-uprobes (where the kernel has them) and with single
 * ones, which kernels before 6.10 use.
 */
#include "bpf/fake_alloc.h"
#include "bpf/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#define A ((void *)0x10000)
#define B ((void *)0x20000)
#define C ((void *)0x30000)

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
	fixture_run_default(&f, three_kept_one_freed);
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
	fixture_run_default(&f, failing_calls);
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
	fixture_run_default(&f, free_strangers);
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
	fixture_run_default(&f, every_shape);
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
	fixture_run_default(&f, nest);
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
	fixture_run_default(&f, abandon_then_allocate);
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
	fixture_run_default(&f, resize_in_place_and_moved);
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
	fixture_run_default(&f, resize_fails);
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
	fixture_run_default(&f, resize_to_zero);
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
	fixture_run_default(&f, resize_under_race);
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
	struct tide_probe_opts opts = fixture_opts();
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
	};

	return fixture_run_twice("alloc", tests, sizeof(tests) / sizeof(tests[0]));
}
