/* The feed: blocks come, blocks go.
 *
 * What is relied on, for one address: the record of an allocation is in the ring before the
 * program gets the address, so no free of that block can be in front of it. Everything else
 * may be out of order or missing: the free of a realloc is emitted when another thread may
 * long have the address again, a re-read may have seen what records still say.
 *
 *	known at addr        record               does
 *	nothing              alloc                block is born
 *	nothing              free                 nothing: a re-read has noticed it before
 *	same birth           alloc                nothing: a re-read has noticed it before
 *	same birth           free                 block is gone
 *	older birth          alloc                the free was lost: old one goes, new one is born
 *	older birth          free                 nothing: it is of a block that was never known
 *	newer birth          alloc, free          nothing: of a block that is gone already
 *
 * A RESTORE (realloc failed) is an alloc whose birth lies before its time: a block that was
 * freed a moment ago lives on. It takes back that free instead of counting as an allocation.
 */
#include "retain/core.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

/* Idle sites whose intervals one tick closes. They are closed anyhow when something happens or
 * a snapshot is made; this keeps the gap, and so that work, small.
 */
#define TICK_IDLE_SITES 256
/* A process that never comes to rest is taken as settled after so many hold times. */
#define SETTLE_HOLDS 8
/* Multiples of the hold time are added to times: nine years leave room for that. */
#define HOLD_MAX_NS (UINT64_MAX / 64)

int tide_retain_new(const struct tide_retain_opts *opts, struct tide_retain **ret)
{
	TIDE_CLEANUP(tide_retain_free) struct tide_retain *retain = NULL;
	int r;

	if (!opts->hold_ns || opts->hold_ns > HOLD_MAX_NS || !opts->max_sites ||
	    opts->max_sites > TIDE_SITES_LAST || !opts->max_blocks)
		return -EINVAL;
	retain = calloc(1, sizeof(*retain));
	if (!retain)
		return -ENOMEM;
	retain->opts = *opts;
	retain->now_ns = opts->start_ns;
	tide_series_cfg_init(&retain->cfg, opts->start_ns, opts->hold_ns);
	retain->cfg.from_first = opts->from_first;
	tide_series_init(&retain->total, &retain->cfg, opts->start_ns);
	r = tide_site_table_new(opts->max_sites, &retain->cfg, &retain->sites);
	if (r)
		return r;
	r = tide_blockmap_new(&retain->blocks);
	if (r)
		return r;
	*ret = TIDE_TAKE_PTR(retain);
	return 0;
}

void tide_retain_free(struct tide_retain **retain)
{
	struct tide_retain *t = retain ? *retain : NULL;

	if (!t)
		return;
	tide_resync_drop(&t->resync);
	tide_collect_drop(&t->collect);
	tide_blockmap_free(&t->blocks);
	tide_site_table_free(&t->sites);
	free(t);
	*retain = NULL;
}

void tide_core_advance(struct tide_retain *retain, uint64_t ts_ns)
{
	uint64_t latest_ns = retain->opts.start_ns + SETTLE_HOLDS * retain->opts.hold_ns;

	if (ts_ns > retain->now_ns)
		retain->now_ns = ts_ns;
	if (ts_ns < tide_slot_end_ns(&retain->total, &retain->cfg))
		return;
	tide_series_advance(&retain->total, &retain->cfg, ts_ns);
	if (retain->cfg.settled_ns)
		return;
	if (retain->total.settled_ns)
		retain->cfg.settled_ns = retain->total.settled_ns;
	else if (ts_ns >= latest_ns)
		retain->cfg.settled_ns = latest_ns;
}

uint32_t tide_core_site_of(struct tide_retain *retain, uint64_t stack_key, uint64_t ts_ns)
{
	uint32_t idx;

	if (!tide_site_table_add(retain->sites, &retain->cfg, stack_key, ts_ns, &idx))
		return idx;
	retain->sites_full_cnt++;
	return TIDE_SITE_OVERFLOW;
}

void tide_core_count_alloc(struct tide_retain *retain, struct tide_site *site, uint64_t bytes)
{
	site->known = true;
	site->live_bytes += bytes;
	site->live_blocks++;
	retain->live_bytes += bytes;
	if (site->kernel_totals)
		return;
	site->totals.alloc_cnt++;
	site->totals.alloc_bytes += bytes;
}

void tide_core_count_free(struct tide_retain *retain, struct tide_site *site, uint64_t bytes)
{
	site->live_bytes -= bytes;
	site->live_blocks--;
	retain->live_bytes -= bytes;
	if (site->kernel_totals)
		return;
	site->totals.free_cnt++;
	site->totals.free_bytes += bytes;
}

/* What a restored block counted: as far as its free was seen, that never happened. */
static void uncount_restored(struct tide_site *site, uint64_t bytes)
{
	struct tide_site_totals *t = &site->totals;

	if (site->kernel_totals || !t->free_cnt || t->free_bytes < bytes)
		return;
	t->free_cnt--;
	t->free_bytes -= bytes;
	t->alloc_cnt--;
	t->alloc_bytes -= bytes;
}

static void block_born(struct tide_retain *retain, const struct tide_block *block, uint64_t ts_ns)
{
	struct tide_site *site = tide_core_site(retain, block->site & TIDE_SITE_MASK);

	tide_core_count_alloc(retain, site, block->block_bytes);
	site->last_alloc_ns = ts_ns;
	tide_series_add(&site->series, &retain->cfg, ts_ns, site->live_bytes, block->block_bytes);
	tide_series_add(&retain->total, &retain->cfg, ts_ns, retain->live_bytes,
			block->block_bytes);
}

static void block_gone(struct tide_retain *retain, const struct tide_block *block, uint64_t ts_ns)
{
	struct tide_site *site = tide_core_site(retain, block->site & TIDE_SITE_MASK);

	tide_core_count_free(retain, site, block->block_bytes);
	site->last_free_ns = ts_ns;
	tide_series_sub(&site->series, &retain->cfg, ts_ns, site->live_bytes, block->block_bytes);
	tide_series_sub(&retain->total, &retain->cfg, ts_ns, retain->live_bytes,
			block->block_bytes);
}

int tide_retain_alloc(struct tide_retain *retain, const struct tide_rec_block *rec)
{
	bool restored = rec->hdr.type == TIDE_REC_RESTORE;
	struct tide_block old, block = {
				       .addr = rec->addr,
				       .block_bytes = rec->block_bytes,
				       .birth_ns = rec->birth_ns,
			       };
	bool known = tide_blockmap_get(retain->blocks, rec->addr, &old);
	int r;

	if (known && old.birth_ns >= rec->birth_ns)
		return 0;
	if (!known && tide_blockmap_cnt(retain->blocks) >= retain->opts.max_blocks) {
		retain->blocks_full_cnt++;
		return -ENOSPC;
	}
	tide_core_advance(retain, rec->hdr.ts_ns);
	block.site = tide_core_site_of(retain, rec->stack_key, rec->hdr.ts_ns) | retain->phase;
	r = tide_blockmap_put(retain->blocks, &block, NULL);
	if (r < 0) {
		retain->blocks_full_cnt++;
		return r;
	}
	if (known)
		block_gone(retain, &old, rec->hdr.ts_ns);
	block_born(retain, &block, rec->hdr.ts_ns);
	if (restored)
		uncount_restored(tide_core_site(retain, block.site & TIDE_SITE_MASK),
				 block.block_bytes);
	return 1;
}

int tide_retain_free_block(struct tide_retain *retain, const struct tide_rec_block *rec)
{
	struct tide_block block;

	if (!tide_blockmap_get(retain->blocks, rec->addr, &block) ||
	    block.birth_ns != rec->birth_ns)
		return 0;
	tide_core_advance(retain, rec->hdr.ts_ns);
	tide_blockmap_del(retain->blocks, rec->addr, NULL);
	block_gone(retain, &block, rec->hdr.ts_ns);
	return 1;
}

void tide_retain_prefetch(const struct tide_retain *retain, uint64_t addr)
{
	tide_blockmap_prefetch(retain->blocks, addr);
}

int tide_retain_set_totals(struct tide_retain *retain, uint64_t stack_key,
			   const struct tide_site_totals *totals)
{
	struct tide_site *site;
	uint32_t idx;
	int r;

	r = tide_site_table_add(retain->sites, &retain->cfg, stack_key, retain->now_ns, &idx);
	if (r)
		return r;
	/* Blocks of sites beyond max_sites are counted here, and only here: the kernel's figures
	 * for key 0 do not include them.
	 */
	if (idx == TIDE_SITE_OVERFLOW && retain->sites_full_cnt)
		return 0;
	site = tide_core_site(retain, idx);
	site->totals = *totals;
	site->kernel_totals = true;
	if (totals->alloc_cnt)
		site->known = true;
	return 0;
}

void tide_retain_tick(struct tide_retain *retain, uint64_t now_ns)
{
	uint32_t site_cnt = tide_site_table_cnt(retain->sites);
	uint32_t share = site_cnt < TICK_IDLE_SITES ? site_cnt : TICK_IDLE_SITES;

	tide_core_advance(retain, now_ns);
	while (share--) {
		if (retain->idle_idx >= site_cnt)
			retain->idle_idx = 0;
		tide_series_advance(&tide_core_site(retain, retain->idle_idx++)->series,
				    &retain->cfg, now_ns);
	}
	tide_blockmap_trim(retain->blocks);
}

uint64_t tide_retain_live_bytes(const struct tide_retain *retain)
{
	return retain->live_bytes;
}

uint64_t tide_retain_live_blocks(const struct tide_retain *retain)
{
	return tide_blockmap_cnt(retain->blocks);
}

uint32_t tide_retain_site_cnt(const struct tide_retain *retain)
{
	return tide_site_table_cnt(retain->sites) -
	       !tide_core_site(retain, TIDE_SITE_OVERFLOW)->known;
}

uint64_t tide_retain_mem_bytes(const struct tide_retain *retain)
{
	return sizeof(*retain) + tide_blockmap_mem_bytes(retain->blocks) +
	       tide_site_table_mem_bytes(retain->sites);
}

uint64_t tide_retain_sites_full_cnt(const struct tide_retain *retain)
{
	return retain->sites_full_cnt;
}

uint64_t tide_retain_blocks_full_cnt(const struct tide_retain *retain)
{
	return retain->blocks_full_cnt;
}
