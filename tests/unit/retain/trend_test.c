#include "sim.h"

#include "retain/trend.h"

#define START (1000 * SEC)
#define HOLD  (16 * SEC)

/* The level after i quarters of a hold time. */
typedef uint64_t (*shape_fn)(uint64_t i);

static struct tide_trend trend_of(shape_fn shape, uint64_t quarters)
{
	struct tide_series_cfg cfg;
	struct tide_trend trend;
	struct tide_series s;
	struct tide_rise rise;

	tide_series_cfg_init(&cfg, START, HOLD);
	tide_series_init(&s, &cfg, START);
	for (uint64_t i = 0; i < quarters; i++)
		tide_series_set(&s, &cfg, START + i * HOLD / 4 + 1, shape(i));
	tide_series_advance(&s, &cfg, START + quarters * HOLD / 4);
	tide_rise_read(&s, &cfg, &rise);
	tide_trend_read(&s, &cfg, &rise, &trend);
	return trend;
}

static uint64_t flat(uint64_t i)
{
	(void)i;
	return 50 * MB;
}

static uint64_t ramp(uint64_t i)
{
	return (10 + i) * MB;
}

static uint64_t ramp_then_flat(uint64_t i)
{
	return ramp(i < 60 ? i : 60);
}

static uint64_t flat_then_down(uint64_t i)
{
	return i < 60 ? 80 * MB : (140 - i) * MB;
}

/* 3 KB a quarter on 100 MB, hidden in cycles of nine quarters and 50 MB. */
static uint64_t hidden_leak(uint64_t i)
{
	return 100 * MB + i * 30 * KB + i % 9 * 5 * MB;
}

static uint64_t hidden_nothing(uint64_t i)
{
	return 100 * MB + i % 9 * 5 * MB;
}

static uint64_t one_step(uint64_t i)
{
	return i < 50 ? 50 * MB : 200 * MB;
}

static uint64_t tiny_ramp(uint64_t i)
{
	return i * 100;
}

/* Small rises before and after one great step. */
static uint64_t mostly_one_step(uint64_t i)
{
	return (i < 34 ? 50 * MB : 200 * MB) + i * 100 * KB;
}

static uint64_t ramp_then_gone(uint64_t i)
{
	return i < 39 ? ramp(i) : 1 * MB;
}

static void ramps_grow(void **state)
{
	struct tide_trend trend = trend_of(ramp, 40);

	(void)state;
	assert_true(trend.growing);
	assert_int_equal(trend.window_ns, HOLD);
	assert_int_equal(trend.window_cnt, 4);
	assert_int_equal(trend.to_bytes - trend.from_bytes, 12 * MB);
	assert_true(trend_of(ramp_then_flat, 61).growing);
}

static void a_leak_shows_beneath_its_cycles(void **state)
{
	struct tide_trend trend = trend_of(hidden_leak, 1600);

	(void)state;
	assert_true(trend.growing);
	assert_true(trend.window_ns > 2 * HOLD);
	for (uint64_t i = 0; i < 40; i++)
		assert_false(trend_of(hidden_nothing, 1600 + i).growing);
}

static void nothing_else_grows(void **state)
{
	(void)state;
	for (uint64_t i = 8; i < 300; i += 7) {
		assert_false(trend_of(flat, i).growing);
		assert_false(trend_of(one_step, i).growing);
		assert_false(trend_of(tiny_ramp, i).growing);
		if (i < 50)
			assert_false(trend_of(mostly_one_step, i).growing);
		if (i > 70)
			assert_false(trend_of(ramp_then_flat, i).growing);
	}
}

static void what_has_gone_does_not_grow(void **state)
{
	(void)state;
	assert_true(trend_of(ramp_then_gone, 39).growing);
	assert_false(trend_of(ramp_then_gone, 40).growing);
}

/* Three hold times are not enough to say so. */
static void growth_needs_windows(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 16; i++)
		assert_false(trend_of(ramp, i).growing);
}

static void falling_and_climbing(void **state)
{
	(void)state;
	assert_true(trend_of(flat_then_down, 75).falling);
	assert_false(trend_of(flat_then_down, 59).falling);
	assert_false(trend_of(ramp, 40).falling);
	assert_true(trend_of(ramp, 20).climbing);
	assert_false(trend_of(ramp_then_flat, 80).climbing);
}

static uint64_t twice(uint64_t i)
{
	return i < 20 || (i >= 120 && i < 160) ? 10 * MB : 90 * MB;
}

static void it_remembers_how_long_it_was_up_before(void **state)
{
	(void)state;
	assert_int_equal(trend_of(twice, 110).earlier_high_ns, 0);
	assert_in_range(trend_of(twice, 180).earlier_high_ns, 20 * HOLD, 25 * HOLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ramps_grow),
		cmocka_unit_test(a_leak_shows_beneath_its_cycles),
		cmocka_unit_test(nothing_else_grows),
		cmocka_unit_test(what_has_gone_does_not_grow),
		cmocka_unit_test(growth_needs_windows),
		cmocka_unit_test(falling_and_climbing),
		cmocka_unit_test(it_remembers_how_long_it_was_up_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
