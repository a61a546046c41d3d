/* Counters and the ring: the only code that touches either.
 *
 * Counters are added atomically although they are per CPU: a uprobe program may be preempted
 * between the load and the store by another thread's program on the same CPU, and a lost
 * LOST_EVENTS would hide that a re-read is due.
 */
#ifndef TIDE_BPF_EMIT_H
#define TIDE_BPF_EMIT_H

#include "lib/maps.h"

static __always_inline void stat_add(enum tide_stat stat)
{
	struct tide_stats_value *value;
	__u32 zero = 0;

	value = bpf_map_lookup_elem(&tide_stats, &zero);
	if (value && stat < TIDE_STAT_CNT)
		__sync_fetch_and_add(&value->cnt[stat], 1);
}

/* A wake-up costs more than the record (1.4 us against 25 ns have been measured), so the
 * collector polls by time and is woken only when the ring fills up faster than it polls.
 */
static __always_inline __u64 wake_flags(void)
{
	if (bpf_ringbuf_query(&tide_ring, BPF_RB_AVAIL_DATA) < tide_config.ring_wake_bytes ||
	    tide_shared.woken)
		return BPF_RB_NO_WAKEUP;
	tide_shared.woken = 1;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void emit_block(enum tide_rec_type type, __u64 addr,
				       const struct tide_live_block *block, __u64 ts_ns)
{
	struct tide_rec_block *rec;

	rec = bpf_ringbuf_reserve(&tide_ring, sizeof(*rec), 0);
	if (!rec) {
		stat_add(TIDE_STAT_LOST_EVENTS);
		return;
	}
	rec->hdr.type = type;
	rec->hdr.size_bytes = sizeof(*rec);
	rec->hdr.ts_ns = ts_ns;
	rec->addr = addr;
	rec->block_bytes = block->block_bytes;
	rec->birth_ns = block->birth_ns;
	rec->stack_key = block->stack_key;
	bpf_ringbuf_submit(rec, wake_flags());
}

static __always_inline void emit_life(enum tide_rec_type type, __u32 tgid, __u32 tid)
{
	struct tide_rec_life *rec;

	rec = bpf_ringbuf_reserve(&tide_ring, sizeof(*rec), 0);
	if (!rec) {
		stat_add(TIDE_STAT_LOST_EVENTS);
		return;
	}
	rec->hdr.type = type;
	rec->hdr.size_bytes = sizeof(*rec);
	rec->hdr.ts_ns = bpf_ktime_get_ns();
	rec->tgid = tgid;
	rec->tid = tid;
	bpf_ringbuf_submit(rec, BPF_RB_FORCE_WAKEUP);
}

#endif
