/* The sliced snapshot: what only the blocks know is summed up by site while the feed goes on.
 *
 *	begin     one row of sums for each site
 *	step ...  a slice of blocks: age, --older, resident bytes, the largest ones
 *	end       sites' intervals are closed, rows and sites become the report
 *
 * Live bytes, counts and series are those at the end. A block that is freed between two slices
 * may have been summed up already; so sums are cut to what is live at the end, and the blocks
 * that are shown are looked up once more. Blocks born meanwhile are too young for any sum but
 * the resident one. Without a feed between the slices everything is exact.
 */
#include "retain/core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "retain/trend.h"
#include "retain/verdict.h"

/* Series are copied for so many sites, those that hold most, and not for small ones. */
#define POINTS_SITES 4096

struct sums {
	bool begun;
	uint64_t held_bytes;
	uint64_t kept_bytes; /* of blocks born before the rise in force was over */
	uint64_t kept_until_ns;
	uint64_t shown_bytes, shown_blocks;
	uint64_t resident_bytes;
	uint64_t oldest_birth_ns;
};

struct tide_collect {
	struct tide_retain *retain;
	struct tide_snapshot_opts opts;
	uint64_t hold_ns;
	uint64_t cursor;
	struct sums *sums;
	uint32_t sums_cnt;
	struct tide_block_report *largest; /* a heap, the least on top */
	size_t largest_cnt, largest_max;
};

void tide_collect_drop(struct tide_collect **collect)
{
	struct tide_collect *t = *collect;

	if (!t)
		return;
	free(t->sums);
	free(t->largest);
	free(t);
	*collect = NULL;
}

/* Sites may have come since the last slice. Their blocks are not old, so their rows stay 0. */
static int grow_sums(struct tide_retain *retain, struct tide_collect *collect)
{
	uint32_t cnt = tide_site_table_cnt(retain->sites);
	struct sums *sums;

	if (cnt == collect->sums_cnt)
		return 0;
	sums = realloc(collect->sums, cnt * sizeof(*sums));
	if (!sums)
		return -ENOMEM;
	memset(&sums[collect->sums_cnt], 0, (cnt - collect->sums_cnt) * sizeof(*sums));
	collect->sums = sums;
	collect->sums_cnt = cnt;
	return 0;
}

/* With the first block of a site that is met. */
static void begin_sums(struct tide_collect *collect, uint32_t idx)
{
	const struct tide_series_cfg *cfg = &collect->retain->cfg;
	struct tide_series *s = &tide_core_site(collect->retain, idx)->series;
	struct tide_rise rise;

	tide_series_advance(s, cfg, collect->opts.now_ns);
	tide_rise_read(s, cfg, &rise);
	/* The time of a rise is known to a slot under noise; four are left to its end. */
	collect->sums[idx].kept_until_ns = rise.cnt ? rise.reached_ns + 4 * cfg->slot_ns : 0;
	collect->sums[idx].begun = true;
}

int tide_retain_snapshot_begin(struct tide_retain *retain, const struct tide_snapshot_opts *opts)
{
	TIDE_CLEANUP(tide_collect_drop) struct tide_collect *collect = NULL;
	uint64_t block_cnt = tide_blockmap_cnt(retain->blocks);
	int r;

	if (retain->collect)
		return -EBUSY;
	collect = calloc(1, sizeof(*collect));
	if (!collect)
		return -ENOMEM;
	collect->retain = retain;
	collect->opts = *opts;
	collect->hold_ns = retain->opts.hold_ns;
	r = grow_sums(retain, collect);
	if (r)
		return r;
	collect->largest_max =
		opts->show_blocks_cnt < block_cnt ? opts->show_blocks_cnt : block_cnt;
	if (collect->largest_max) {
		collect->largest = malloc(collect->largest_max * sizeof(*collect->largest));
		if (!collect->largest)
			return -ENOMEM;
	}
	tide_core_advance(retain, opts->now_ns);
	retain->collect = TIDE_TAKE_PTR(collect);
	return 0;
}

static bool larger(const struct tide_block_report *a, const struct tide_block_report *b)
{
	if (a->block_bytes != b->block_bytes)
		return a->block_bytes > b->block_bytes;
	return a->addr < b->addr;
}

static void swap(struct tide_block_report *a, struct tide_block_report *b)
{
	struct tide_block_report t = *a;

	*a = *b;
	*b = t;
}

static void sift_down(struct tide_block_report *heap, size_t cnt)
{
	size_t i = 0, least;

	while ((least = 2 * i + 1) < cnt) {
		if (least + 1 < cnt && larger(&heap[least], &heap[least + 1]))
			least++;
		if (!larger(&heap[i], &heap[least]))
			return;
		swap(&heap[i], &heap[least]);
		i = least;
	}
}

static void sift_up(struct tide_block_report *heap, size_t i)
{
	while (i && larger(&heap[(i - 1) / 2], &heap[i])) {
		swap(&heap[(i - 1) / 2], &heap[i]);
		i = (i - 1) / 2;
	}
}

/* site_id holds the site's index until the end. */
static void keep_if_large(struct tide_collect *collect, const struct tide_block *block)
{
	struct tide_block_report report = {
		.addr = block->addr,
		.block_bytes = block->block_bytes,
		.birth_ns = block->birth_ns,
		.site_id = block->site & TIDE_SITE_MASK,
	};

	if (collect->largest_cnt < collect->largest_max) {
		collect->largest[collect->largest_cnt] = report;
		sift_up(collect->largest, collect->largest_cnt++);
	} else if (collect->largest_max && larger(&report, &collect->largest[0])) {
		collect->largest[0] = report;
		sift_down(collect->largest, collect->largest_cnt);
	}
}

static bool older_than(const struct tide_block *block, uint64_t age_ns, uint64_t now_ns)
{
	return block->birth_ns <= now_ns && now_ns - block->birth_ns >= age_ns;
}

static void visit(const struct tide_block *block, void *ctx)
{
	struct tide_collect *collect = ctx;
	const struct tide_snapshot_opts *opts = &collect->opts;
	struct sums *sums = &collect->sums[block->site & TIDE_SITE_MASK];

	if (!sums->begun)
		begin_sums(collect, block->site & TIDE_SITE_MASK);
	if (older_than(block, collect->hold_ns, opts->now_ns))
		sums->held_bytes += block->block_bytes;
	if (block->birth_ns <= sums->kept_until_ns)
		sums->kept_bytes += block->block_bytes;
	if (!sums->oldest_birth_ns || block->birth_ns < sums->oldest_birth_ns)
		sums->oldest_birth_ns = block->birth_ns;
	if (opts->resident)
		sums->resident_bytes +=
			opts->resident(block->addr, block->block_bytes, opts->resident_ctx);
	if (opts->older_ns && !older_than(block, opts->older_ns, opts->now_ns))
		return;
	sums->shown_bytes += block->block_bytes;
	sums->shown_blocks++;
	keep_if_large(collect, block);
}

int tide_retain_snapshot_step(struct tide_retain *retain, size_t slice_blocks)
{
	struct tide_collect *collect = retain->collect;
	int r;

	if (!collect)
		return -EINVAL;
	r = grow_sums(retain, collect);
	if (r)
		return r;
	return tide_blockmap_scan(retain->blocks, &collect->cursor, slice_blocks, visit, collect);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void read_figures(const struct tide_retain *retain, const struct tide_site *site,
			 const struct sums *sums, uint64_t now_ns, struct tide_figures *ret)
{
	const struct tide_series *s = &site->series;

	*ret = (struct tide_figures){
		.now_ns = now_ns,
		.start_ns = retain->opts.start_ns,
		.hold_ns = retain->opts.hold_ns,
		.first_ns = s->first_ns,
		.live_bytes = site->live_bytes,
		.live_blocks = site->live_blocks,
		.floor_bytes = least(tide_series_floor(s), site->live_bytes),
		.held_bytes = least(sums->held_bytes, site->live_bytes),
		.kept_bytes = least(sums->kept_bytes, site->live_bytes),
		.peak_bytes = s->peak_bytes,
		.peak_ns = s->peak_ns,
		.last_free_ns = site->last_free_ns,
		.level_since_ns =
			s->low ? now_ns - least(now_ns, retain->opts.hold_ns) : s->base_since_ns,
		.swing_cnt = s->swing_cnt,
		.high = s->high,
		.high_since_ns = s->high_since_ns,
		.longest_high_ns = s->longest_high_ns,
		.last_swing_ns = s->last_swing_ns,
	};
	tide_rise_read(s, &retain->cfg, &ret->rise);
	tide_trend_read(s, &retain->cfg, &ret->rise, &ret->trend);
}

static int report_site(const struct tide_retain *retain, struct tide_site *site,
		       const struct sums *sums, struct tide_site_report *ret)
{
	const struct tide_snapshot_opts *opts = &retain->collect->opts;
	char why[TIDE_WHY_SZ];
	struct tide_figures f;

	tide_series_advance(&site->series, &retain->cfg, retain->now_ns);
	read_figures(retain, site, sums, retain->now_ns, &f);
	*ret = (struct tide_site_report){
		.id = site->stack_key,
		.verdict = tide_verdict_decide(&f, why),
		.evidence = TIDE_EVIDENCE_LIKELY,
		.live_bytes = f.live_bytes,
		.live_blocks = f.live_blocks,
		.resident_bytes = least(sums->resident_bytes, f.live_bytes),
		.held_bytes = f.held_bytes,
		.peak_bytes = f.peak_bytes,
		.peak_ns = f.peak_ns,
		.floor_bytes = f.floor_bytes,
		.allocated_bytes = site->totals.alloc_bytes,
		.allocated_blocks = site->totals.alloc_cnt,
		.freed_bytes = site->totals.free_bytes,
		.freed_blocks = site->totals.free_cnt,
		.oldest_birth_ns = f.live_blocks ? sums->oldest_birth_ns : 0,
		.shown_bytes =
			opts->older_ns ? least(sums->shown_bytes, f.live_bytes) : f.live_bytes,
		.shown_blocks =
			opts->older_ns ? least(sums->shown_blocks, f.live_blocks) : f.live_blocks,
		.ratchet_cnt = site->series.ratchet_cnt,
		.ratchet_dropped_cnt = site->series.ratchet_dropped_cnt,
	};
	memcpy(ret->ratchets, site->series.ratchets, sizeof(ret->ratchets));
	ret->why = strdup(why);
	return ret->why ? 0 : -ENOMEM;
}

static int by_held(const void *a, const void *b)
{
	const struct tide_site_report *x = a, *y = b;

	if (x->held_bytes != y->held_bytes)
		return x->held_bytes < y->held_bytes ? 1 : -1;
	if (x->live_bytes != y->live_bytes)
		return x->live_bytes < y->live_bytes ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int report_sites(struct tide_retain *retain, struct tide_snapshot *snap)
{
	uint32_t cnt = tide_site_table_cnt(retain->sites);

	snap->sites = calloc(cnt, sizeof(*snap->sites));
	if (!snap->sites)
		return -ENOMEM;
	for (uint32_t idx = 0; idx < cnt; idx++) {
		struct tide_site *site = tide_core_site(retain, idx);
		int r;

		if (!site->known)
			continue;
		r = report_site(retain, site, &retain->collect->sums[idx],
				&snap->sites[snap->site_cnt++]);
		if (r)
			return r;
		snap->held_bytes += snap->sites[snap->site_cnt - 1].held_bytes;
	}
	qsort(snap->sites, snap->site_cnt, sizeof(*snap->sites), by_held);
	return 0;
}

static int report_points(struct tide_retain *retain, struct tide_site_report *report)
{
	struct tide_tide_point points[TIDE_CELL_CNT + 1];
	uint32_t idx;
	size_t cnt;
	int r;

	r = tide_site_table_add(retain->sites, &retain->cfg, report->id, 0, &idx);
	if (r)
		return r;
	cnt = tide_series_points(&tide_core_site(retain, idx)->series, &retain->cfg, points);
	report->points = malloc(cnt * sizeof(*points));
	if (!report->points)
		return -ENOMEM;
	memcpy(report->points, points, cnt * sizeof(*points));
	report->point_cnt = cnt;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	return larger(a, b) ? -1 : larger(b, a);
}

/* Hands over the largest blocks, those that are still there. */
static void report_blocks(struct tide_retain *retain, struct tide_snapshot *snap)
{
	struct tide_collect *collect = retain->collect;

	snap->blocks = TIDE_TAKE_PTR(collect->largest);
	for (size_t i = 0; i < collect->largest_cnt; i++) {
		struct tide_block_report report = snap->blocks[i];
		struct tide_block block;

		if (!tide_blockmap_get(retain->blocks, report.addr, &block) ||
		    block.birth_ns != report.birth_ns)
			continue;
		report.site_id = tide_core_site(retain, (uint32_t)report.site_id)->stack_key;
		snap->blocks[snap->block_cnt++] = report;
	}
	if (snap->block_cnt)
		qsort(snap->blocks, snap->block_cnt, sizeof(*snap->blocks), by_size);
}

static int report(struct tide_retain *retain, struct tide_snapshot *snap)
{
	int r;

	r = grow_sums(retain, retain->collect);
	if (r)
		return r;
	tide_core_advance(retain, retain->collect->opts.now_ns);
	snap->start_ns = retain->opts.start_ns;
	snap->end_ns = retain->now_ns;
	snap->hold_ns = retain->opts.hold_ns;
	snap->older_ns = retain->collect->opts.older_ns;
	snap->live_bytes = retain->live_bytes;
	snap->live_blocks = tide_blockmap_cnt(retain->blocks);
	snap->resident_known = retain->collect->opts.resident;
	r = report_sites(retain, snap);
	if (r)
		return r;
	for (size_t i = 0; i < snap->site_cnt && i < POINTS_SITES; i++) {
		if (snap->sites[i].peak_bytes < TIDE_NOISE_BYTES)
			continue;
		r = report_points(retain, &snap->sites[i]);
		if (r)
			return r;
	}
	report_blocks(retain, snap);
	return 0;
}

int tide_retain_snapshot_end(struct tide_retain *retain, struct tide_snapshot *snap)
{
	int r;

	if (!retain->collect)
		return -EINVAL;
	r = report(retain, snap);
	tide_collect_drop(&retain->collect);
	return r;
}

void tide_retain_snapshot_cancel(struct tide_retain *retain)
{
	tide_collect_drop(&retain->collect);
}
