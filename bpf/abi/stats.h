/* Counters kept by the BPF programs, one list for both sides.
 *
 * Owns: id, stable name and meaning of each counter. Append only: the order is the
 * index in the per-CPU stats map. Every path in bpf/ that cannot do its work bumps one.
 */
#ifndef TIDE_ABI_STATS_H
#define TIDE_ABI_STATS_H

/* X(id, name, help) */
#define TIDE_STATS(X)                                                                           \
	X(HITS, "probe_hits", "probe hits, entry and return")                                   \
	X(ALLOCS, "allocs", "blocks that became live and are tracked")                          \
	X(FREES, "frees", "tracked blocks that were freed")                                     \
	X(FREE_UNTRACKED, "free_untracked", "frees of blocks that are not tracked")             \
	X(ALLOC_FAILED, "alloc_failed", "allocator calls that returned no memory")              \
	X(NESTED, "nested", "allocator calls made inside another allocator call")               \
	X(LOST_EVENTS, "lost_events", "records that did not fit into the ring")                 \
	X(BLOCKS_FULL, "blocks_full", "blocks not tracked: the live map is full")               \
	X(BLOCKS_NOMEM, "blocks_nomem", "blocks not tracked: no kernel memory for the entry")   \
	X(SITES_FULL, "sites_full", "blocks whose stack was not kept: the stack table is full") \
	X(PENDING_FULL, "pending_full", "calls not followed: too many threads at once")         \
	X(PENDING_STALE, "pending_stale", "calls whose return was never seen")                  \
	X(RESULT_UNREADABLE, "result_unreadable", "results that could not be read")             \
	X(BLOCK_REPLACED, "block_replaced", "blocks handed out again without a seen free")      \
	X(STACK_TRUNCATED, "stack_truncated", "allocations whose stack walk stopped early")

enum tide_stat {
#define X(id, name, help) TIDE_STAT_##id,
	TIDE_STATS(X)
#undef X
		TIDE_STAT_CNT,
};

#endif
