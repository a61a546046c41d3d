/* The kernel edge: our BPF programs, their maps, their attachments.
 *
 * Owns: the loaded skeleton, every link, the ring. This directory is the only user of libbpf and
 * of the skeleton. Never: keeps anything alive beyond its descriptors: nothing is pinned, so the
 * kernel removes every probe when the process ends, however it ends.
 * Threads: load, attach, detach, free from one thread; drain, fence and the readers from one thread
 * (another one than the first is fine); the readers do not disturb each other.
 * Memory: the maps' sizes are set by tide_probe_opts; tide_probe_kernel_bytes() estimates them.
 */
#ifndef TIDE_PROBE_PROBE_H
#define TIDE_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"
#include "bpf/abi/event.h"
#include "bpf/abi/stats.h"
#include "target/allocators.h"

#define TIDE_RING_MIN_BYTES (4ULL << 10)
#define TIDE_RING_MAX_BYTES (1ULL << 30)

struct tide_probe;

struct tide_probe_opts {
	pid_t tgid;	     /* the target, in our pid namespace */
	bool leader_ended;   /* its main thread has ended while others live */
	bool stop_on_exec;   /* SIGSTOP the target when it begins another program */
	bool single;	     /* never use multi-uprobes (for tests) */
	uint64_t min_bytes;  /* smaller allocations are not tracked */
	uint64_t ring_bytes; /* power of two, a multiple of the page size */
	uint32_t max_blocks; /* entries of the live map */
	uint32_t max_sites;
	uint32_t max_frames; /* 1..TIDE_MAX_FRAMES */
};

/* Loads programs and maps; nothing is attached. 0 or -errno with *fail saying why. */
int tide_probe_load(const struct tide_probe_opts *opts, struct tide_probe **ret,
		    struct tide_failure *fail);
void tide_probe_free(struct tide_probe **probe);

/* Attaches to one allocator's points in the file behind file_fd, in the process's every thread.
 * tid: a living thread of it. On failure nothing of this allocator stays attached.
 */
int tide_probe_attach(struct tide_probe *probe, pid_t tid, int file_fd,
		      const struct tide_allocator *allocator, struct tide_failure *fail);
/* Single uprobes follow the thread that they were opened for. When it ends (TIDE_REC_THREAD) attach
 * again through another one, then drop the cnt links that were there before: the old ones
 * fire no more, so nothing counts twice. Multi-uprobes follow the process and never need it.
 */
size_t tide_probe_link_cnt(const struct tide_probe *probe);
void tide_probe_drop_first(struct tide_probe *probe, size_t cnt);
/* Removes the allocator probes (not the life-cycle ones); maps and ring stay readable. */
void tide_probe_detach(struct tide_probe *probe);
/* The switch for all probes at once: tracking begins when every probe is in place. */
void tide_probe_enable(struct tide_probe *probe, bool enabled);
/* tide_probe_opts stop_on_exec, later: off before anybody stops looking for the stop. */
void tide_probe_stop_on_exec(struct tide_probe *probe, bool on);

/* The ring. drain hands over at most max_cnt valid records and returns their number; wait
 * returns when the kernel wakes us or after timeout_ms. Invalid records are counted.
 */
typedef void (*tide_record_fn)(const struct tide_rec_hdr *rec, void *ctx);
int tide_probe_drain(struct tide_probe *probe, size_t max_cnt, tide_record_fn fn, void *ctx);
void tide_probe_wait(struct tide_probe *probe, int timeout_ms);
/* Puts a TIDE_REC_FENCE behind everything in the ring. 0, -EAGAIN (no room: drain first). */
int tide_probe_fence(struct tide_probe *probe, uint64_t seq);
uint64_t tide_probe_bad_records(const struct tide_probe *probe);

/* Reads the maps. Each calls fn for every entry; fn returns 0 or a negative errno that ends
 * the reading and is returned.
 */
typedef int (*tide_live_fn)(uint64_t addr, const struct tide_live_block *block, void *ctx);
typedef int (*tide_site_fn)(uint64_t stack_key, const struct tide_site_totals *totals, void *ctx);
int tide_probe_read_live(struct tide_probe *probe, tide_live_fn fn, void *ctx);
/* Blocks that a realloc in progress has taken out of the live map for the moment. */
int tide_probe_read_in_flight(struct tide_probe *probe, tide_live_fn fn, void *ctx);
int tide_probe_read_sites(struct tide_probe *probe, tide_site_fn fn, void *ctx);
/* 0, or -ENOENT. */
int tide_probe_read_stack(struct tide_probe *probe, uint64_t stack_key, struct tide_stack *ret);
int tide_probe_read_stats(struct tide_probe *probe, uint64_t ret[TIDE_STAT_CNT]);

/* What the target has mapped executable, so that stacks are walked by its unwind tables. mods must
 * have been updated for the same maps or later ones. Compiles what is new (node: 0.1 s), waits for
 * grace periods when something changed: not for the draining thread. 0 or -errno; on failure stacks
 * go on with the tables of before.
 */
int tide_probe_update_code(struct tide_probe *probe, const struct tide_maps *maps,
			   const struct tide_modules *mods);

/* "entry+return" */
const char *tide_probe_placement(const struct tide_probe *probe);
uint64_t tide_probe_kernel_bytes(const struct tide_probe *probe, uint64_t live_blocks,
				 uint64_t sites);

#endif
