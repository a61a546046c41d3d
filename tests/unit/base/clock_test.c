#include "base/clock.h"

#include <time.h>

#include "base/util.h"
#include "harness/test.h"

static uint64_t now_ns(clockid_t id)
{
	struct timespec ts;

	assert_ok(clock_gettime(id, &ts));
	return (uint64_t)ts.tv_sec * TIDE_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void monotonic_is_the_kernels(void **state)
{
	uint64_t before = now_ns(CLOCK_MONOTONIC);
	uint64_t ours = tide_clock_monotonic_ns();
	uint64_t after = now_ns(CLOCK_MONOTONIC);

	(void)state;
	assert_in_range(ours, before, after);
}

static void realtime_is_a_date(void **state)
{
	(void)state;
	/* 2020-01-01: what no uptime reaches, so the clocks cannot have been mixed up. */
	assert_true(tide_clock_realtime_ns() > 1577836800 * TIDE_NS_PER_SEC);
}

static void offset_turns_one_into_the_other(void **state)
{
	uint64_t mono = tide_clock_monotonic_ns();
	uint64_t real = tide_clock_realtime_ns();
	int64_t error_ns = tide_clock_wall_offset_ns() - (int64_t)(real - mono);

	(void)state;
	/* An hour is far more than a slow machine or a clock step in between; a wrong sign or unit
	 * is off by decades.
	 */
	assert_in_range(llabs(error_ns), 0, 3600 * TIDE_NS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic_is_the_kernels),
		cmocka_unit_test(realtime_is_a_date),
		cmocka_unit_test(offset_turns_one_into_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
