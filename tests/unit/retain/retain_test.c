#include "sim.h"

static int alloc_at(struct sim *sim, uint64_t addr, uint64_t birth_ns, uint64_t bytes)
{
	struct sim_block block = {addr, bytes, birth_ns, 1};
	struct tide_rec_block rec = sim_rec(&block, TIDE_REC_ALLOC, birth_ns);

	return tide_retain_alloc(sim->retain, &rec);
}

static int free_at(struct sim *sim, uint64_t addr, uint64_t birth_ns, uint64_t ts_ns)
{
	struct sim_block block = {addr, 0, birth_ns, 1};
	struct tide_rec_block rec = sim_rec(&block, TIDE_REC_FREE, ts_ns);

	return tide_retain_free_block(sim->retain, &rec);
}

static void the_rules_of_the_feed(void **state)
{
	struct sim sim;

	(void)state;
	sim_begin_opts(
		&sim, &(struct tide_retain_opts){.hold_ns = 1000, .max_sites = 9, .max_blocks = 9});
	assert_int_equal(free_at(&sim, 0x1000, 5, 6), 0); /* of nothing */
	assert_int_equal(alloc_at(&sim, 0x1000, 10, 100), 1);
	assert_int_equal(alloc_at(&sim, 0x1000, 10, 100), 0); /* known */
	assert_int_equal(alloc_at(&sim, 0x1000, 9, 70), 0);   /* gone before it is told */
	assert_int_equal(free_at(&sim, 0x1000, 9, 11), 0);    /* likewise */
	assert_int_equal(free_at(&sim, 0x1000, 12, 13), 0);   /* of one that was never known */
	assert_int_equal(tide_retain_live_bytes(sim.retain), 100);
	assert_int_equal(alloc_at(&sim, 0x1000, 20, 300), 1); /* the free was lost */
	assert_int_equal(tide_retain_live_bytes(sim.retain), 300);
	assert_int_equal(tide_retain_live_blocks(sim.retain), 1);
	assert_int_equal(free_at(&sim, 0x1000, 20, 21), 1);
	assert_int_equal(tide_retain_live_bytes(sim.retain), 0);
	assert_int_equal(tide_retain_live_blocks(sim.retain), 0);
	sim_end(&sim);
}

static void a_failed_realloc_counts_nothing(void **state)
{
	struct tide_snapshot *snap;
	struct tide_rec_block rec;
	struct sim_block block;
	struct sim sim;

	(void)state;
	sim_begin(&sim, 10 * SEC);
	block = sim_alloc(&sim, 1, 500);
	sim_alloc(&sim, 1, 50);
	/* Told as a free and a restore, and as a restore alone. */
	rec = sim_rec(&block, TIDE_REC_FREE, ++sim.now_ns);
	assert_int_equal(tide_retain_free_block(sim.retain, &rec), 1);
	rec = sim_rec(&block, TIDE_REC_RESTORE, ++sim.now_ns);
	assert_int_equal(tide_retain_alloc(sim.retain, &rec), 1);
	rec = sim_rec(&block, TIDE_REC_RESTORE, ++sim.now_ns);
	assert_int_equal(tide_retain_alloc(sim.retain, &rec), 0);
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->sites[0].live_bytes, 550);
	assert_int_equal(snap->sites[0].allocated_blocks, 2);
	assert_int_equal(snap->sites[0].allocated_bytes, 550);
	assert_int_equal(snap->sites[0].freed_blocks, 0);
	assert_int_equal(snap->sites[0].freed_bytes, 0);
	assert_int_equal(snap->sites[0].oldest_birth_ns, block.birth_ns);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

/* Its allocation was lost: it is live nevertheless, and the sums still agree. */
static void a_restored_block_that_was_never_known(void **state)
{
	struct sim_block block = {0x5000, 500, 5, 1};
	struct tide_rec_block rec = sim_rec(&block, TIDE_REC_RESTORE, 2000 * SEC);
	struct tide_snapshot *snap;
	struct sim sim;

	(void)state;
	sim_begin(&sim, 10 * SEC);
	assert_int_equal(tide_retain_alloc(sim.retain, &rec), 1);
	sim.now_ns = 2001 * SEC;
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->sites[0].live_blocks, 1);
	assert_int_equal(snap->sites[0].allocated_blocks, 1);
	assert_int_equal(snap->sites[0].freed_blocks, 0);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void the_kernels_totals_win(void **state)
{
	struct tide_site_totals totals = {10, 1000, 7, 700};
	struct tide_snapshot *snap;
	struct sim_block block;
	struct sim sim;

	(void)state;
	sim_begin(&sim, 10 * SEC);
	block = sim_alloc(&sim, 1, 100);
	sim_alloc(&sim, 2, 100);
	assert_ok(tide_retain_set_totals(sim.retain, 1, &totals));
	sim_free(&sim, &block);
	sim_alloc(&sim, 1, 100);
	/* A site of which every record was lost. */
	assert_ok(tide_retain_set_totals(sim.retain, 3, &totals));
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->site_cnt, 3);
	assert_int_equal(tide_retain_site_cnt(sim.retain), 3);
	assert_int_equal(sim_site(snap, 1)->allocated_blocks, 10);
	assert_int_equal(sim_site(snap, 1)->allocated_bytes, 1000);
	assert_int_equal(sim_site(snap, 1)->freed_blocks, 7);
	assert_int_equal(sim_site(snap, 1)->freed_bytes, 700);
	assert_int_equal(sim_site(snap, 1)->live_bytes, 100);
	assert_int_equal(sim_site(snap, 2)->allocated_blocks, 1);
	assert_int_equal(sim_site(snap, 3)->freed_bytes, 700);
	assert_int_equal(sim_site(snap, 3)->live_bytes, 0);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void sites_beyond_the_bound_share_one(void **state)
{
	struct tide_site_totals totals = {1, 1, 1, 1};
	struct tide_snapshot *snap;
	struct sim_block last = {0};
	struct sim sim;

	(void)state;
	sim_begin_opts(&sim, &(struct tide_retain_opts){
				     .hold_ns = SEC, .max_sites = 10, .max_blocks = 1000});
	for (uint64_t key = 1; key <= 30; key++)
		last = sim_alloc(&sim, key, 100);
	assert_int_equal(tide_retain_sites_full_cnt(sim.retain), 20);
	assert_int_equal(tide_retain_site_cnt(sim.retain), 11);
	assert_errno(tide_retain_set_totals(sim.retain, 30, &totals), ENOSPC);
	assert_ok(tide_retain_set_totals(sim.retain, 0, &totals));
	sim_free(&sim, &last);
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->site_cnt, 11);
	assert_int_equal(snap->live_bytes, 2900);
	assert_int_equal(sim_site(snap, 0)->live_bytes, 1900);
	assert_int_equal(sim_site(snap, 0)->allocated_blocks, 20);
	assert_int_equal(sim_site(snap, 0)->freed_blocks, 1);
	assert_null(sim_site(snap, 30));
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void key_0_is_a_site_like_any_other(void **state)
{
	struct tide_site_totals totals = {5, 500, 4, 400};
	struct tide_snapshot *snap;
	struct sim sim;

	(void)state;
	sim_begin(&sim, SEC);
	assert_int_equal(tide_retain_site_cnt(sim.retain), 0);
	sim_alloc(&sim, 0, 100);
	assert_int_equal(tide_retain_site_cnt(sim.retain), 1);
	assert_int_equal(tide_retain_sites_full_cnt(sim.retain), 0);
	assert_ok(tide_retain_set_totals(sim.retain, 0, &totals));
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->site_cnt, 1);
	assert_int_equal(snap->sites[0].id, 0);
	assert_int_equal(snap->sites[0].allocated_bytes, 500);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void blocks_beyond_the_bound_are_counted(void **state)
{
	struct sim sim;

	(void)state;
	sim_begin_opts(
		&sim, &(struct tide_retain_opts){.hold_ns = SEC, .max_sites = 10, .max_blocks = 3});
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(alloc_at(&sim, 0x1000 + i * 16, 1 + i, 10), 1);
	assert_errno(alloc_at(&sim, 0x9000, 50, 10), ENOSPC);
	assert_int_equal(tide_retain_blocks_full_cnt(sim.retain), 1);
	assert_int_equal(free_at(&sim, 0x9000, 50, 51), 0);
	/* A replacement needs no room; and where one went another fits. */
	assert_int_equal(alloc_at(&sim, 0x1000, 60, 20), 1);
	assert_int_equal(free_at(&sim, 0x1010, 2, 61), 1);
	assert_int_equal(alloc_at(&sim, 0x9000, 70, 10), 1);
	assert_int_equal(tide_retain_live_blocks(sim.retain), 3);
	assert_int_equal(tide_retain_live_bytes(sim.retain), 40);
	sim_end(&sim);
}

static void blocks_that_cannot_be_are_refused(void **state)
{
	struct sim sim;

	(void)state;
	sim_begin(&sim, SEC);
	assert_errno(alloc_at(&sim, 0, 1, 10), EINVAL);
	assert_errno(alloc_at(&sim, 1ULL << 60, 1, 10), EINVAL);
	assert_errno(alloc_at(&sim, 0x1000, 1, 1ULL << 60), EINVAL);
	assert_int_equal(tide_retain_blocks_full_cnt(sim.retain), 3);
	assert_int_equal(tide_retain_live_blocks(sim.retain), 0);
	sim_end(&sim);
}

static void bad_options_are_refused(void **state)
{
	struct tide_retain_opts opts = {.hold_ns = 1, .max_sites = 1, .max_blocks = 1};
	struct tide_retain *retain = NULL;

	(void)state;
	opts.hold_ns = 0;
	assert_errno(tide_retain_new(&opts, &retain), EINVAL);
	opts.hold_ns = UINT64_MAX / 2;
	assert_errno(tide_retain_new(&opts, &retain), EINVAL);
	opts.hold_ns = 1;
	opts.max_sites = 0;
	assert_errno(tide_retain_new(&opts, &retain), EINVAL);
	opts.max_sites = 1U << 24;
	assert_errno(tide_retain_new(&opts, &retain), EINVAL);
	opts.max_sites = 1;
	opts.max_blocks = 0;
	assert_errno(tide_retain_new(&opts, &retain), EINVAL);
	assert_null(retain);
	opts.max_blocks = 1;
	assert_ok(tide_retain_new(&opts, &retain));
	tide_retain_free(&retain);
	tide_retain_free(&retain);
	tide_retain_free(NULL);
}

/* Records of two threads come in another order than their times. */
static void time_may_go_back_a_little(void **state)
{
	struct tide_snapshot *snap;
	struct sim sim;

	(void)state;
	sim_begin_opts(&sim, &(struct tide_retain_opts){.start_ns = 5000,
							.hold_ns = 1600,
							.max_sites = 10,
							.max_blocks = 10});
	assert_int_equal(alloc_at(&sim, 0x1000, 9000, 100), 1);
	assert_int_equal(alloc_at(&sim, 0x2000, 8800, 100), 1);
	assert_int_equal(alloc_at(&sim, 0x3000, 4000, 100), 1); /* before the window */
	tide_retain_tick(sim.retain, 8000);
	assert_int_equal(free_at(&sim, 0x1000, 9000, 8900), 1);
	sim.now_ns = 9100;
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->live_bytes, 200);
	assert_int_equal(snap->sites[0].peak_bytes, 300);
	assert_int_equal(snap->sites[0].peak_ns, 9000);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

/* Two weeks, a hold time of five minutes, a tick each second would be 1.2 M: each minute. */
static void two_weeks_take_no_more_memory(void **state)
{
	struct tide_retain_opts opts = {
		.hold_ns = 300 * SEC, .max_sites = 500, .max_blocks = 100000};
	struct tide_snapshot *snap;
	struct sim_block blocks[200] = {0};
	uint64_t mem_bytes = 0;
	struct sim sim;

	(void)state;
	sim_begin_opts(&sim, &opts);
	sim.tick_ns = 60 * SEC;
	for (uint64_t i = 0; i < 14 * 24 * 60; i++) {
		struct sim_block *block = &blocks[i % 200];

		if (block->addr)
			sim_free(&sim, block);
		*block = sim_alloc(&sim, 1 + i % 200, 1 * MB);
		sim_wait(&sim, 60 * SEC);
		if (i == 1000)
			mem_bytes = tide_retain_mem_bytes(sim.retain);
	}
	assert_true(tide_retain_mem_bytes(sim.retain) <= mem_bytes + mem_bytes / 10);
	assert_true(mem_bytes < 1 * MB);
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->site_cnt, 200);
	assert_int_equal(snap->live_bytes, 200 * MB);
	for (size_t i = 0; i < snap->site_cnt; i++) {
		assert_true(snap->sites[i].point_cnt > 16 && snap->sites[i].point_cnt <= 64);
		assert_int_equal(snap->sites[i].verdict, TIDE_VERDICT_STEADY);
	}
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_of_the_feed),
		cmocka_unit_test(a_failed_realloc_counts_nothing),
		cmocka_unit_test(a_restored_block_that_was_never_known),
		cmocka_unit_test(the_kernels_totals_win),
		cmocka_unit_test(sites_beyond_the_bound_share_one),
		cmocka_unit_test(key_0_is_a_site_like_any_other),
		cmocka_unit_test(blocks_beyond_the_bound_are_counted),
		cmocka_unit_test(blocks_that_cannot_be_are_refused),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(time_may_go_back_a_little),
		cmocka_unit_test(two_weeks_take_no_more_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
