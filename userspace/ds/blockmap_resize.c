/* How the block map's tables grow, split, shrink and merge; blockmap.c has the picture.
 *
 * Each step builds its new tables first and publishes them in the directory last, so a refused
 * page leaves the map as it was.
 */
#include "ds/blockmap_internal.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

/* The directory may have this many entries plus one for each so many blocks. The hash spreads
 * keys so that it needs one for 1,000; whoever makes it need more has broken the secret, and
 * then tables grow beyond their ordinary size instead of the directory without end.
 */
#define DIR_FREE_ENTRIES     4096u
#define DIR_BLOCKS_PER_ENTRY 64u

uint32_t tide_blockmap_pages_for(uint64_t cnt)
{
	uint64_t page_cnt = cnt * 32 * 24 / (26 * TIDE_PAGE_BYTES) + 1;

	return page_cnt > TIDE_TABLE_OVERSIZE_PAGES ? TIDE_TABLE_OVERSIZE_PAGES + 1
						    : (uint32_t)page_cnt;
}

static size_t dir_bytes(uint32_t depth)
{
	return (sizeof(struct tide_table) << depth) < TIDE_PAGE_BYTES
		       ? TIDE_PAGE_BYTES
		       : sizeof(struct tide_table) << depth;
}

static int dir_double(struct tide_blockmap *map)
{
	uint64_t entries = 2ULL << map->dir_depth;
	struct tide_table *dir;

	if (entries > DIR_FREE_ENTRIES + map->cnt / DIR_BLOCKS_PER_ENTRY)
		return -ENOSPC;
	dir = tide_pagearena_map(&map->arena, dir_bytes(map->dir_depth + 1));
	if (!dir)
		return -ENOMEM;
	for (uint64_t i = 0; i < entries; i++)
		dir[i] = map->dir[i / 2];
	tide_pagearena_unmap(map->dir, dir_bytes(map->dir_depth));
	map->dir = dir;
	map->dir_depth++;
	return 0;
}

/* Halves the directory while no table needs its last bit. Not being able to is no failure. */
static void dir_halve(struct tide_blockmap *map)
{
	while (map->dir_depth > 1 && !map->depth_cnt[map->dir_depth]) {
		struct tide_table *dir;

		dir = tide_pagearena_map(&map->arena, dir_bytes(map->dir_depth - 1));
		if (!dir)
			return;
		for (uint64_t i = 0; i < 1ULL << (map->dir_depth - 1); i++)
			dir[i] = map->dir[2 * i];
		tide_pagearena_unmap(map->dir, dir_bytes(map->dir_depth));
		map->dir = dir;
		map->dir_depth--;
	}
}

/* A table of page_cnt pages with src's entries of [from, to]; *ret is untouched on failure. */
static int table_from(struct tide_blockmap *map, const struct tide_table *src, uint64_t from,
		      uint64_t to, struct tide_table *ret)
{
	struct tide_table table = *ret;
	struct tide_table_fill fill;
	void *run;

	run = tide_pagearena_alloc(&map->arena, table.page_cnt);
	if (!run)
		return -ENOMEM;
	tide_table_init(&table, run, table.page_cnt, table.depth);
	tide_table_fill_begin(&fill, &table);
	if (!tide_table_fill_from(&fill, src, from, to)) {
		tide_pagearena_free(&map->arena, run, table.page_cnt);
		return -ENOSPC;
	}
	tide_table_fill_end(&fill);
	*ret = table;
	return 0;
}

int tide_blockmap_resize(struct tide_blockmap *map, uint64_t tag, uint32_t page_cnt)
{
	struct tide_span span = tide_blockmap_span(map, tag);
	struct tide_table old = map->dir[span.first];
	struct tide_table table = {.page_cnt = (uint8_t)page_cnt, .depth = old.depth};
	int r;

	if (page_cnt > TIDE_TABLE_OVERSIZE_PAGES)
		return -ENOMEM;
	r = table_from(map, &old, 0, UINT64_MAX, &table);
	if (r)
		return r;
	tide_blockmap_publish(map, span, &table);
	tide_pagearena_free(&map->arena, old.slots, old.page_cnt);
	map->slot_cnt += tide_table_slots(page_cnt);
	map->slot_cnt -= tide_table_slots(old.page_cnt);
	return 0;
}

/* One half of a split. */
static int make_half(struct tide_blockmap *map, const struct tide_table *old, uint64_t from,
		     uint64_t to, struct tide_table *ret)
{
	uint32_t page_cnt = tide_blockmap_pages_for(tide_table_count(old, from, to));
	int r;

	if (page_cnt > TIDE_TABLE_OVERSIZE_PAGES)
		return -ENOSPC;
	*ret = (struct tide_table){.page_cnt = (uint8_t)page_cnt, .depth = (old->depth + 1) & 63};
	do
		r = table_from(map, old, from, to, ret);
	while (r == -ENOSPC && ret->page_cnt++ < TIDE_TABLE_OVERSIZE_PAGES);
	return r;
}

static int split(struct tide_blockmap *map, uint64_t tag)
{
	struct tide_table halves[2], old;
	struct tide_span span;
	uint64_t bit, low;
	int r = 0;

	span = tide_blockmap_span(map, tag);
	if (span.cnt == 1) {
		r = dir_double(map);
		if (r)
			return r;
		span = tide_blockmap_span(map, tag);
	}
	old = map->dir[span.first];
	bit = 1ULL << (63 - old.depth);
	low = tag & ~(2 * bit - 1);
	r = make_half(map, &old, low, low | (bit - 1), &halves[0]);
	if (r)
		return r;
	r = make_half(map, &old, low | bit, low | bit | (bit - 1), &halves[1]);
	if (r) {
		tide_pagearena_free(&map->arena, halves[0].slots, halves[0].page_cnt);
		return r;
	}
	span.cnt /= 2;
	tide_blockmap_publish(map, span, &halves[0]);
	span.first += span.cnt;
	tide_blockmap_publish(map, span, &halves[1]);
	tide_pagearena_free(&map->arena, old.slots, old.page_cnt);
	map->depth_cnt[old.depth]--;
	map->depth_cnt[old.depth + 1] += 2;
	map->slot_cnt += tide_table_slots(halves[0].page_cnt) +
			 tide_table_slots(halves[1].page_cnt) - tide_table_slots(old.page_cnt);
	return 0;
}

int tide_blockmap_grow(struct tide_blockmap *map, uint64_t tag)
{
	struct tide_span span = tide_blockmap_span(map, tag);
	uint32_t page_cnt = map->dir[span.first].page_cnt;
	int r;

	if (page_cnt >= TIDE_TABLE_MAX_PAGES && map->dir[span.first].depth < TIDE_KEY_BITS - 16) {
		r = split(map, tag);
		if (r != -ENOSPC)
			return r;
	}
	do
		r = tide_blockmap_resize(map, tag, page_cnt += 1 + page_cnt / 16);
	while (r == -ENOSPC);
	return r;
}

struct tide_table *tide_blockmap_buddy(struct tide_blockmap *map, uint64_t tag)
{
	struct tide_span span = tide_blockmap_span(map, tag);

	return map->dir[span.first].depth ? &map->dir[span.first ^ span.cnt] : NULL;
}

/* Merges when both have the same depth and the sum is well below what splits again. */
bool tide_blockmap_merge(struct tide_blockmap *map, uint64_t tag, uint64_t want)
{
	struct tide_span span = tide_blockmap_span(map, tag), both;
	struct tide_table *left, *right, table;
	struct tide_table_fill fill;
	uint32_t page_cnt;
	void *run;

	if (!map->dir[span.first].depth)
		return false;
	both = (struct tide_span){.first = span.first & ~span.cnt, .cnt = 2 * span.cnt};
	left = &map->dir[both.first];
	right = &map->dir[both.first + span.cnt];
	if (left->depth != right->depth)
		return false;
	if (want < left->cnt + right->cnt)
		want = left->cnt + right->cnt;
	page_cnt = tide_blockmap_pages_for(want);
	if (page_cnt > TIDE_TABLE_MAX_PAGES * 3 / 4)
		return false;
	run = tide_pagearena_alloc(&map->arena, page_cnt);
	if (!run)
		return false;
	tide_table_init(&table, run, page_cnt, left->depth - 1u);
	tide_table_fill_begin(&fill, &table);
	if (!tide_table_fill_from(&fill, left, 0, UINT64_MAX) ||
	    !tide_table_fill_from(&fill, right, 0, UINT64_MAX)) {
		tide_pagearena_free(&map->arena, run, page_cnt);
		return false;
	}
	tide_table_fill_end(&fill);
	map->slot_cnt += tide_table_slots(page_cnt);
	map->slot_cnt -= tide_table_slots(left->page_cnt) + tide_table_slots(right->page_cnt);
	map->depth_cnt[table.depth + 1] -= 2;
	map->depth_cnt[table.depth]++;
	tide_pagearena_free(&map->arena, left->slots, left->page_cnt);
	tide_pagearena_free(&map->arena, right->slots, right->page_cnt);
	tide_blockmap_publish(map, both, &table);
	dir_halve(map);
	return true;
}

void tide_blockmap_relax(struct tide_blockmap *map, uint64_t tag)
{
	struct tide_table *buddy = tide_blockmap_buddy(map, tag);
	bool merged = false;

	while (buddy && !buddy->keep && tide_blockmap_merge(map, tag, 0)) {
		buddy = tide_blockmap_buddy(map, tag);
		merged = true;
	}
	if (!merged)
		tide_blockmap_resize(map, tag,
				     map->dir[tide_blockmap_span(map, tag).first].page_cnt - 1u);
}
