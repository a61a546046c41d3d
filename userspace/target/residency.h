/* What of a process is in RAM, by page and by kind.
 *
 * Owns: a bitmap of present pages of the anonymous writable mappings (from /proc/PID/pagemap)
 * and the sums of /proc/PID/smaps by kind. Never: touches the target's pages.
 * Threads: one user at a time; immutable after reading, then readable from any thread.
 * Memory: one bit a page of mapped anonymous memory, at most TIDE_RESIDENCY_MAX_BYTES; beyond
 * it the rest counts as not known and truncated is set.
 */
#ifndef TIDE_TARGET_RESIDENCY_H
#define TIDE_TARGET_RESIDENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/proc.h"

#define TIDE_RESIDENCY_MAX_BYTES (64u << 20)

/* Sums over smaps, bytes. They add up to rss_bytes. */
struct tide_rss {
	uint64_t rss_bytes;
	uint64_t peak_rss_bytes; /* VmHWM, at least rss_bytes */
	uint64_t heap_bytes;	 /* [heap] (brk) */
	uint64_t stack_bytes;	 /* [stack] */
	uint64_t file_bytes;  /* private or shared file mappings, their private copies included */
	uint64_t shmem_bytes; /* shared anonymous memory, tmpfs, memfd */
	uint64_t anon_bytes;  /* other anonymous mappings */
	uint64_t other_bytes; /* vdso and the like */
};

struct tide_residency;

/* Parses one "Key:   123 kB" line of smaps. Pure. 0, or -EINVAL for any other line. */
int tide_smaps_parse_kb(const char *line, const char *key, uint64_t *ret_bytes);

/* Reads everything. 0 or -errno (-ESRCH: gone). Huge pages count as present base pages; swapped
 * pages are not present.
 */
int tide_residency_read(const struct tide_proc *proc, struct tide_residency **ret,
			struct tide_rss *ret_rss);
void tide_residency_free(struct tide_residency **res);
/* True when TIDE_RESIDENCY_MAX_BYTES did not suffice: pages left out count as not resident. */
bool tide_residency_truncated(const struct tide_residency *res);
/* Resident bytes of [addr, addr+bytes): a page counts with the share that the range covers.
 * Matches tide_resident_fn (retain/retain.h): ctx is the residency. Fast: about 20 ns.
 */
uint64_t tide_residency_bytes(uint64_t addr, uint64_t bytes, void *ctx);
/* Resident bytes of the anonymous mappings, [heap] left out, in which a range lay that was asked
 * for with tide_residency_bytes(): the regions an allocator takes its blocks from.
 */
uint64_t tide_residency_marked_bytes(const struct tide_residency *res);
/* Just RSS and its peak, from /proc/PID/status: cheap, for every second. 0 or -errno. */
int tide_rss_read_quick(const struct tide_proc *proc, uint64_t *ret_rss_bytes,
			uint64_t *ret_peak_bytes);

#endif
