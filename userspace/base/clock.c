#include "base/clock.h"

#include <time.h>

#include "base/util.h"

static uint64_t read_clock_ns(clockid_t id)
{
	struct timespec ts = {};

	/* Cannot fail: both clocks exist since Linux 2.6 and the address is ours. */
	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * TIDE_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t tide_clock_monotonic_ns(void)
{
	return read_clock_ns(CLOCK_MONOTONIC);
}

uint64_t tide_clock_realtime_ns(void)
{
	return read_clock_ns(CLOCK_REALTIME);
}

int64_t tide_clock_wall_offset_ns(void)
{
	uint64_t before, real, after;

	/* The middle of two monotonic readings: an interrupt between the two clocks costs half of
	 * its length instead of all of it.
	 */
	before = tide_clock_monotonic_ns();
	real = tide_clock_realtime_ns();
	after = tide_clock_monotonic_ns();
	return (int64_t)(real - (before + (after - before) / 2));
}
