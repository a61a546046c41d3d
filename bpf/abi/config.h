/* Settings that userspace gives the BPF programs, and the state both write while it runs.
 *
 * Owns: struct tide_config (rodata: fixed before load) and struct tide_shared (bss: memory
 * that both sides map). Never: per-event data (event.h) or counters (stats.h).
 */
#ifndef TIDE_ABI_CONFIG_H
#define TIDE_ABI_CONFIG_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

struct tide_config {
	__u64 min_bytes;	    /* smaller allocations are not tracked */
	__u64 ring_wake_bytes;	    /* wake the collector when this much waits in the ring */
	__u64 pidns_dev, pidns_ino; /* the pid namespace in which tgid counts */
	__u32 tgid;		    /* of the target; for life-cycle events only */
	__u32 max_frames;	    /* 1..TIDE_MAX_FRAMES */
};

struct tide_shared {
	__u32 enabled; /* userspace: 1 once every probe is in place, 0 before they are removed */
	__u32 woken;   /* BPF sets it when it wakes the collector, userspace clears it */
	__u32 stop_on_exec; /* userspace: SIGSTOP the target when it begins another program (run) */
	__u32 followed_tid; /* userspace: the thread that single uprobes were opened for; 0: multi
			     */
	__u32 unmapped_told; /* BPF sets it with TIDE_REC_UNMAPPED, userspace clears it before it
				looks */
};

#define TIDE_MAX_THREADS 65536

_Static_assert(sizeof(struct tide_config) == 40, "ABI");

#endif
