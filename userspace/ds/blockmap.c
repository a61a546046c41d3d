/* The block map: extendible hashing over small ordered tables.
 *
 *   address --mix--> key, 48 bits:  [ d d d | h h h h h h h h ... . . . . . ]
 *                                     |       |
 *     directory (2^depth entries)     |       |  position in the table: bits * homes / 2^32
 *     +-----+                         |       |
 *     | 000 |---> table, depth 2 <----+       |        one table, 1 to 16 pages
 *     | 001 |--/                              v
 *     | 010 |---> table, depth 3        +----+----+----+----+----+----+-----+------+
 *     | 011 |---> table, depth 3        | 03 | 07 |    | 1a | 1b | 1e |     | tail |
 *     | 100 |---> table, depth 1        +----+----+----+----+----+----+-----+------+
 *     | 101 |--/                          entries in order of key, gaps between them
 *     | 110 |--/
 *     | 111 |--/
 *
 * The profiler that reports tables which never shrink must not have one. Hence nothing here is
 * done to the whole: a table that is full moves to one page more; at 16 pages it splits in two
 * and, if it was the only one behind its directory entry, the directory (16 bytes for some 1,700
 * blocks) doubles. Deletes run the same film backwards: a page less, two buddies merge, the
 * directory halves once no table needs its last bit. The longest call moves one table.
 *
 * The key is a permutation of the address, not a hash of it: multiplications by odd numbers and
 * shifts, all of which have inverses. So the address need not be stored, two addresses never
 * have the same key, and the slot's first word orders entries, finds its home, says "empty" (0
 * is the key of address 0 only) and carries the size's high bits. The multipliers are random for
 * each map: a target that chooses its addresses cannot choose its keys.
 *
 * Tables are linear probing in order: an entry lies at its home or after it, with no gap in
 * between, and keys ascend. What that buys:
 *   - a miss ends at the first greater key, as early as a hit;
 *   - a put moves what follows up to the next gap, a delete moves it back: no tombstones;
 *   - a table in order of key is in order of home for any size, so resize, split and merge are
 *     one sweep each, without a search and without computing anything anew;
 *   - the whole map is in order of key, so a scan's cursor is a key and survives any change.
 *
 * A good hash fills all tables at once. Had they fixed sizes, all would be half full at the same
 * time; moving in steps of a page keeps each at 70 to 84 % of its slots, 29 to 32 bytes an
 * entry with all that belongs to it. Page arithmetic is why a table lies in a frame
 * of its own (pagearena.h): its last page goes back to the system with one madvise(), without
 * regard to its neighbours.
 *
 * Tried and left: buckets of eight with the keys in a cache line of their own (no moving of
 * slots, but two cache misses a call instead of one, and three when a bucket is full: slower by
 * a third at 10 M), tables packed in 2 MB huge pages (faster lookups, but holes as tables grow:
 * four page faults for each page kept), counting a window of slots without branches (reads
 * four lines where one will do). README.md has the figures.
 */
#include "ds/blockmap_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/util.h"

#define KEY_MASK       ((1ULL << TIDE_KEY_BITS) - 1)
#define PREFETCH_BYTES 256u /* the home and the slots a put there moves, as a rule */
#define DIR_DEPTH_MIN  1u
#define DIR_PAGE_DEPTH 8u /* 2^8 entries of 16 bytes are one page */

/* Inverse of an odd number modulo 2^64 (Newton: each step doubles the right low bits). */
static uint64_t inverse_odd(uint64_t x)
{
	uint64_t inv = x;

	for (int i = 0; i < 5; i++)
		inv *= 2 - x * inv;
	return inv;
}

void tide_blockmap_seed(struct tide_blockmap *map, const uint64_t mul[TIDE_MIX_ROUNDS])
{
	for (int i = 0; i < TIDE_MIX_ROUNDS; i++) {
		map->mul[i] = mul[i] | 1;
		map->inv[i] = inverse_odd(map->mul[i]);
	}
}

/* 0 goes to 0 and nothing else does, so that an empty slot's tag is no key's. */
uint64_t tide_blockmap_tag(const struct tide_blockmap *map, uint64_t addr)
{
	uint64_t key = addr * map->mul[0] & KEY_MASK;

	key ^= key >> 24;
	key = key * map->mul[1] & KEY_MASK;
	key ^= key >> 24;
	return key * map->mul[2] << TIDE_TAG_SHIFT;
}

/* A shift by half the width is its own inverse. */
uint64_t tide_blockmap_addr(const struct tide_blockmap *map, uint64_t tag)
{
	uint64_t key = (tag >> TIDE_TAG_SHIFT) * map->inv[2] & KEY_MASK;

	key ^= key >> 24;
	key = key * map->inv[1] & KEY_MASK;
	key ^= key >> 24;
	return key * map->inv[0] & KEY_MASK;
}

static inline uint32_t dir_index(const struct tide_blockmap *map, uint64_t tag)
{
	return (uint32_t)(tag >> (64 - map->dir_depth));
}

static inline uint32_t span_first(const struct tide_blockmap *map, uint32_t index, uint32_t depth)
{
	return index & ~((1u << (map->dir_depth - depth)) - 1);
}

struct tide_span tide_blockmap_span(const struct tide_blockmap *map, uint64_t tag)
{
	uint32_t index = dir_index(map, tag);
	uint32_t depth = map->dir[index].depth;

	return (struct tide_span){
		.first = span_first(map, index, depth),
		.cnt = 1u << (map->dir_depth - depth),
	};
}

void tide_blockmap_publish(struct tide_blockmap *map, struct tide_span span,
			   const struct tide_table *table)
{
	for (uint32_t i = 0; i < span.cnt; i++)
		map->dir[span.first + i] = *table;
}

static size_t dir_bytes(uint32_t depth)
{
	if (depth < DIR_PAGE_DEPTH)
		depth = DIR_PAGE_DEPTH;
	return sizeof(struct tide_table) << depth;
}

static void init_secret(struct tide_blockmap *map)
{
	uint64_t mul[TIDE_MIX_ROUNDS];

	/* Without entropy yet (early boot) an address of our own is the best there is. */
	if (getrandom(mul, sizeof(mul), GRND_NONBLOCK) != (ssize_t)sizeof(mul)) {
		for (int i = 0; i < TIDE_MIX_ROUNDS; i++)
			mul[i] = ((uintptr_t)map >> 4) * 0x9e3779b97f4a7c15ULL +
				 (uint64_t)i * 0xbf58476d1ce4e5b9ULL;
	}
	tide_blockmap_seed(map, mul);
}

static int init_tables(struct tide_blockmap *map)
{
	struct tide_table table;
	void *run;

	map->dir_depth = DIR_DEPTH_MIN;
	map->dir = tide_pagearena_map(&map->arena, dir_bytes(map->dir_depth));
	if (!map->dir)
		return -ENOMEM;
	run = tide_pagearena_alloc(&map->arena, 1);
	if (!run)
		return -ENOMEM;
	tide_table_init(&table, run, 1, 0);
	tide_table_zero(&table);
	tide_blockmap_publish(map, (struct tide_span){0, 1u << map->dir_depth}, &table);
	map->slot_cnt = tide_table_slots(1);
	map->depth_cnt[0] = 1;
	return 0;
}

int tide_blockmap_new_from(tide_pages_map_fn map_fn, void *map_ctx, struct tide_blockmap **ret_map)
{
	TIDE_CLEANUP(tide_blockmap_free) struct tide_blockmap *map = NULL;
	int r;

	map = calloc(1, sizeof(*map));
	if (!map)
		return -ENOMEM;
	tide_pagearena_init(&map->arena, map_fn, map_ctx);
	init_secret(map);
	r = init_tables(map);
	if (r)
		return r;
	*ret_map = TIDE_TAKE_PTR(map);
	return 0;
}

int tide_blockmap_new(struct tide_blockmap **ret_map)
{
	return tide_blockmap_new_from(tide_pages_from_system, NULL, ret_map);
}

void tide_blockmap_free(struct tide_blockmap **map)
{
	if (!map || !*map)
		return;
	tide_pagearena_unmap((*map)->dir, dir_bytes((*map)->dir_depth));
	tide_pagearena_fini(&(*map)->arena);
	free(*map);
	*map = NULL;
}

static void block_of(const struct tide_blockmap *map, const struct tide_slot *slot,
		     struct tide_block *ret)
{
	ret->addr = tide_blockmap_addr(map, slot->tag);
	ret->block_bytes = (slot->tag & 0xffff) << 32 | slot->size_lo;
	ret->birth_ns = slot->birth_ns;
	ret->site = slot->site;
}

static struct tide_table *table_of(const struct tide_blockmap *map, uint64_t tag)
{
	return &map->dir[dir_index(map, tag)];
}

/* The table's first directory entry, the one that counts. */
static struct tide_table *first_entry(struct tide_blockmap *map, uint64_t tag)
{
	uint32_t index = dir_index(map, tag);

	return &map->dir[span_first(map, index, map->dir[index].depth)];
}

void tide_blockmap_prefetch(const struct tide_blockmap *map, uint64_t addr)
{
	uint64_t tag = tide_blockmap_tag(map, addr);
	const struct tide_table *table = table_of(map, tag);
	const char *home = (const char *)&table->slots[tide_table_home(table, tag)];

	for (uint32_t i = 0; i < PREFETCH_BYTES; i += 64)
		__builtin_prefetch(home + i, 1);
}

bool tide_blockmap_get(const struct tide_blockmap *map, uint64_t addr, struct tide_block *ret)
{
	uint64_t tag = tide_blockmap_tag(map, addr);
	const struct tide_table *table = table_of(map, tag);
	const struct tide_slot *slot;

	if (!addr || addr > KEY_MASK || table->stale)
		return false;
	slot = tide_table_seek(table, tag);
	if (!tide_tag_same_key(slot->tag, tag))
		return false;
	if (ret)
		block_of(map, slot, ret);
	return true;
}

/* Zeroes what a clear left behind. */
static void wake_table(struct tide_blockmap *map, uint64_t tag)
{
	struct tide_span span = tide_blockmap_span(map, tag);

	tide_table_zero(&map->dir[span.first]);
	for (uint32_t i = 0; i < span.cnt; i++)
		map->dir[span.first + i].stale = 0;
}

static void write_slot(struct tide_slot *slot, uint64_t tag, const struct tide_block *block)
{
	*slot = (struct tide_slot){
		.tag = tag | block->block_bytes >> 32,
		.birth_ns = block->birth_ns,
		.size_lo = (uint32_t)block->block_bytes,
		.site = block->site,
	};
}

static int put_new(struct tide_blockmap *map, struct tide_slot *slot, uint64_t tag,
		   const struct tide_block *block)
{
	struct tide_table *table = first_entry(map, tag);
	bool crowded = table->cnt >= tide_table_limit(table->page_cnt);
	int r = 0;

	while (crowded || !tide_table_open(table, slot)) {
		/* Without memory a table may fill up to its last slot. */
		if (r)
			return r;
		r = tide_blockmap_grow(map, tag);
		table = first_entry(map, tag);
		slot = tide_table_seek(table, tag);
		crowded = false;
	}
	write_slot(slot, tag, block);
	if (table->keep && table->cnt >= tide_table_roomy(table->page_cnt - 1u))
		table->keep = 0;
	map->cnt++;
	if (map->cnt > map->peaks[0])
		map->peaks[0] = map->cnt;
	return 0;
}

int tide_blockmap_put(struct tide_blockmap *map, const struct tide_block *block,
		      struct tide_block *ret_old)
{
	struct tide_slot *slot;
	uint64_t tag;

	if (!block->addr || block->addr > KEY_MASK || block->block_bytes > KEY_MASK)
		return -EINVAL;
	tag = tide_blockmap_tag(map, block->addr);
	if (table_of(map, tag)->stale)
		wake_table(map, tag);
	slot = tide_table_seek(table_of(map, tag), tag);
	if (!tide_tag_same_key(slot->tag, tag))
		return put_new(map, slot, tag, block);
	if (ret_old)
		block_of(map, slot, ret_old);
	write_slot(slot, tag, block);
	return 1;
}

bool tide_blockmap_del(struct tide_blockmap *map, uint64_t addr, struct tide_block *ret)
{
	uint64_t tag = tide_blockmap_tag(map, addr);
	struct tide_table *table = first_entry(map, tag);
	struct tide_slot *slot;

	if (!addr || addr > KEY_MASK || table->stale)
		return false;
	slot = tide_table_seek(table, tag);
	if (!tide_tag_same_key(slot->tag, tag))
		return false;
	if (ret)
		block_of(map, slot, ret);
	tide_table_close(table, slot);
	map->cnt--;
	if (table->page_cnt > 1 && !table->keep &&
	    table->cnt < tide_table_roomy(table->page_cnt - 1u))
		tide_blockmap_relax(map, tag);
	return true;
}

uint64_t tide_blockmap_cnt(const struct tide_blockmap *map)
{
	return map->cnt;
}

uint64_t tide_blockmap_mem_bytes(const struct tide_blockmap *map)
{
	return sizeof(*map) + dir_bytes(map->dir_depth) + tide_pagearena_bytes(&map->arena);
}

uint64_t tide_blockmap_capacity(const struct tide_blockmap *map)
{
	return map->slot_cnt;
}

/* Visits the entries of a table from tag on. */
static size_t scan_table(const struct tide_blockmap *map, const struct tide_table *table,
			 uint64_t from_tag, tide_blockmap_fn fn, void *ctx)
{
	const struct tide_slot *slot = table->slots;
	struct tide_block block;
	size_t visited = 0;

	for (uint32_t left = table->stale ? 0 : table->cnt; left; slot++) {
		if (!slot->tag)
			continue;
		left--;
		if (slot->tag < from_tag)
			continue;
		block_of(map, slot, &block);
		fn(&block, ctx);
		visited++;
	}
	return visited;
}

/* The cursor is the first key not yet seen. Keys never change and tables hold ranges of keys,
 * so whatever splits and merges between calls, what is behind the cursor has been seen.
 */
bool tide_blockmap_scan(const struct tide_blockmap *map, uint64_t *cursor, size_t min_visit,
			tide_blockmap_fn fn, void *ctx)
{
	uint64_t key = *cursor;
	size_t visited = 0;

	while (key <= KEY_MASK) {
		struct tide_span span = tide_blockmap_span(map, key << TIDE_TAG_SHIFT);

		visited += scan_table(map, &map->dir[span.first], key << TIDE_TAG_SHIFT, fn, ctx);
		key = (uint64_t)(span.first + span.cnt) << (TIDE_KEY_BITS - map->dir_depth);
		if (visited >= min_visit)
			break;
	}
	*cursor = key;
	return key <= KEY_MASK;
}
