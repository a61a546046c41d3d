#include "scenario.h"

#include "retain/verdict.h"

/* --- high-water ------------------------------------------------------------------------- */

static void table_that_grew_once(void **state)
{
	struct sim sim;
	struct sim_block old, table;

	(void)state;
	settle(&sim);
	old = sim_alloc(&sim, SITE, 150 * MB);
	sim_wait(&sim, 4 * HOLD);
	table = sim_alloc(&sim, SITE, 960 * MB);
	sim_free(&sim, &old);
	sim_wait(&sim, 3 * SEC);
	assert_verdict(&sim, SITE, "steady");
	sim_wait(&sim, 2 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	sim_wait(&sim, 200 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	assert_int_equal(table.bytes, 960 * MB);
	sim_end(&sim);
}

static void table_that_grew_by_realloc(void **state)
{
	struct sim sim;
	struct sim_block table;

	(void)state;
	sim_begin(&sim, HOLD);
	table = sim_alloc(&sim, SITE, 1 * MB);
	sim_wait(&sim, 4 * HOLD);
	for (int i = 0; i < 6; i++) {
		sim_wait(&sim, 100 * MS);
		sim_realloc(&sim, &table, table.bytes * 2);
	}
	sim_wait(&sim, 2 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	assert_int_equal(ratchets_of(&sim, SITE), 1);
	sim_end(&sim);
}

static void pool_that_stayed_large(void **state)
{
	struct sim sim;

	(void)state;
	settle(&sim);
	for (int i = 0; i < 10; i++)
		sim_alloc(&sim, SITE, 256 * KB);
	sim_wait(&sim, 5 * HOLD);
	for (int i = 0; i < 190; i++) {
		sim_alloc(&sim, SITE, 256 * KB);
		sim_wait(&sim, HOLD / 40);
	}
	sim_wait(&sim, 4 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	sim_end(&sim);
}

static void retry_buffer_after_backlog(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));
	struct sim_block buffer;

	(void)state;
	settle(&sim);
	buffer = sim_alloc(&sim, SITE, 64 * KB);
	sim_wait(&sim, 4 * HOLD);
	for (int i = 0; i < 400; i++) {
		push(&sim, q, SITE + 1, 32 * KB);
		if (q->cnt * 64 * KB > buffer.bytes)
			sim_realloc(&sim, &buffer, buffer.bytes * 2);
		sim_wait(&sim, HOLD / 200);
	}
	while (q->cnt)
		pop(&sim, q);
	sim_wait(&sim, 3 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	assert_verdict(&sim, SITE + 1, "released");
	sim_end(&sim);
	free(q);
}

/* A site that did not exist before, in a process that had come to rest. */
static void late_site_that_stayed(void **state)
{
	struct sim sim;

	(void)state;
	settle(&sim);
	sim_alloc(&sim, SITE, 100 * MB);
	sim_wait(&sim, HOLD / 2);
	assert_verdict(&sim, SITE, "steady");
	sim_wait(&sim, 2 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	sim_end(&sim);
}

static void ratchet_twice(void **state)
{
	struct sim sim;
	struct sim_block table;

	(void)state;
	settle(&sim);
	table = sim_alloc(&sim, SITE, 100 * MB);
	sim_wait(&sim, 6 * HOLD);
	sim_realloc(&sim, &table, 300 * MB);
	sim_wait(&sim, 6 * HOLD);
	sim_realloc(&sim, &table, 600 * MB);
	sim_wait(&sim, 6 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	assert_int_equal(ratchets_of(&sim, SITE), 3);
	sim_end(&sim);
}

/* Traffic goes on above the level that stayed. */
static void step_under_cycles(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int cycle = 0; cycle < 60; cycle++) {
		if (cycle == 0)
			sim_alloc(&sim, SITE, 10 * MB);
		if (cycle == 30)
			sim_alloc(&sim, SITE, 50 * MB);
		for (int i = 0; i < 50; i++) {
			push(&sim, q, SITE, 200 * KB);
			sim_wait(&sim, SEC / 100);
		}
		while (q->cnt)
			pop(&sim, q);
		sim_wait(&sim, SEC / 2);
	}
	assert_verdict(&sim, SITE, "high-water");
	assert_int_equal(ratchets_of(&sim, SITE), 2);
	sim_end(&sim);
	free(q);
}

/* --- not high-water ---------------------------------------------------------------------- */

static void step_at_start(void **state)
{
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_wait(&sim, SEC);
	sim_alloc(&sim, SITE, 500 * MB);
	sim_wait(&sim, HOLD);
	assert_verdict(&sim, SITE, "steady");
	sim_wait(&sim, 50 * HOLD);
	assert_verdict(&sim, SITE, "steady");
	assert_int_equal(ratchets_of(&sim, SITE), 0);
	sim_end(&sim);
}

static void loading_for_several_holds(void **state)
{
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	for (int i = 0; i < 500; i++) {
		sim_alloc(&sim, SITE, 1 * MB);
		sim_wait(&sim, HOLD / 100);
	}
	sim_wait(&sim, 4 * HOLD);
	assert_verdict(&sim, SITE, "steady");
	assert_int_equal(ratchets_of(&sim, SITE), 0);
	sim_end(&sim);
}

static void lru_turning_over_at_its_cap(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int i = 0; i < 6000; i++) {
		push(&sim, q, SITE, 100 * KB);
		if (q->cnt > 1000)
			pop(&sim, q);
		sim_wait(&sim, HOLD / 400);
	}
	assert_verdict(&sim, SITE, "steady");
	sim_end(&sim);
	free(q);
}

static void pool_in_use(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int i = 0; i < 10; i++)
		push(&sim, q, SITE, 256 * KB);
	sim_wait(&sim, 5 * HOLD);
	for (int i = 0; i < 190; i++)
		push(&sim, q, SITE, 256 * KB);
	for (int i = 0; i < 2000; i++) {
		pop(&sim, q);
		push(&sim, q, SITE, 256 * KB);
		sim_wait(&sim, HOLD / 100);
	}
	assert_verdict(&sim, SITE, "steady");
	sim_end(&sim);
	free(q);
}

/* Up for three hold times, down for five, again and again. */
static void slow_square_wave(void **state)
{
	struct sim sim;
	struct sim_block block;

	(void)state;
	settle(&sim);
	for (int i = 0; i < 5; i++) {
		block = sim_alloc(&sim, SITE, 50 * MB);
		sim_wait(&sim, 3 * HOLD);
		if (i == 4)
			break;
		sim_free(&sim, &block);
		sim_wait(&sim, 5 * HOLD);
	}
	assert_verdict(&sim, SITE, "steady");
	/* This time it does not go. */
	sim_wait(&sim, 6 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	sim_end(&sim);
}

static void small_step(void **state)
{
	struct sim sim;

	(void)state;
	settle(&sim);
	sim_alloc(&sim, SITE, 100 * MB);
	sim_alloc(&sim, SITE + 1, 10 * KB);
	sim_wait(&sim, 5 * HOLD);
	sim_alloc(&sim, SITE + 1, 40 * KB);
	sim_wait(&sim, 5 * HOLD);
	assert_verdict(&sim, SITE + 1, "steady");
	sim_end(&sim);
}

/* Entries live for ten hold times: at first nearly all of it is as old as the rise. */
static void lru_turning_over_slowly(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int i = 0; i < 1000; i++)
		push(&sim, q, SITE, 100 * KB);
	for (int i = 0; i < 3000; i++) {
		pop(&sim, q);
		push(&sim, q, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 100);
		if (i > 170 && i % 10 == 0)
			assert_verdict(&sim, SITE, "steady");
	}
	sim_end(&sim);
	free(q);
}

/* Before there are windows enough to call it growing it is nothing yet. */
static void rising_since_a_short_time(void **state)
{
	struct sim sim;

	(void)state;
	settle(&sim);
	for (int i = 0; i < 60; i++) {
		sim_alloc(&sim, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 20);
		assert_int_not_equal(verdict_of(&sim, SITE, __func__), TIDE_VERDICT_HIGH_WATER);
	}
	sim_end(&sim);
}

/* What a process allocates first is its warm-up, however late it begins. */
static void sleeping_before_it_loads(void **state)
{
	(void)state;
	for (int from_first = 0; from_first < 2; from_first++) {
		struct sim sim;

		sim_begin_opts(&sim, &(struct tide_retain_opts){.hold_ns = HOLD,
								.max_sites = 10,
								.max_blocks = 10,
								.from_first = from_first});
		sim_alloc(&sim, NONE, 10 * KB);
		sim_wait(&sim, 5 * HOLD);
		sim_alloc(&sim, SITE, 500 * MB);
		sim_wait(&sim, 3 * HOLD);
		assert_verdict(&sim, SITE, from_first ? "steady" : "high-water");
		sim_end(&sim);
	}
}

/* --- the demo, and sessions that are too short --------------------------------------------- */

static void demo_cycle(struct sim *sim, struct queue *q, struct sim_block *table, int records)
{
	for (int i = 0; i < records; i++) {
		push(sim, q, SITE + 1, 40 * KB);
		if (q->cnt * 4 * KB > table->bytes) {
			struct sim_block old = *table;

			*table = sim_alloc(sim, SITE, old.bytes * 2);
			sim_free(sim, &old);
		}
		sim_wait(sim, SEC / 2 / (uint64_t)records);
	}
	sim_wait(sim, SEC / 4);
	while (q->cnt)
		pop(sim, q);
	sim_wait(sim, SEC / 4);
}

static void demo_in_seconds(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));
	struct sim_block table;

	(void)state;
	sim_begin(&sim, 2 * SEC);
	table = sim_alloc(&sim, SITE, 64 * KB);
	for (int cycle = 0; cycle < 20; cycle++) {
		demo_cycle(&sim, q, &table, cycle == 8 ? 600 : 100);
		assert_int_not_equal(verdict_of(&sim, SITE + 1, __func__), TIDE_VERDICT_GROWING);
		assert_int_not_equal(verdict_of(&sim, SITE + 1, __func__), TIDE_VERDICT_HIGH_WATER);
		if (cycle < 8)
			assert_verdict(&sim, SITE, "steady");
		if (cycle > 11)
			assert_verdict(&sim, SITE, "high-water");
	}
	assert_int_equal(ratchets_of(&sim, SITE), 1);
	assert_int_equal(ratchets_of(&sim, SITE + 1), 0);
	sim_end(&sim);
	free(q);
}

/* Attached in the middle: the table is not known until it grows. */
static void demo_attached_late(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));
	struct sim_block table = {.bytes = 512 * KB};

	(void)state;
	sim_begin_opts(&sim, &(struct tide_retain_opts){.start_ns = 77 * SEC,
							.hold_ns = 2 * SEC,
							.max_sites = 10,
							.max_blocks = 100000});
	for (int cycle = 0; cycle < 16; cycle++) {
		if (cycle == 6)
			table = sim_alloc(&sim, SITE, 512 * KB);
		demo_cycle(&sim, q, &table, cycle == 6 ? 600 : 100);
		assert_int_not_equal(verdict_of(&sim, SITE + 1, __func__), TIDE_VERDICT_GROWING);
		assert_int_not_equal(verdict_of(&sim, SITE + 1, __func__), TIDE_VERDICT_HIGH_WATER);
	}
	assert_verdict(&sim, SITE, "high-water");
	assert_int_equal(ratchets_of(&sim, SITE), 1);
	sim_end(&sim);
	free(q);
}

static void too_early(void **state)
{
	struct tide_snapshot *snap;
	struct sim sim;

	(void)state;
	sim_begin(&sim, 300 * SEC);
	for (int i = 0; i < 60; i++) {
		sim_alloc(&sim, SITE, 10 * MB);
		sim_wait(&sim, SEC);
	}
	snap = sim_snapshot(&sim);
	assert_int_equal(sim_site(snap, SITE)->verdict, TIDE_VERDICT_STEADY);
	assert_non_null(strstr(sim_site(snap, SITE)->why, "too early to tell"));
	tide_snapshot_free(&snap);
	sim_end(&sim);
}

/* --- the table itself -------------------------------------------------------------------- */

static void sentences_fit(void **state)
{
	struct tide_figures f = {
		.now_ns = UINT64_MAX,
		.hold_ns = UINT64_MAX / 4,
		.live_bytes = UINT64_MAX,
		.live_blocks = UINT64_MAX,
		.floor_bytes = UINT64_MAX,
		.kept_bytes = UINT64_MAX,
		.held_bytes = UINT64_MAX / 2,
		.peak_bytes = UINT64_MAX,
		.rise = {UINT32_MAX, 1, UINT64_MAX, 1, {1, UINT64_MAX / 2, UINT64_MAX}, true, 0},
		.last_free_ns = 1,
	};
	char why[TIDE_WHY_SZ];

	(void)state;
	assert_int_equal(tide_verdict_decide(&f, why), TIDE_VERDICT_HIGH_WATER);
	assert_true(strlen(why) < TIDE_WHY_SZ - 1);
	f.rise.cnt = 0;
	assert_int_equal(tide_verdict_decide(&f, why), TIDE_VERDICT_STEADY);
	f.trend = (struct tide_trend){
		.growing = true,
		.window_cnt = UINT32_MAX,
		.window_ns = UINT64_MAX / 8,
		.from_bytes = UINT64_MAX / 2,
		.to_bytes = UINT64_MAX,
	};
	assert_int_equal(tide_verdict_decide(&f, why), TIDE_VERDICT_GROWING);
	assert_true(strlen(why) < TIDE_WHY_SZ - 1);
}

static void sentence_quotes_the_evidence(void **state)
{
	struct tide_figures f = {
		.now_ns = 100 * SEC,
		.hold_ns = 10 * SEC,
		.live_bytes = 960 * MB,
		.live_blocks = 1,
		.floor_bytes = 960 * MB,
		.kept_bytes = 960 * MB,
		.held_bytes = 960 * MB,
		.peak_bytes = 1110 * MB,
		.rise = {1, 150 * MB, 960 * MB, 88 * SEC, {88 * SEC, 150 * MB, 960 * MB}, true, 0},
		.last_free_ns = 60 * SEC,
	};
	char why[TIDE_WHY_SZ];

	(void)state;
	tide_verdict_decide(&f, why);
	assert_string_equal(why, "rose from 150 MB to 960 MB in one step 12 s ago and has not come "
				 "down since; nothing was freed there for 40 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_that_grew_once),
		cmocka_unit_test(table_that_grew_by_realloc),
		cmocka_unit_test(pool_that_stayed_large),
		cmocka_unit_test(retry_buffer_after_backlog),
		cmocka_unit_test(late_site_that_stayed),
		cmocka_unit_test(ratchet_twice),
		cmocka_unit_test(step_under_cycles),
		cmocka_unit_test(step_at_start),
		cmocka_unit_test(loading_for_several_holds),
		cmocka_unit_test(lru_turning_over_at_its_cap),
		cmocka_unit_test(pool_in_use),
		cmocka_unit_test(slow_square_wave),
		cmocka_unit_test(small_step),
		cmocka_unit_test(lru_turning_over_slowly),
		cmocka_unit_test(rising_since_a_short_time),
		cmocka_unit_test(sleeping_before_it_loads),
		cmocka_unit_test(demo_in_seconds),
		cmocka_unit_test(demo_attached_late),
		cmocka_unit_test(too_early),
		cmocka_unit_test(sentences_fit),
		cmocka_unit_test(sentence_quotes_the_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
