/* Verdicts, continued from verdict_test.c: growing, and what only looks like it; released. */
#include "scenario.h"

/* --- growing ----------------------------------------------------------------------------- */

static void plain_leak(void **state)
{
	struct sim sim;

	(void)state;
	settle(&sim);
	for (int i = 0; i < 200; i++) {
		sim_alloc(&sim, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 20);
	}
	assert_verdict(&sim, SITE, "growing");
	sim_end(&sim);
}

static void leak_from_the_start(void **state)
{
	struct sim sim;

	(void)state;
	sim_begin(&sim, HOLD);
	for (int i = 0; i < 150; i++) {
		sim_alloc(&sim, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 20);
	}
	assert_verdict(&sim, SITE, "growing");
	sim_end(&sim);
}

static void cycle_with_leak(struct sim *sim, struct queue *q, uint64_t peak_cnt, uint64_t period_ns)
{
	for (uint64_t i = 0; i < peak_cnt; i++) {
		push(sim, q, SITE, 100 * KB);
		sim_wait(sim, period_ns / 2 / peak_cnt);
	}
	while (q->cnt > 1) {
		pop(sim, q);
		sim_wait(sim, period_ns / 2 / peak_cnt);
	}
	/* One that is never freed. */
	q->cnt = 0;
	q->head++;
}

static void slow_leak_under_short_cycles(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int i = 0; i < 300; i++)
		cycle_with_leak(&sim, q, 100, HOLD / 5);
	assert_verdict(&sim, SITE, "growing");
	sim_end(&sim);
	free(q);
}

static void slow_leak_under_long_cycles(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int i = 0; i < 80; i++)
		cycle_with_leak(&sim, q, 50, 5 * HOLD);
	assert_verdict(&sim, SITE, "growing");
	sim_end(&sim);
	free(q);
}

static void vector_growing_by_realloc(void **state)
{
	struct sim sim;
	struct sim_block vector;

	(void)state;
	settle(&sim);
	vector = sim_alloc(&sim, SITE, 1 * MB);
	for (int i = 0; i < 100; i++) {
		sim_realloc(&sim, &vector, vector.bytes + 200 * KB);
		sim_wait(&sim, HOLD / 10);
	}
	assert_verdict(&sim, SITE, "growing");
	sim_end(&sim);
}

static void leak_after_a_spike(void **state)
{
	struct sim sim;
	struct sim_block spike;

	(void)state;
	settle(&sim);
	sim_alloc(&sim, SITE, 10 * MB);
	sim_wait(&sim, 2 * HOLD);
	spike = sim_alloc(&sim, SITE, 500 * MB);
	sim_wait(&sim, HOLD / 2);
	sim_free(&sim, &spike);
	for (int i = 0; i < 400; i++) {
		sim_alloc(&sim, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 20);
	}
	assert_verdict(&sim, SITE, "growing");
	sim_end(&sim);
}

static void staircase(void **state)
{
	struct sim sim;

	(void)state;
	settle(&sim);
	for (int i = 0; i < 16; i++) {
		sim_alloc(&sim, SITE, 10 * MB);
		sim_wait(&sim, 3 * HOLD / 2);
	}
	assert_verdict(&sim, SITE, "growing");
	sim_end(&sim);
}

/* --- not growing ------------------------------------------------------------------------- */

static void growth_that_stops(void **state)
{
	struct sim sim;

	(void)state;
	settle(&sim);
	for (int i = 0; i < 200; i++) {
		sim_alloc(&sim, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 20);
	}
	assert_verdict(&sim, SITE, "growing");
	sim_wait(&sim, 3 * HOLD);
	/* It came, nobody uses it, it stays. */
	assert_verdict(&sim, SITE, "high-water");
	sim_wait(&sim, 100 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	sim_end(&sim);
}

static void cache_that_fills_up_and_turns_over(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	sim_begin(&sim, HOLD);
	for (int i = 0; i < 4000; i++) {
		push(&sim, q, SITE, 100 * KB);
		if (q->cnt > 1000)
			pop(&sim, q);
		sim_wait(&sim, HOLD / 100);
		if (i == 900)
			assert_verdict(&sim, SITE, "growing");
		if (i == 1400)
			assert_verdict(&sim, SITE, "steady");
	}
	assert_verdict(&sim, SITE, "steady");
	sim_end(&sim);
	free(q);
}

static void sawtooth(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int cycle = 0; cycle < 40; cycle++) {
		for (int i = 0; i < 100; i++) {
			push(&sim, q, SITE, 100 * KB);
			sim_wait(&sim, HOLD / 300);
		}
		while (q->cnt)
			pop(&sim, q);
		assert_int_not_equal(verdict_of(&sim, SITE, __func__), TIDE_VERDICT_GROWING);
		assert_int_not_equal(verdict_of(&sim, SITE, __func__), TIDE_VERDICT_HIGH_WATER);
	}
	sim_end(&sim);
	free(q);
}

/* A day and a night: fifty hold times of rising, fifty of falling. Only the first day may look
 * like growth.
 */
static void daily_tide(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	settle(&sim);
	for (int day = 0; day < 4; day++) {
		for (int i = 0; i < 1000; i++) {
			push(&sim, q, SITE, 100 * KB);
			sim_wait(&sim, HOLD / 20);
			if (day && i % 20 == 0) {
				assert_int_not_equal(verdict_of(&sim, SITE, __func__),
						     TIDE_VERDICT_GROWING);
				assert_int_not_equal(verdict_of(&sim, SITE, __func__),
						     TIDE_VERDICT_HIGH_WATER);
			}
		}
		for (int i = 0; i < 1000; i++) {
			pop(&sim, q);
			sim_wait(&sim, HOLD / 20);
			if (i % 20 == 0 && i > 60)
				assert_int_not_equal(verdict_of(&sim, SITE, __func__),
						     TIDE_VERDICT_GROWING);
		}
	}
	sim_end(&sim);
	free(q);
}

static void noise_around_a_level(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));
	uint32_t seed = 12345;

	(void)state;
	settle(&sim);
	for (int i = 0; i < 500; i++)
		push(&sim, q, SITE, 100 * KB);
	for (int i = 0; i < 6000; i++) {
		seed = seed * 1664525 + 1013904223;
		/* Drawn back to the level, so that it is noise and not a walk. */
		if ((int)(seed >> 22) < 512 + ((int)q->cnt - 500) * 4 && q->cnt)
			pop(&sim, q);
		else
			push(&sim, q, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 30);
		if (i % 20 == 0 && i > 1000) {
			assert_int_not_equal(verdict_of(&sim, SITE, __func__),
					     TIDE_VERDICT_GROWING);
			assert_int_not_equal(verdict_of(&sim, SITE, __func__),
					     TIDE_VERDICT_HIGH_WATER);
		}
	}
	sim_end(&sim);
	free(q);
}

/* --- released ---------------------------------------------------------------------------- */

static void spike_that_is_released(void **state)
{
	struct sim sim;
	struct sim_block base, spike;

	(void)state;
	sim_begin(&sim, HOLD);
	base = sim_alloc(&sim, SITE, 10 * MB);
	sim_wait(&sim, 3 * HOLD);
	spike = sim_alloc(&sim, SITE, 90 * MB);
	sim_wait(&sim, HOLD / 2);
	sim_free(&sim, &spike);
	assert_verdict(&sim, SITE, "released");
	sim_wait(&sim, 50 * HOLD);
	/* What was there before the spike is not its legacy. */
	assert_verdict(&sim, SITE, "released");
	assert_int_equal(base.bytes, 10 * MB);
	sim_end(&sim);
}

static void everything_is_released(void **state)
{
	struct sim sim;
	struct queue *q = calloc(1, sizeof(*q));

	(void)state;
	sim_begin(&sim, HOLD);
	for (int i = 0; i < 1000; i++) {
		push(&sim, q, SITE, 100 * KB);
		sim_wait(&sim, HOLD / 100);
	}
	while (q->cnt) {
		pop(&sim, q);
		sim_wait(&sim, HOLD / 100);
	}
	assert_verdict(&sim, SITE, "released");
	sim_end(&sim);
	free(q);
}

static void release_after_a_ratchet(void **state)
{
	struct sim sim;
	struct sim_block table;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_alloc(&sim, SITE, 10 * MB);
	sim_wait(&sim, 3 * HOLD);
	table = sim_alloc(&sim, SITE, 400 * MB);
	sim_wait(&sim, 3 * HOLD);
	assert_verdict(&sim, SITE, "high-water");
	assert_int_equal(ratchets_of(&sim, SITE), 1);
	sim_free(&sim, &table);
	sim_wait(&sim, 1 * SEC);
	assert_verdict(&sim, SITE, "released");
	assert_int_equal(ratchets_of(&sim, SITE), 1);
	sim_end(&sim);
}

/* Not released: a part went, most of it did not. */
static void partly_released(void **state)
{
	struct sim sim;
	struct sim_block part;

	(void)state;
	sim_begin(&sim, HOLD);
	sim_alloc(&sim, SITE, 100 * MB);
	part = sim_alloc(&sim, SITE, 100 * MB);
	sim_wait(&sim, 3 * HOLD);
	sim_free(&sim, &part);
	sim_wait(&sim, 3 * HOLD);
	assert_verdict(&sim, SITE, "steady");
	sim_end(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_leak),
		cmocka_unit_test(leak_from_the_start),
		cmocka_unit_test(slow_leak_under_short_cycles),
		cmocka_unit_test(slow_leak_under_long_cycles),
		cmocka_unit_test(vector_growing_by_realloc),
		cmocka_unit_test(leak_after_a_spike),
		cmocka_unit_test(staircase),
		cmocka_unit_test(growth_that_stops),
		cmocka_unit_test(cache_that_fills_up_and_turns_over),
		cmocka_unit_test(sawtooth),
		cmocka_unit_test(daily_tide),
		cmocka_unit_test(noise_around_a_level),
		cmocka_unit_test(spike_that_is_released),
		cmocka_unit_test(everything_is_released),
		cmocka_unit_test(release_after_a_ratchet),
		cmocka_unit_test(partly_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
