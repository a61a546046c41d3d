/* The inside of a block map, for its own files and their tests.
 *
 * Owns: the struct. Threads and memory: see blockmap.h.
 */
#ifndef TIDE_DS_BLOCKMAP_INTERNAL_H
#define TIDE_DS_BLOCKMAP_INTERNAL_H

#include "ds/blockmap.h"
#include "ds/blocktable.h"
#include "ds/pagearena.h"

#define TIDE_MIX_ROUNDS	  3
#define TIDE_PEAK_PERIODS 4

struct tide_blockmap {
	struct tide_table *dir;
	uint32_t dir_depth; /* at least 1: a shift by 64 - 0 would be undefined */
	uint64_t cnt;
	uint64_t mul[TIDE_MIX_ROUNDS]; /* secret, odd */
	uint64_t inv[TIDE_MIX_ROUNDS]; /* their inverses modulo 2^48 */
	uint64_t slot_cnt;
	uint32_t depth_cnt[TIDE_KEY_BITS + 1]; /* tables of each depth */
	uint64_t peaks[TIDE_PEAK_PERIODS]; /* greatest count of the periods between trims; [0] is
					      now's */
	uint64_t trim_tag;		   /* where the next trim goes on */
	struct tide_pagearena arena;
};

/* As tide_blockmap_new(), with memory from map_fn. */
int tide_blockmap_new_from(tide_pages_map_fn map_fn, void *map_ctx, struct tide_blockmap **ret_map);
/* Replaces the secret of an empty map. */
void tide_blockmap_seed(struct tide_blockmap *map, const uint64_t mul[TIDE_MIX_ROUNDS]);
/* The tag (key << 16) of an address, and back. */
uint64_t tide_blockmap_tag(const struct tide_blockmap *map, uint64_t addr);
uint64_t tide_blockmap_addr(const struct tide_blockmap *map, uint64_t tag);

/* The directory entries of one table: dir[first .. first + cnt). */
struct tide_span {
	uint32_t first;
	uint32_t cnt;
};

struct tide_span tide_blockmap_span(const struct tide_blockmap *map, uint64_t tag);
/* Writes table into all entries of span. */
void tide_blockmap_publish(struct tide_blockmap *map, struct tide_span span,
			   const struct tide_table *table);
/* Pages for cnt entries with some room, 1 at least; may exceed TIDE_TABLE_MAX_PAGES. */
uint32_t tide_blockmap_pages_for(uint64_t cnt);

/* Makes room for one more entry near tag: a larger table, or a split. 0 or -ENOMEM. */
int tide_blockmap_grow(struct tide_blockmap *map, uint64_t tag);
/* Moves the table at tag to page_cnt pages. 0, -ENOMEM, or -ENOSPC (does not fit). */
int tide_blockmap_resize(struct tide_blockmap *map, uint64_t tag, uint32_t page_cnt);
/* After deletes at tag: one page less, and merges upward as far as they go. */
void tide_blockmap_relax(struct tide_blockmap *map, uint64_t tag);
/* Merges the table at tag with its buddy into a table for at least want entries. False: no. */
bool tide_blockmap_merge(struct tide_blockmap *map, uint64_t tag, uint64_t want);
/* The other half of a split; its depth differs when it is split further. NULL at depth 0. */
struct tide_table *tide_blockmap_buddy(struct tide_blockmap *map, uint64_t tag);

#endif
