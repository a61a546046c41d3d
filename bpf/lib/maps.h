/* Every map, once: who writes it, who reads it, what happens when it is full.
 *
 * The definitions are weak so that each object file may include them; bpftool's linker
 * keeps one. Sizes marked "set at load" are placeholders that userspace replaces.
 */
#ifndef TIDE_BPF_MAPS_H
#define TIDE_BPF_MAPS_H

#include "abi/config.h"
#include "abi/event.h"
#include "abi/stats.h"

const volatile struct tide_config tide_config __weak = {.max_frames = TIDE_MAX_FRAMES};
struct tide_shared tide_shared __weak = {};

/* Feed of changes. Programs write, the collector reads. Full: LOST_EVENTS, and the collector
 * reads the live map again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24); /* set at load */
} tide_ring __weak SEC(".maps");

/* The truth: every tracked block. Programs write, the collector re-reads after losses. Not
 * preallocated, so that it shrinks with the target. Full: BLOCKS_FULL, the block is not tracked.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 22); /* set at load */
	__type(key, __u64);
	__type(value, struct tide_live_block);
} tide_live __weak SEC(".maps");

/* Totals by stack key, exact also when records are lost. Key 0 (made by userspace) takes what
 * has no room of its own.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16); /* set at load */
	__type(key, __u64);
	__type(value, struct tide_site_totals);
} tide_sites __weak SEC(".maps");

/* Frames by stack key, written once when a stack is first seen. Full: SITES_FULL, key 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16); /* set at load */
	__type(key, __u64);
	__type(value, struct tide_stack);
} tide_stacks __weak SEC(".maps");

/* The allocator call a thread is in, and room to gather its stack. Kept while the thread lives
 * (lifecycle.bpf.c removes it), so that a call costs one look-up and no insertion. The room
 * is by thread and not by CPU because uprobe programs may be preempted: they run with migration
 * disabled only (kernel/trace/trace_uprobe.c, __uprobe_perf_func). Full: PENDING_FULL.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TIDE_MAX_THREADS);
	__type(key, __u32);
	__type(value, struct tide_thread);
} tide_threads __weak SEC(".maps");

/* Never written: the zeroes a new tide_thread starts from (too big for the BPF stack). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tide_thread);
} tide_zero_thread __weak SEC(".maps");

_Static_assert(TIDE_STAT_OF_END(TIDE_STACK_END_CNT) == (enum tide_stat)TIDE_STAT_CNT,
	       "a counter for each way a walk ends");

struct tide_stats_value {
	__u64 cnt[TIDE_STAT_CNT];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tide_stats_value);
} tide_stats __weak SEC(".maps");

#endif
