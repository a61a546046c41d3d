/* The core's own parts, shared by the files of this directory only.
 *
 * retain.c owns the feed, resync.c the re-read, collect.c the snapshot. Threads and memory:
 * see retain.h.
 */
#ifndef TIDE_RETAIN_CORE_H
#define TIDE_RETAIN_CORE_H

#include "ds/blockmap.h"
#include "retain/retain.h"
#include "retain/series.h"
#include "retain/site.h"

/* Sites are below 2^24, so the site word of a block has a bit to spare: it tells a re-read's
 * blocks from those it has not met (resync.c).
 */
#define TIDE_PHASE_BIT	(1U << 31)
#define TIDE_SITE_MASK	(TIDE_PHASE_BIT - 1)
#define TIDE_SITES_LAST ((1U << 24) - 1)

struct tide_resync;
struct tide_collect;

struct tide_retain {
	struct tide_retain_opts opts;
	struct tide_series_cfg cfg;
	struct tide_blockmap *blocks;
	struct tide_site_table *sites;
	struct tide_series total;
	uint64_t now_ns; /* the latest time seen */
	uint64_t live_bytes;
	uint64_t sites_full_cnt, blocks_full_cnt;
	uint32_t phase;		      /* TIDE_PHASE_BIT or 0: what the blocks of the map carry */
	uint32_t idle_idx;	      /* the next site whose intervals tick closes */
	struct tide_resync *resync;   /* NULL: none is running */
	struct tide_collect *collect; /* NULL: none is running */
};

static inline struct tide_site *tide_core_site(const struct tide_retain *retain, uint32_t idx)
{
	return tide_site_table_at(retain->sites, idx);
}

/* The site of a key, the overflow site (counted) when there is no room for it. */
uint32_t tide_core_site_of(struct tide_retain *retain, uint64_t stack_key, uint64_t ts_ns);
/* Closes the process's own intervals up to ts_ns; before any site's. */
void tide_core_advance(struct tide_retain *retain, uint64_t ts_ns);
/* One block came to or went from a site: its counters and the sum, not the series. */
void tide_core_count_alloc(struct tide_retain *retain, struct tide_site *site, uint64_t bytes);
void tide_core_count_free(struct tide_retain *retain, struct tide_site *site, uint64_t bytes);

/* resync.c, collect.c: drop what is running. */
void tide_resync_drop(struct tide_resync **resync);
void tide_collect_drop(struct tide_collect **collect);

#endif
