/* What the files of probe/ share and nobody else sees. */
#ifndef TIDE_PROBE_INTERNAL_H
#define TIDE_PROBE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include <bpf/libbpf.h>

#include "bpf/abi/config.h"
#include "bpf/abi/event.h"
#include "bpf/abi/stats.h"
#include "probe/probe.h"
#include "probe/unwind_tables.h"

struct tide; /* the skeleton; only loader.c and attach.c need to see inside */

/* A link of either kind: ours by descriptor (multi), or libbpf's. */
struct tide_probe_link {
	int fd;
	struct bpf_link *link;
};

/* Two multi-uprobe links, or two single ones for each point, for every allocator; and as many again
 * while probes are moved to another thread.
 */
#define TIDE_MAX_LINKS (TIDE_MAX_ALLOCATORS * TIDE_FN_CNT * 2 * 2)

struct tide_probe {
	struct tide *skel;
	struct tide_probe_opts opts;
	bool multi;
	struct tide_probe_link links[TIDE_MAX_LINKS];
	size_t link_cnt;
	struct bpf_link *life_links[2];
	struct tide_unwind_tables *tables;
	struct ring_buffer *ring;
	int wait_fd;
	int cpu_cnt;
	int live_fd, sites_fd, stacks_fd, threads_fd, stats_fd, fence_fd;
	volatile struct tide_shared *shared;
	/* while draining */
	tide_record_fn record_fn;
	void *record_ctx;
	size_t left_cnt;
	uint64_t bad_records;
};

/* Maps the ring and makes it waitable. 0 or -errno. */
int tide_ring_open(struct tide_probe *probe, int ring_fd);

#endif
