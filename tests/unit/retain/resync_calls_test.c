/* The calls of a re-read, one by one; resync_test.c plays them against a kernel. */
#include "sim.h"

static void live_of(const struct sim_block *block, struct tide_live_block *ret)
{
	*ret = (struct tide_live_block){block->bytes, block->birth_ns, block->key};
}

static void abort_leaves_all_as_it_was(void **state)
{
	struct sim_block a, b, c;
	struct tide_live_block live;
	struct sim sim;

	(void)state;
	sim_begin(&sim, 10 * SEC);
	a = sim_alloc(&sim, 1, 100);
	b = sim_alloc(&sim, 1, 200);
	c = sim_alloc(&sim, 2, 300);
	for (int i = 0; i < 3; i++) {
		assert_ok(tide_retain_resync_begin(sim.retain));
		assert_errno(tide_retain_resync_begin(sim.retain), EBUSY);
		live_of(&b, &live);
		assert_int_equal(tide_retain_resync_block(sim.retain, b.addr, &live), 0);
		assert_int_equal(tide_retain_resync_block(sim.retain, 0x999000, &live), 1);
		tide_retain_resync_abort(sim.retain);
		assert_int_equal(tide_retain_live_bytes(sim.retain), 600);
		assert_int_equal(tide_retain_live_blocks(sim.retain), 3);
	}
	assert_ok(tide_retain_resync_begin(sim.retain));
	live_of(&a, &live);
	assert_int_equal(tide_retain_resync_block(sim.retain, a.addr, &live), 0);
	assert_ok(tide_retain_resync_end(sim.retain, sim.now_ns));
	assert_int_equal(tide_retain_live_bytes(sim.retain), 100);
	assert_int_equal(c.bytes, 300);
	sim_end(&sim);
}

/* Of an address that is met twice the later block counts, in whatever order they come. */
static void the_later_of_two_at_an_address_counts(void **state)
{
	struct tide_live_block newer = {100, 20, 1}, older = {70, 10, 1};
	struct sim sim;

	(void)state;
	for (int known = 0; known < 3; known++) {
		for (int order = 0; order < 2; order++) {
			struct sim_block block = {0x5000, known == 1 ? 70 : 100,
						  known == 1 ? 10 : 20, 1};
			struct tide_rec_block rec = sim_rec(&block, TIDE_REC_ALLOC, 30);

			sim_begin_opts(&sim, &(struct tide_retain_opts){.hold_ns = SEC,
									.max_sites = 9,
									.max_blocks = 9});
			if (known)
				assert_int_equal(tide_retain_alloc(sim.retain, &rec), 1);
			assert_ok(tide_retain_resync_begin(sim.retain));
			tide_retain_resync_block(sim.retain, 0x5000, order ? &newer : &older);
			tide_retain_resync_block(sim.retain, 0x5000, order ? &older : &newer);
			assert_ok(tide_retain_resync_end(sim.retain, 100));
			assert_int_equal(tide_retain_live_bytes(sim.retain), 100);
			assert_int_equal(tide_retain_live_blocks(sim.retain), 1);
			sim_end(&sim);
		}
	}
}

static void calls_out_of_order_are_refused(void **state)
{
	struct tide_live_block live = {1, 1, 1};
	struct sim sim;

	(void)state;
	sim_begin(&sim, SEC);
	assert_errno(tide_retain_resync_block(sim.retain, 0x1000, &live), EINVAL);
	assert_errno(tide_retain_resync_end(sim.retain, sim.now_ns), EINVAL);
	tide_retain_resync_abort(sim.retain);
	/* One that is still running goes with the core. */
	assert_ok(tide_retain_resync_begin(sim.retain));
	sim_end(&sim);
}

/* The series sees one change, not a trough and a peak. */
static void floor_and_peak_see_only_the_sum(void **state)
{
	struct sim_block blocks[100];
	struct tide_snapshot *snap;
	struct tide_live_block live;
	struct sim sim;

	(void)state;
	sim_begin(&sim, 10 * SEC);
	for (int i = 0; i < 100; i++)
		blocks[i] = sim_alloc(&sim, 1, 1 * MB);
	sim_wait(&sim, 30 * SEC);
	assert_ok(tide_retain_resync_begin(sim.retain));
	for (int i = 0; i < 100; i++) {
		blocks[i].birth_ns = sim.now_ns;
		live_of(&blocks[i], &live);
		assert_int_equal(tide_retain_resync_block(sim.retain, blocks[i].addr, &live), 1);
	}
	assert_ok(tide_retain_resync_end(sim.retain, sim.now_ns));
	snap = sim_snapshot(&sim);
	assert_int_equal(snap->sites[0].floor_bytes, 100 * MB);
	assert_int_equal(snap->sites[0].peak_bytes, 100 * MB);
	assert_int_equal(snap->sites[0].allocated_blocks, 200);
	assert_int_equal(snap->sites[0].freed_blocks, 100);
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

static void many_blocks_go_at_once(void **state)
{
	struct tide_live_block live;
	struct sim_block keep = {0};
	struct sim sim;

	(void)state;
	sim_begin(&sim, 10 * SEC);
	for (int i = 0; i < 50000; i++) {
		struct sim_block block = sim_alloc(&sim, 1 + (uint64_t)i % 700, 100);

		if (i == 12345)
			keep = block;
	}
	live_of(&keep, &live);
	assert_ok(tide_retain_resync_begin(sim.retain));
	assert_int_equal(tide_retain_resync_block(sim.retain, keep.addr, &live), 0);
	assert_ok(tide_retain_resync_end(sim.retain, sim.now_ns));
	assert_int_equal(tide_retain_live_blocks(sim.retain), 1);
	assert_int_equal(tide_retain_live_bytes(sim.retain), 100);
	sim_end(&sim);
}

static void max_blocks_holds_in_a_resync_too(void **state)
{
	struct tide_live_block live = {10, 5, 1};
	struct sim sim;
	int full = 0;

	(void)state;
	sim_begin_opts(&sim, &(struct tide_retain_opts){
				     .hold_ns = SEC, .max_sites = 10, .max_blocks = 50});
	for (int i = 0; i < 50; i++)
		sim_alloc(&sim, 1, 10);
	/* Fifty others: there is room for them when the old ones have gone. */
	assert_ok(tide_retain_resync_begin(sim.retain));
	for (uint64_t i = 0; i < 60; i++)
		full += tide_retain_resync_block(sim.retain, 0x100000 + i * 16, &live) == -ENOSPC;
	assert_ok(tide_retain_resync_end(sim.retain, sim.now_ns));
	assert_int_equal(full, 10);
	assert_int_equal(tide_retain_live_blocks(sim.retain), 50);
	assert_int_equal(tide_retain_live_bytes(sim.retain), 500);
	assert_int_equal(tide_retain_blocks_full_cnt(sim.retain), 10);
	sim_end(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abort_leaves_all_as_it_was),
		cmocka_unit_test(the_later_of_two_at_an_address_counts),
		cmocka_unit_test(calls_out_of_order_are_refused),
		cmocka_unit_test(floor_and_peak_see_only_the_sum),
		cmocka_unit_test(many_blocks_go_at_once),
		cmocka_unit_test(max_blocks_holds_in_a_resync_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
