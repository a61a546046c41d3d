/* A re-read of the kernel's live map: afterwards the core knows what the map holds.
 *
 * Blocks carry a phase, one bit. A re-read gives those it meets the other phase; at its end
 * what still has the old one has gone, and the other phase becomes the usual:
 *
 *	before     A0 B0 C0 D0           (phase 0)
 *	meets      B C E                 B, C known: phase 1; E unknown: set aside
 *	end        A0 B1 C1 D0 -> A, D are freed; then E1 is added      (phase 1)
 *
 * What is unknown is set aside until the end, so that abort has only phases to turn back and
 * max_blocks holds throughout. Each site's series gets one change, the sum of what came and
 * went: in between it would see a trough and a peak that never were.
 *
 * The events of the same time lie in the ring and are applied afterwards; birth stamps make
 * those that the map had told already do nothing (retain.c). What the caller owes: everything
 * that was in the ring when the loss was noticed is applied before begin.
 */
#include "retain/core.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

/* A sweep collects blocks while it scans and changes them between two slices. A slice visits
 * whole tables; should one have more than this, what did not fit is found by another sweep.
 */
#define BATCH_BLOCKS 8192
#define SLICE_BLOCKS 2048

struct tide_resync {
	struct tide_blockmap *fresh; /* blocks that were not known */
	uint32_t phase;		     /* what blocks it met carry */
	uint32_t *touched;	     /* sites whose live bytes changed */
	uint32_t touched_cnt, touched_max;
	struct tide_block batch[BATCH_BLOCKS];
	size_t batch_cnt;
	bool batch_full;
};

void tide_resync_drop(struct tide_resync **resync)
{
	struct tide_resync *t = *resync;

	if (!t)
		return;
	tide_blockmap_free(&t->fresh);
	free(t->touched);
	free(t);
	*resync = NULL;
}

int tide_retain_resync_begin(struct tide_retain *retain)
{
	TIDE_CLEANUP(tide_resync_drop) struct tide_resync *resync = NULL;
	int r;

	if (retain->resync)
		return -EBUSY;
	resync = calloc(1, sizeof(*resync));
	if (!resync)
		return -ENOMEM;
	resync->phase = retain->phase ^ TIDE_PHASE_BIT;
	r = tide_blockmap_new(&resync->fresh);
	if (r)
		return r;
	retain->resync = TIDE_TAKE_PTR(resync);
	return 0;
}

static int set_aside(struct tide_retain *retain, uint64_t addr, const struct tide_live_block *live)
{
	struct tide_resync *resync = retain->resync;
	struct tide_block block = {
		.addr = addr,
		.block_bytes = live->block_bytes,
		.birth_ns = live->birth_ns,
	};
	int r = -ENOSPC;

	if (tide_blockmap_cnt(resync->fresh) < retain->opts.max_blocks) {
		block.site = tide_core_site_of(retain, live->stack_key, retain->now_ns);
		r = tide_blockmap_put(resync->fresh, &block, NULL);
	}
	if (r < 0)
		retain->blocks_full_cnt++;
	return r < 0 ? r : 1;
}

/* An address may be met twice (a realloc in flight still has its old block while another thread
 * has the address again): what was born later is nearer to the truth.
 */
int tide_retain_resync_block(struct tide_retain *retain, uint64_t addr,
			     const struct tide_live_block *live)
{
	struct tide_resync *resync = retain->resync;
	struct tide_block block;
	bool known;
	int r;

	if (!resync)
		return -EINVAL;
	if (tide_blockmap_get(resync->fresh, addr, &block) && block.birth_ns >= live->birth_ns)
		return 0;
	known = tide_blockmap_get(retain->blocks, addr, &block);
	if (known && (block.site & TIDE_PHASE_BIT) == resync->phase &&
	    block.birth_ns >= live->birth_ns)
		return 0;
	if (!known || block.birth_ns != live->birth_ns)
		return set_aside(retain, addr, live);
	(void)tide_blockmap_del(resync->fresh, addr, NULL);
	block.site = (block.site & TIDE_SITE_MASK) | resync->phase;
	r = tide_blockmap_put(retain->blocks, &block, NULL);
	return r < 0 ? r : 0;
}

/* The site's series is brought up to date once, at the end. */
static int touch(struct tide_retain *retain, uint32_t idx)
{
	struct tide_resync *resync = retain->resync;
	struct tide_site *site = tide_core_site(retain, idx);

	if (site->in_resync)
		return 0;
	if (resync->touched_cnt == resync->touched_max) {
		uint32_t max = resync->touched_max ? resync->touched_max * 2 : 256;
		uint32_t *touched = realloc(resync->touched, max * sizeof(*touched));

		if (!touched)
			return -ENOMEM;
		resync->touched = touched;
		resync->touched_max = max;
	}
	resync->touched[resync->touched_cnt++] = idx;
	site->in_resync = true;
	return 0;
}

static void settle_site(struct tide_retain *retain, uint32_t idx, uint64_t now_ns)
{
	struct tide_site *site = tide_core_site(retain, idx);

	tide_series_set(&site->series, &retain->cfg, now_ns, site->live_bytes);
	site->in_resync = false;
}

/* Without memory to remember the site its series is changed at once. */
static void changed(struct tide_retain *retain, uint32_t idx, uint64_t now_ns)
{
	if (touch(retain, idx))
		settle_site(retain, idx, now_ns);
}

static void collect_phase(const struct tide_block *block, uint32_t phase,
			  struct tide_resync *resync)
{
	if ((block->site & TIDE_PHASE_BIT) != phase)
		return;
	if (resync->batch_cnt == BATCH_BLOCKS) {
		resync->batch_full = true;
		return;
	}
	resync->batch[resync->batch_cnt++] = *block;
}

static void collect_met(const struct tide_block *block, void *ctx)
{
	struct tide_resync *resync = ctx;

	collect_phase(block, resync->phase, resync);
}

static void collect_unmet(const struct tide_block *block, void *ctx)
{
	struct tide_resync *resync = ctx;

	collect_phase(block, resync->phase ^ TIDE_PHASE_BIT, resync);
}

static void gone(struct tide_retain *retain, const struct tide_block *block, uint64_t now_ns)
{
	uint32_t idx = block->site & TIDE_SITE_MASK;
	struct tide_site *site = tide_core_site(retain, idx);

	tide_core_count_free(retain, site, block->block_bytes);
	site->last_free_ns = now_ns;
	changed(retain, idx, now_ns);
}

static void free_batch(struct tide_retain *retain, uint64_t now_ns)
{
	struct tide_resync *resync = retain->resync;

	for (size_t i = 0; i < resync->batch_cnt; i++) {
		tide_blockmap_del(retain->blocks, resync->batch[i].addr, NULL);
		gone(retain, &resync->batch[i], now_ns);
	}
}

static void turn_back_batch(struct tide_retain *retain, uint64_t now_ns)
{
	struct tide_resync *resync = retain->resync;

	(void)now_ns;
	for (size_t i = 0; i < resync->batch_cnt; i++) {
		struct tide_block block = resync->batch[i];

		block.site ^= TIDE_PHASE_BIT;
		/* Replacing takes no memory. */
		(void)tide_blockmap_put(retain->blocks, &block, NULL);
	}
}

static void sweep(struct tide_retain *retain, tide_blockmap_fn pick,
		  void (*apply)(struct tide_retain *retain, uint64_t now_ns), uint64_t now_ns)
{
	struct tide_resync *resync = retain->resync;
	bool more = true;

	do {
		uint64_t cursor = 0;

		resync->batch_full = false;
		do {
			resync->batch_cnt = 0;
			more = tide_blockmap_scan(retain->blocks, &cursor, SLICE_BLOCKS, pick,
						  resync);
			apply(retain, now_ns);
		} while (more);
	} while (resync->batch_full);
}

struct add_ctx {
	struct tide_retain *retain;
	uint64_t now_ns;
	int err;
};

static void add_fresh(const struct tide_block *fresh, void *ctx)
{
	struct add_ctx *add = ctx;
	struct tide_retain *retain = add->retain;
	struct tide_block old, block = *fresh;
	struct tide_site *site = tide_core_site(retain, block.site);
	int r = -ENOSPC;

	block.site |= retain->resync->phase;
	if (tide_blockmap_cnt(retain->blocks) < retain->opts.max_blocks)
		r = tide_blockmap_put(retain->blocks, &block, &old);
	if (r < 0) {
		retain->blocks_full_cnt++;
		add->err = r;
		return;
	}
	if (r)
		gone(retain, &old, add->now_ns);
	tide_core_count_alloc(retain, site, block.block_bytes);
	site->last_alloc_ns = add->now_ns;
	changed(retain, fresh->site, add->now_ns);
}

int tide_retain_resync_end(struct tide_retain *retain, uint64_t now_ns)
{
	struct tide_resync *resync = retain->resync;
	struct add_ctx add = {.retain = retain, .now_ns = now_ns};
	uint64_t cursor = 0;

	if (!resync)
		return -EINVAL;
	tide_core_advance(retain, now_ns);
	sweep(retain, collect_unmet, free_batch, now_ns);
	while (tide_blockmap_scan(resync->fresh, &cursor, SLICE_BLOCKS, add_fresh, &add))
		;
	retain->phase = resync->phase;
	for (uint32_t i = 0; i < resync->touched_cnt; i++)
		settle_site(retain, resync->touched[i], now_ns);
	tide_series_set(&retain->total, &retain->cfg, now_ns, retain->live_bytes);
	tide_resync_drop(&retain->resync);
	return add.err;
}

void tide_retain_resync_abort(struct tide_retain *retain)
{
	if (!retain->resync)
		return;
	sweep(retain, collect_met, turn_back_batch, 0);
	tide_resync_drop(&retain->resync);
}
