/* The clocks, read in one place. Monotonic is CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns.
 * Owns: nothing. Threads: any. Memory: none. Never used by retain/.
 */
#ifndef TIDE_BASE_CLOCK_H
#define TIDE_BASE_CLOCK_H

#include <stdint.h>

uint64_t tide_clock_monotonic_ns(void);
uint64_t tide_clock_realtime_ns(void);
/* CLOCK_REALTIME - CLOCK_MONOTONIC, at the moment of the call. */
int64_t tide_clock_wall_offset_ns(void);

#endif
