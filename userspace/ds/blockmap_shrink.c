/* Giving capacity back on request: clear, shrink_to, trim. Deletes shrink by themselves, see
 * tide_blockmap_relax(); only a clear leaves tables larger than what they hold (`keep`).
 */
#include "ds/blockmap_internal.h"

#include <string.h>

/* Tables one trim looks at, a few milliseconds at the very most. */
#define TRIM_TABLES 256

void tide_blockmap_clear(struct tide_blockmap *map)
{
	for (uint64_t i = 0; i < 1ULL << map->dir_depth; i++) {
		map->dir[i].cnt = 0;
		map->dir[i].stale = 1;
		map->dir[i].keep = 1;
	}
	map->cnt = 0;
}

static struct tide_table *first_entry(struct tide_blockmap *map, uint64_t tag)
{
	return &map->dir[tide_blockmap_span(map, tag).first];
}

/* Cuts the table at tag to what its share of n entries needs, merging as far as that goes.
 * Returns the tag behind it, 0 behind the last.
 */
static uint64_t cut_table(struct tide_blockmap *map, uint64_t tag, uint64_t n)
{
	struct tide_table *table = first_entry(map, tag);
	struct tide_span span;
	uint64_t want;
	uint32_t page_cnt;

	table->keep = 0;
	while (table->depth && tide_blockmap_merge(map, tag, n >> (table->depth - 1)))
		table = first_entry(map, tag);
	want = n >> table->depth;
	page_cnt = tide_blockmap_pages_for(want > table->cnt ? want : table->cnt);
	if (page_cnt < table->page_cnt)
		tide_blockmap_resize(map, tag, page_cnt);
	span = tide_blockmap_span(map, tag);
	table = &map->dir[span.first];
	table->keep = want > table->cnt;
	return (uint64_t)(span.first + span.cnt) << (63 - map->dir_depth) << 1;
}

void tide_blockmap_shrink_to(struct tide_blockmap *map, uint64_t n)
{
	uint64_t tag = 0;

	if (n < map->cnt)
		n = map->cnt;
	for (uint64_t i = 0; i < 1ULL << map->dir_depth; i++)
		map->dir[i].keep = 0;
	do
		tag = cut_table(map, tag, n);
	while (tag);
	tide_pagearena_purge(&map->arena);
}

void tide_blockmap_shrink_to_fit(struct tide_blockmap *map)
{
	tide_blockmap_shrink_to(map, 0);
}

void tide_blockmap_trim(struct tide_blockmap *map)
{
	uint64_t need = 0;

	for (int i = 0; i < TIDE_PEAK_PERIODS; i++) {
		if (map->peaks[i] > need)
			need = map->peaks[i];
	}
	memmove(&map->peaks[1], &map->peaks[0], sizeof(map->peaks) - sizeof(map->peaks[0]));
	map->peaks[0] = map->cnt;

	for (int i = 0; i < TRIM_TABLES; i++) {
		if (map->slot_cnt * 25 / 32 <= 2 * need + tide_table_slots(1))
			return;
		map->trim_tag = cut_table(map, map->trim_tag, need);
	}
}
