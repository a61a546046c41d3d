#include "sim.h"

#define HOLD (10 * SEC)

static void held_older_and_oldest_are_exact(void **state)
{
	struct tide_snapshot *snap;
	const struct tide_site_report *site;
	struct sim_block first;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	first = sim_alloc(&sim, 1, 1000);
	sim_wait(&sim, 5 * SEC);
	sim_alloc(&sim, 1, 200);
	sim_alloc(&sim, 2, 30);
	sim_wait(&sim, 7 * SEC);
	sim_alloc(&sim, 1, 4);
	snap = sim_snapshot_opts(&sim, (struct tide_snapshot_opts){.older_ns = 6 * SEC});
	site = sim_site(snap, 1);
	assert_int_equal(site->live_bytes, 1204);
	assert_int_equal(site->held_bytes, 1000);
	assert_int_equal(site->shown_bytes, 1200);
	assert_int_equal(site->shown_blocks, 2);
	assert_int_equal(site->oldest_birth_ns, first.birth_ns);
	assert_int_equal(sim_site(snap, 2)->held_bytes, 0);
	assert_int_equal(snap->held_bytes, 1000);
	assert_int_equal(snap->live_bytes, 1234);
	assert_int_equal(snap->live_blocks, 4);
	assert_int_equal(snap->older_ns, 6 * SEC);
	assert_int_equal(snap->start_ns, sim.start_ns);
	assert_int_equal(snap->end_ns, sim.now_ns);
	assert_int_equal(snap->hold_ns, HOLD);
	assert_false(snap->resident_known);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void sites_are_sorted_by_held_live_id(void **state)
{
	static const uint64_t order[] = {5, 2, 4, 1, 3};
	struct tide_snapshot *snap;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_alloc(&sim, 2, 500);
	sim_alloc(&sim, 5, 900);
	sim_wait(&sim, 2 * HOLD);
	sim_alloc(&sim, 3, 700);
	sim_alloc(&sim, 1, 700);
	sim_alloc(&sim, 4, 10000);
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->site_cnt, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(snap->sites[i].id, order[i]);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void the_largest_blocks_are_shown(void **state)
{
	struct tide_snapshot *snap;
	uint32_t seed = 1;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	for (uint64_t i = 0; i < 5000; i++) {
		seed = seed * 1664525 + 1013904223;
		sim_alloc(&sim, 1 + i % 3, 1 + (seed >> 12) % 100000);
	}
	for (uint64_t i = 0; i < 20; i++)
		sim_alloc(&sim, 7, 200000 + i);
	snap = sim_snapshot_opts(&sim, (struct tide_snapshot_opts){.show_blocks_cnt = 25});
	assert_int_equal(snap->block_cnt, 25);
	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(snap->blocks[i].block_bytes, 200019 - i);
		assert_int_equal(snap->blocks[i].site_id, 7);
	}
	for (size_t i = 20; i < 25; i++) {
		assert_in_range(snap->blocks[i].block_bytes, 99000, 100000);
		assert_true(snap->blocks[i].block_bytes <= snap->blocks[i - 1].block_bytes);
	}
	tide_snapshot_free(&snap);
	/* More than there are. */
	snap = sim_snapshot_opts(&sim, (struct tide_snapshot_opts){.show_blocks_cnt = SIZE_MAX});
	assert_int_equal(snap->block_cnt, 5020);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static uint64_t half_resident(uint64_t addr, uint64_t bytes, void *ctx)
{
	assert_true(addr >= 0x10000);
	++*(int *)ctx;
	return bytes / 2;
}

static void resident_bytes_are_asked_for(void **state)
{
	struct tide_snapshot *snap;
	struct sim sim;
	int calls = 0;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_alloc(&sim, 1, 1000);
	sim_alloc(&sim, 1, 3000);
	snap = sim_snapshot_opts(&sim, (struct tide_snapshot_opts){.resident = half_resident,
								   .resident_ctx = &calls,
								   .older_ns = 1 * SEC});
	assert_int_equal(calls, 2);
	assert_true(snap->resident_known);
	assert_int_equal(snap->sites[0].resident_bytes, 2000);
	assert_int_equal(snap->sites[0].shown_bytes, 0);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

/* Old blocks go, new ones come and new sites appear while the slices are read. */
static void the_feed_may_go_on_between_slices(void **state)
{
	struct tide_snapshot_opts opts = {.older_ns = HOLD, .show_blocks_cnt = 50};
	static struct sim_block blocks[20000];
	struct tide_snapshot *snap = NULL;
	uint64_t held_bytes = 0, left = 0;
	size_t next = 0;
	int slices = 0;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	for (size_t i = 0; i < 20000; i++)
		blocks[i] = sim_alloc(&sim, 1 + i % 2, 100 + i);
	sim_wait(&sim, 2 * HOLD);
	opts.now_ns = sim.now_ns;
	assert_ok(tide_snapshot_new(&snap));
	assert_ok(tide_retain_snapshot_begin(sim.retain, &opts));
	assert_errno(tide_retain_snapshot_begin(sim.retain, &opts), EBUSY);
	while (tide_retain_snapshot_step(sim.retain, 500) == 1) {
		for (int i = 0; i < 300 && next < 19990; i++)
			sim_free(&sim, &blocks[19999 - next++]);
		for (uint64_t i = 0; i < 100; i++)
			sim_alloc(&sim, 100 + (uint64_t)slices, 50);
		sim_wait(&sim, 10 * MS);
		slices++;
	}
	assert_true(slices > 5);
	assert_ok(tide_retain_snapshot_end(sim.retain, snap));
	for (size_t i = 0; i < snap->site_cnt; i++) {
		const struct tide_site_report *site = &snap->sites[i];

		assert_true(site->held_bytes <= site->live_bytes);
		assert_true(site->shown_bytes <= site->live_bytes);
		assert_true(site->id < 100 || !site->held_bytes);
		held_bytes += site->held_bytes;
	}
	for (size_t i = 0; i < 20000; i++)
		left += blocks[i].bytes;
	/* Blocks that stayed from the first slice to the last are all there. */
	assert_true(held_bytes >= left);
	assert_int_equal(snap->held_bytes, held_bytes);
	assert_int_equal(snap->live_bytes, tide_retain_live_bytes(sim.retain));
	/* None that is shown has gone. */
	for (size_t i = 0; i < snap->block_cnt; i++)
		assert_true(snap->blocks[i].block_bytes <= 100 + 20000 - next);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

/* The address is there, but it is another block. */
static void a_block_that_was_replaced_is_not_shown(void **state)
{
	struct tide_snapshot_opts opts = {.show_blocks_cnt = 10};
	struct tide_snapshot *snap = NULL;
	struct tide_rec_block rec;
	struct sim_block block;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	block = sim_alloc(&sim, 1, 1000);
	opts.now_ns = sim.now_ns;
	assert_ok(tide_snapshot_new(&snap));
	assert_ok(tide_retain_snapshot_begin(sim.retain, &opts));
	while (tide_retain_snapshot_step(sim.retain, 100) == 1)
		;
	block.birth_ns = sim.now_ns + 5;
	rec = sim_rec(&block, TIDE_REC_ALLOC, block.birth_ns);
	assert_int_equal(tide_retain_alloc(sim.retain, &rec), 1);
	assert_ok(tide_retain_snapshot_end(sim.retain, snap));
	assert_int_equal(snap->live_blocks, 1);
	assert_int_equal(snap->block_cnt, 0);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void a_snapshot_can_be_dropped(void **state)
{
	struct tide_snapshot_opts opts = {.show_blocks_cnt = 10};
	struct tide_snapshot *snap = NULL;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_alloc(&sim, 1, 10);
	assert_ok(tide_snapshot_new(&snap));
	assert_errno(tide_retain_snapshot_step(sim.retain, 1), EINVAL);
	assert_errno(tide_retain_snapshot_end(sim.retain, snap), EINVAL);
	tide_retain_snapshot_cancel(sim.retain);
	opts.now_ns = sim.now_ns;
	assert_ok(tide_retain_snapshot_begin(sim.retain, &opts));
	tide_retain_snapshot_cancel(sim.retain);
	assert_ok(tide_retain_snapshot_begin(sim.retain, &opts));
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void an_empty_process_makes_an_empty_report(void **state)
{
	struct tide_snapshot *snap;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_wait(&sim, HOLD);
	snap = sim_snapshot_opts(&sim, (struct tide_snapshot_opts){.show_blocks_cnt = 10});
	assert_int_equal(snap->site_cnt, 0);
	assert_int_equal(snap->block_cnt, 0);
	assert_int_equal(snap->live_bytes, 0);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void points_follow_the_tide(void **state)
{
	const struct tide_site_report *site;
	struct tide_snapshot *snap;
	struct sim_block block;
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_alloc(&sim, 1, 1 * MB);
	sim_wait(&sim, 5 * HOLD);
	block = sim_alloc(&sim, 1, 9 * MB);
	sim_wait(&sim, HOLD);
	sim_free(&sim, &block);
	sim_wait(&sim, 5 * HOLD);
	sim_alloc(&sim, 2, 100);
	snap = sim_snapshot(&sim);
	site = sim_site(snap, 1);
	assert_in_range(site->point_cnt, 20, 64);
	assert_int_equal(site->points[0].min_bytes, 0);
	for (size_t i = 1; i < site->point_cnt; i++) {
		const struct tide_tide_point *p = &site->points[i];

		assert_true(p->at_ns > site->points[i - 1].at_ns);
		assert_int_equal(p->min_bytes == 10 * MB || p->min_bytes == 1 * MB, 1);
		assert_int_equal(p->max_bytes == 10 * MB || p->max_bytes == 1 * MB, 1);
	}
	assert_int_equal(site->points[site->point_cnt - 1].last_bytes, 1 * MB);
	assert_int_equal(site->peak_bytes, 10 * MB);
	assert_int_equal(site->peak_ns, sim.start_ns + 5 * HOLD + 2);
	assert_null(sim_site(snap, 2)->points);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_older_and_oldest_are_exact),
		cmocka_unit_test(sites_are_sorted_by_held_live_id),
		cmocka_unit_test(the_largest_blocks_are_shown),
		cmocka_unit_test(resident_bytes_are_asked_for),
		cmocka_unit_test(the_feed_may_go_on_between_slices),
		cmocka_unit_test(a_block_that_was_replaced_is_not_shown),
		cmocka_unit_test(a_snapshot_can_be_dropped),
		cmocka_unit_test(an_empty_process_makes_an_empty_report),
		cmocka_unit_test(points_follow_the_tide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
