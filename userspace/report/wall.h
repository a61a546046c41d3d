/* A snapshot's monotonic times on the wall clock.
 * Owns: nothing. Threads: pure. Memory: none.
 */
#ifndef TIDE_REPORT_WALL_H
#define TIDE_REPORT_WALL_H

#include <stdint.h>

#include "retain/snapshot.h"

/* CLOCK_REALTIME of a *_ns field; 0 for what would lie before 1970. */
static inline uint64_t tide_wall_ns(const struct tide_snapshot *snap, uint64_t monotonic_ns)
{
	int64_t offset = snap->wall_offset_ns;
	uint64_t magnitude = offset < 0 ? -(uint64_t)offset : (uint64_t)offset;

	if (offset < 0)
		return monotonic_ns > magnitude ? monotonic_ns - magnitude : 0;
	return monotonic_ns + magnitude;
}

/* How long before the end of the window; 0 for what lies after it. */
static inline uint64_t tide_age_ns(const struct tide_snapshot *snap, uint64_t monotonic_ns)
{
	return snap->end_ns > monotonic_ns ? snap->end_ns - monotonic_ns : 0;
}

#endif
