/* Counters kept by the BPF programs, one list for both sides.
 *
 * Owns: id, stable name and meaning of each counter. Append only: the order is the
 * index in the per-CPU stats map. Every path in bpf/ that cannot do its work bumps one.
 */
#ifndef TIDE_ABI_STATS_H
#define TIDE_ABI_STATS_H

/* X(id, name, help) */
#define TIDE_STATS(X)                                                                              \
	X(HITS, "probe_hits", "probe hits, entry and return")                                      \
	X(ALLOCS, "allocs", "blocks that became live and are tracked")                             \
	X(FREES, "frees", "tracked blocks that were freed")                                        \
	X(FREE_UNTRACKED, "free_untracked", "frees of blocks that are not tracked")                \
	X(ALLOC_FAILED, "alloc_failed", "allocator calls that returned no memory")                 \
	X(NESTED, "nested", "allocator calls made inside another allocator call")                  \
	X(LOST_EVENTS, "lost_events", "records that did not fit into the ring")                    \
	X(BLOCKS_FULL, "blocks_full", "blocks not tracked: the live map is full")                  \
	X(BLOCKS_NOMEM, "blocks_nomem", "blocks not tracked: no kernel memory for the entry")      \
	X(SITES_FULL, "sites_full", "blocks whose stack was not kept: the stack table is full")    \
	X(PENDING_FULL, "pending_full", "calls not followed: too many threads at once")            \
	X(PENDING_STALE, "pending_stale", "calls whose return was never seen")                     \
	X(RESULT_UNREADABLE, "result_unreadable", "results that could not be read")                \
	X(BLOCK_REPLACED, "block_replaced", "blocks handed out again without a seen free")         \
	X(STACK_TRUNCATED, "stack_truncated", "allocations whose stack walk stopped early")        \
	X(STACKS_COMPLETE, "stacks_complete", "stack walks that reached the outermost frame")      \
	X(STACKS_NO_FRAME_POINTER, "stacks_no_frame_pointer",                                      \
	  "stack walks that ended where a frame-pointer chain broke")                              \
	X(STACKS_UNREADABLE, "stacks_unreadable",                                                  \
	  "stack walks that ended at memory that could not be read")                               \
	X(STACKS_TOO_DEEP, "stacks_too_deep", "stack walks that ended at the greatest depth kept") \
	X(STACKS_NO_ROOM, "stacks_no_room",                                                        \
	  "stack walks that were not kept: the stack table is full")                               \
	X(STACKS_NO_TABLES, "stacks_no_tables", "stack walks that began without unwind tables")    \
	X(STACKS_NO_MAPPING, "stacks_no_mapping",                                                  \
	  "stack walks that ended at an address in no known mapping")                              \
	X(STACKS_NO_ROW, "stacks_no_row",                                                          \
	  "stack walks that ended in code without unwind information")                             \
	X(STACKS_UNSUPPORTED, "stacks_unsupported",                                                \
	  "stack walks that ended at unwind information not evaluated")                            \
	X(STACKS_LOST_REGISTER, "stacks_lost_register",                                            \
	  "stack walks that ended where rbp was lost")                                             \
	X(STACKS_RETURN_PROBE, "stacks_return_probe",                                              \
	  "stack walks that ended at a replaced return address")                                   \
	X(STACKS_BAD_TABLE, "stacks_bad_table",                                                    \
	  "stack walks that ended at a table that changed meanwhile")

enum tide_stat {
#define X(id, name, help) TIDE_STAT_##id,
	TIDE_STATS(X)
#undef X
		TIDE_STAT_CNT,
};

/* One counter for each way a walk can end (TIDE_STACK_ENDS, abi/event.h), in the same order. */
#define TIDE_STAT_OF_END(end) ((enum tide_stat)(TIDE_STAT_STACKS_COMPLETE + (end)))

#endif
