/* The sites of one process: stack key to a dense index, and what is counted by site.
 *
 * Owns: the sites and the index that finds them. A site is never removed: what it once held
 * matters after its last block went. Index 0 is the site of key 0, which takes the blocks whose
 * stack the kernel could not keep and those of sites beyond max_sites.
 * Never: blocks, verdicts. Threads: one user at a time. Memory: max_sites + 1 structs of about
 * 1.8 KB (in chunks that never move) and 8 to 16 bytes of index a site.
 */
#ifndef TIDE_RETAIN_SITE_H
#define TIDE_RETAIN_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi/event.h"
#include "retain/series.h"

#define TIDE_SITE_OVERFLOW 0

struct tide_site {
	uint64_t stack_key;
	uint64_t live_bytes, live_blocks;
	struct tide_site_totals totals;
	bool kernel_totals; /* totals are the kernel's: the feed adds nothing to them */
	bool known;	    /* something was charged to it (the overflow site may stay unused) */
	bool in_resync;	    /* see resync.c */
	uint64_t last_alloc_ns, last_free_ns; /* 0: never */
	struct tide_series series;
};

struct tide_site_table;

/* 0 or -ENOMEM; *ret is untouched on failure. */
int tide_site_table_new(uint32_t max_sites, const struct tide_series_cfg *cfg,
			struct tide_site_table **ret);
void tide_site_table_free(struct tide_site_table **table);

/* The index of a key's site, made with a series from ts_ns on if it is new. -ENOSPC beyond
 * max_sites, -ENOMEM.
 */
int tide_site_table_add(struct tide_site_table *table, const struct tide_series_cfg *cfg,
			uint64_t stack_key, uint64_t ts_ns, uint32_t *ret_idx);
/* idx < tide_site_table_cnt(). The pointer stays valid as long as the table. */
struct tide_site *tide_site_table_at(const struct tide_site_table *table, uint32_t idx);
/* Sites there are, the overflow site included; at least 1. */
uint32_t tide_site_table_cnt(const struct tide_site_table *table);
uint64_t tide_site_table_mem_bytes(const struct tide_site_table *table);

#endif
