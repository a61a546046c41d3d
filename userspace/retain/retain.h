/* The retention core: what is live, since when, by site; what rose and never came down.
 *
 * Owns: live blocks, sites, their series, floors, ratchets and verdicts. Pure: no libbpf, no
 * /proc, no clock; time comes in with each call (CLOCK_MONOTONIC ns) and never goes back by
 * more than the reordering that the ring allows.
 * Never: symbol names, addresses of frames, I/O.
 * Threads: one caller at a time; the session's collector thread.
 * Memory: max_blocks * 32 bytes, plus max_sites * (fixed series). Reaching a bound is
 *         counted, never fatal; beyond max_sites new stacks are charged to one site with
 *         stack key 0, so that totals stay exact.
 *
 * Exactness. The kernel's live map is the truth; this core follows its feed. A block is known
 * by (address, birth). The rules below make any interleaving of the feed and of a re-read
 * converge on the truth (bpf/alloc.bpf.c has the drawing):
 *   alloc of a known (addr, birth): nothing. Of a known addr with an older birth known: the
 *   old block is freed first. With a newer birth known: nothing.
 *   free of an unknown (addr, birth): nothing.
 */
#ifndef TIDE_RETAIN_RETAIN_H
#define TIDE_RETAIN_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/event.h"
#include "retain/snapshot.h"

struct tide_retain;

struct tide_retain_opts {
	uint64_t start_ns;   /* begin of the window */
	uint64_t hold_ns;    /* > 0 */
	uint32_t max_sites;  /* > 0, below 2^24 */
	uint64_t max_blocks; /* > 0 */
	bool from_first;     /* the process is seen from its first allocation */
};

/* 0, -EINVAL or -ENOMEM; *ret is untouched on failure. */
int tide_retain_new(const struct tide_retain_opts *opts, struct tide_retain **ret);
void tide_retain_free(struct tide_retain **retain);

/* The feed. Each returns 1 when it changed something, 0 when it did not (see the rules above),
 * -ENOMEM or -ENOSPC when a bound was met (counted by the core itself).
 */
int tide_retain_alloc(struct tide_retain *retain, const struct tide_rec_block *rec);
int tide_retain_free_block(struct tide_retain *retain, const struct tide_rec_block *rec);

/* Tells that a record about addr is coming in a moment, so that its place in memory is on the way
 * when it is needed. Changes nothing.
 */
void tide_retain_prefetch(const struct tide_retain *retain, uint64_t addr);

/* A re-read of the live map: begin, one call for every block found, end. Blocks that were
 * known and not found have gone: they are freed as of now_ns. The feed must not be applied
 * between begin and end. abort leaves the core as it was before begin.
 */
int tide_retain_resync_begin(struct tide_retain *retain);
int tide_retain_resync_block(struct tide_retain *retain, uint64_t addr,
			     const struct tide_live_block *live);
int tide_retain_resync_end(struct tide_retain *retain, uint64_t now_ns);
void tide_retain_resync_abort(struct tide_retain *retain);

/* Sets a site's totals since the attach from the kernel's own counters, which are exact also
 * when records were lost. Without it they are counted from the feed.
 */
int tide_retain_set_totals(struct tide_retain *retain, uint64_t stack_key,
			   const struct tide_site_totals *totals);

/* Closes series intervals up to now_ns. Call at least four times per hold time, best each
 * second. Cost: the number of sites that changed since the last call, plus a bounded share of
 * the idle ones.
 */
void tide_retain_tick(struct tide_retain *retain, uint64_t now_ns);

uint64_t tide_retain_live_bytes(const struct tide_retain *retain);
uint64_t tide_retain_live_blocks(const struct tide_retain *retain);
uint32_t tide_retain_site_cnt(const struct tide_retain *retain);
uint64_t tide_retain_mem_bytes(const struct tide_retain *retain);
/* Blocks charged to no site of their own (max_sites), and blocks not kept (max_blocks, memory). */
uint64_t tide_retain_sites_full_cnt(const struct tide_retain *retain);
uint64_t tide_retain_blocks_full_cnt(const struct tide_retain *retain);

/* Resident bytes of [addr, addr + bytes): supplied by the session, pure from here. */
typedef uint64_t (*tide_resident_fn)(uint64_t addr, uint64_t bytes, void *ctx);

struct tide_snapshot_opts {
	uint64_t now_ns;
	uint64_t older_ns;	   /* 0: every block */
	size_t show_blocks_cnt;	   /* the largest n blocks into snap->blocks; 0: none */
	tide_resident_fn resident; /* NULL: resident bytes stay unknown */
	void *resident_ctx;
};

/* A snapshot in slices, so that the feed is never held up for long:
 * begin; step until it returns 0 (1: call again; the feed may be applied in between; each
 * step visits about slice_blocks blocks); end fills the given snapshot: sites with figures,
 * verdicts, why (all but frames and stack_end), totals, blocks, window. A running snapshot
 * is dropped by cancel. One at a time. Errors: -ENOMEM, -EBUSY (one is running already).
 */
int tide_retain_snapshot_begin(struct tide_retain *retain, const struct tide_snapshot_opts *opts);
int tide_retain_snapshot_step(struct tide_retain *retain, size_t slice_blocks);
int tide_retain_snapshot_end(struct tide_retain *retain, struct tide_snapshot *snap);
void tide_retain_snapshot_cancel(struct tide_retain *retain);

#endif
