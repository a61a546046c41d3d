/* Where the floor of a series is going.
 *
 * Owns: nothing; reads a series. Threads: pure. Memory: none.
 */
#ifndef TIDE_RETAIN_TREND_H
#define TIDE_RETAIN_TREND_H

#include <stdbool.h>
#include <stdint.h>

#include "retain/series.h"

struct tide_trend {
	bool growing;  /* the floor rose window after window, and still does */
	bool climbing; /* the last rise is young, and the level is already above the floor */
	bool falling;  /* the floor is below what it was a few hold times ago */
	/* How long it was above the middle of the present rise once before, and came down again. */
	uint64_t earlier_high_ns;
	/* If growing: consecutive windows, each with a higher floor than the one before. */
	uint32_t window_cnt;
	uint64_t window_ns;
	uint64_t from_bytes, to_bytes; /* floors of the first and of the last of them */
};

/* The series must have been advanced to now; rise is what tide_rise_read() says of it. */
void tide_trend_read(const struct tide_series *s, const struct tide_series_cfg *cfg,
		     const struct tide_rise *rise, struct tide_trend *ret);

#endif
