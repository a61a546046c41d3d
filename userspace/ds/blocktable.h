/* One small table of a block map: an ordered open-addressing array of slots.
 *
 * Owns: nothing; it works on pages that the map has from its arena.
 * Never: allocates, knows the directory or the hash.
 * Threads: pure. Memory: none.
 *
 * A table holds the keys that share their first `depth` bits. The bits that follow choose a
 * key's home slot, in order, and entries lie in order of key: blockmap.c explains the whole.
 */
#ifndef TIDE_DS_BLOCKTABLE_H
#define TIDE_DS_BLOCKTABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ds/pagearena.h"

#define TIDE_KEY_BITS	48
#define TIDE_TAG_SHIFT	16
#define TIDE_KEY_OF_TAG (~0ULL << TIDE_TAG_SHIFT)

/* 24 bytes an entry. A tag is the 48-bit key above the high 16 bits of the size, so that one
 * comparison of tags orders keys; 0 is an empty slot (no key is 0).
 */
struct tide_slot {
	uint64_t tag;
	uint64_t birth_ns;
	uint32_t size_lo;
	uint32_t site;
};

_Static_assert(sizeof(struct tide_slot) == 24, "what 32 bytes an entry at a load of 3/4 allow");

/* A table as its directory entries see it. While its depth is less than the directory's it has
 * several entries, all alike but for cnt and keep, which count in the first one only.
 */
struct tide_table {
	struct tide_slot *slots;
	uint32_t cnt;
	uint16_t home_cnt;
	uint8_t page_cnt;
	uint8_t depth : 6;
	uint8_t stale : 1; /* cleared: the slots hold rubbish, to be zeroed at the first put */
	uint8_t keep : 1;  /* cleared: deletes do not shrink it until it has been in use again */
};

_Static_assert(sizeof(struct tide_table) == 16, "directory entries stay in the cache");

/* An ordinary table has 1 to 16 pages, 170 to 2,730 slots: moving it takes some ten
 * microseconds, and one page more or less is 6 to 12 % of it.
 */
#define TIDE_TABLE_MAX_PAGES TIDE_FRAME_PAGES
/* Only when keys crowd against the hash, see blockmap_resize.c. It bounds every probe. */
#define TIDE_TABLE_OVERSIZE_PAGES 64u

static inline uint32_t tide_table_slots(uint32_t page_cnt)
{
	return page_cnt * TIDE_PAGE_BYTES / (uint32_t)sizeof(struct tide_slot);
}

/* The load a table grows beyond. */
static inline uint32_t tide_table_limit(uint32_t page_cnt)
{
	return tide_table_slots(page_cnt) * 27 / 32;
}

/* The load a table has at most after it shrank: far enough from the limit that a count going to
 * and fro does not resize it each time.
 */
static inline uint32_t tide_table_roomy(uint32_t page_cnt)
{
	return tide_table_slots(page_cnt) * 25 / 32;
}

static inline uint32_t tide_table_home(const struct tide_table *table, uint64_t tag)
{
	uint64_t follow = ((tag & TIDE_KEY_OF_TAG) << table->depth) >> 32;

	return (uint32_t)(follow * table->home_cnt >> 32);
}

static inline bool tide_tag_same_key(uint64_t a, uint64_t b)
{
	return !((a ^ b) >> TIDE_TAG_SHIFT);
}

/* The slot of the key of tag (with size bits 0), or the place where it would have to go. The
 * last slot is always empty and so ends every probe.
 */
static inline struct tide_slot *tide_table_seek(const struct tide_table *table, uint64_t tag)
{
	struct tide_slot *slot = &table->slots[tide_table_home(table, tag)];

	/* Empty (0) minus one is the greatest number: one comparison stops at both. */
	while (slot->tag - 1 < tag - 1)
		slot++;
	return slot;
}

/* Sets memory and size; does not touch the slots. */
void tide_table_init(struct tide_table *table, void *run, uint32_t page_cnt, uint32_t depth);
/* Empties the slots; leaves the counts alone. */
void tide_table_zero(const struct tide_table *table);

/* Makes the place from tide_table_seek() free, moving what follows up, and counts it. False
 * when that would run over the end; then the table is unchanged.
 */
bool tide_table_open(struct tide_table *table, struct tide_slot *where);
/* Takes out the entry at where and closes the gap. */
void tide_table_close(struct tide_table *table, struct tide_slot *where);

/* Fills a table anew from others, whatever lay in its memory before. */
struct tide_table_fill {
	struct tide_table *table;
	uint32_t next;
};

void tide_table_fill_begin(struct tide_table_fill *fill, struct tide_table *table);
/* Appends the entries of src whose tags are in [from, to], all above those already there.
 * False: they do not fit.
 */
bool tide_table_fill_from(struct tide_table_fill *fill, const struct tide_table *src, uint64_t from,
			  uint64_t to);
void tide_table_fill_end(struct tide_table_fill *fill);
/* How many entries have tags in [from, to]. */
uint32_t tide_table_count(const struct tide_table *table, uint64_t from, uint64_t to);

#endif
