/* Records of the ring, checked before anything uses them.
 *
 * Owns: nothing; pure, fuzzed. Never: trusts a length, a type or an address because it came from
 * our own program: the next version of either side is a stranger.
 * Threads: pure. Memory: none.
 */
#ifndef TIDE_PROBE_RECORD_H
#define TIDE_PROBE_RECORD_H

#include <stddef.h>

#include "bpf/abi/event.h"

/* True when data holds one whole, plausible record of a known type. data is 8-byte aligned. */
_Bool tide_record_valid(const void *data, size_t size_bytes);

#endif
