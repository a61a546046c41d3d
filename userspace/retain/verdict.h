/* The verdict of a site, from its figures alone.
 *
 * Owns: the definitions of high-water, growing, steady and released, and the sentence that
 * says why. Never: blocks, series, clocks: figures in, verdict out.
 * Threads: pure. Memory: none; the sentence goes into the caller's buffer.
 */
#ifndef TIDE_RETAIN_VERDICT_H
#define TIDE_RETAIN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "retain/snapshot.h"
#include "retain/trend.h"

#define TIDE_WHY_SZ 320

/* All a verdict may look at. Times are CLOCK_MONOTONIC. */
struct tide_figures {
	uint64_t now_ns, start_ns, hold_ns;
	uint64_t first_ns; /* first block of the site */
	uint64_t live_bytes, live_blocks, floor_bytes, held_bytes;
	uint64_t kept_bytes; /* in blocks born before the rise was over */
	uint64_t peak_bytes, peak_ns;
	uint64_t last_free_ns;	 /* 0: nothing was ever freed */
	uint64_t level_since_ns; /* the floor has been where it is since */
	/* Times it came down from half its peak or more to a quarter or less. */
	uint32_t swing_cnt;
	bool high; /* now at half its peak or more */
	uint64_t high_since_ns, longest_high_ns, last_swing_ns;
	struct tide_trend trend;
	struct tide_rise rise;
};

/* Decides, and writes one sentence without a full stop. */
enum tide_verdict tide_verdict_decide(const struct tide_figures *f, char why[static TIDE_WHY_SZ]);

#endif
