#include "ds/blocktable.h"

#include <string.h>

/* Slots behind the last home, where the entries pushed up at the end come to lie. At the limit's
 * load a queue is longer in one table of 30,000; that one then grows a step early.
 */
#define TAIL_SLOTS 32u

void tide_table_init(struct tide_table *table, void *run, uint32_t page_cnt, uint32_t depth)
{
	uint32_t slot_cnt = tide_table_slots(page_cnt);
	uint32_t tail = slot_cnt / 8 < TAIL_SLOTS ? slot_cnt / 8 : TAIL_SLOTS;

	memset(table, 0, sizeof(*table));
	table->slots = run;
	table->home_cnt = (uint16_t)(slot_cnt - tail);
	table->page_cnt = (uint8_t)page_cnt;
	table->depth = depth & 63;
}

void tide_table_zero(const struct tide_table *table)
{
	memset(table->slots, 0, (size_t)table->page_cnt * TIDE_PAGE_BYTES);
}

bool tide_table_open(struct tide_table *table, struct tide_slot *where)
{
	struct tide_slot *last = &table->slots[tide_table_slots(table->page_cnt) - 1];
	struct tide_slot *gap = where;

	while (gap->tag)
		gap++;
	if (gap == last)
		return false;
	memmove(where + 1, where, (size_t)(gap - where) * sizeof(*where));
	table->cnt++;
	return true;
}

void tide_table_close(struct tide_table *table, struct tide_slot *where)
{
	struct tide_slot *end = where + 1;

	while (end->tag && tide_table_home(table, end->tag) < (uint32_t)(end - table->slots))
		end++;
	memmove(where, where + 1, (size_t)(end - where - 1) * sizeof(*where));
	end[-1].tag = 0;
	table->cnt--;
}

void tide_table_fill_begin(struct tide_table_fill *fill, struct tide_table *table)
{
	fill->table = table;
	fill->next = 0;
	table->cnt = 0;
}

static void zero_slots(struct tide_table *table, uint32_t first, uint32_t end)
{
	for (; first < end; first++)
		table->slots[first].tag = 0;
}

bool tide_table_fill_from(struct tide_table_fill *fill, const struct tide_table *src, uint64_t from,
			  uint64_t to)
{
	struct tide_table *table = fill->table;
	uint32_t last = tide_table_slots(table->page_cnt) - 1;
	const struct tide_slot *slot = src->slots;

	for (uint32_t left = src->stale ? 0 : src->cnt; left; slot++) {
		uint32_t at;

		if (!slot->tag)
			continue;
		left--;
		if (slot->tag < from || slot->tag > to)
			continue;
		at = tide_table_home(table, slot->tag);
		if (at < fill->next)
			at = fill->next;
		if (at >= last)
			return false;
		zero_slots(table, fill->next, at);
		table->slots[at] = *slot;
		fill->next = at + 1;
		table->cnt++;
	}
	return true;
}

void tide_table_fill_end(struct tide_table_fill *fill)
{
	zero_slots(fill->table, fill->next, tide_table_slots(fill->table->page_cnt));
}

uint32_t tide_table_count(const struct tide_table *table, uint64_t from, uint64_t to)
{
	const struct tide_slot *slot = table->slots;
	uint32_t cnt = 0;

	for (uint32_t left = table->stale ? 0 : table->cnt; left; slot++) {
		left -= !!slot->tag;
		cnt += slot->tag && slot->tag >= from && slot->tag <= to;
	}
	return cnt;
}
