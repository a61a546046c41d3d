/* Sites in chunks that never move, found through an open-addressing index.
 *
 * The index holds site numbers only (0 is free: the overflow site needs no entry), at most
 * half full, with linear probing; sites are never removed, so there are no tombstones. It
 * doubles at once: 64 K entries are rehashed in about a millisecond, and as often as that
 * number has bits.
 */
#include "retain/site.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

#define CHUNK_SITES   32
#define INDEX_MIN_CNT 256

struct tide_site_table {
	struct tide_site **chunks;
	uint32_t chunk_cnt, chunk_max;
	uint32_t *index;
	uint32_t index_cnt; /* a power of two */
	uint32_t site_cnt, max_sites;
	uint64_t last_key; /* the feed comes in runs of one site */
	uint32_t last_idx;
};

static uint32_t *index_slot(const struct tide_site_table *table, uint64_t stack_key)
{
	uint32_t mask = table->index_cnt - 1;
	/* Keys are hashes already, but of unknown quality: one multiplication (Knuth's). */
	uint32_t i = (uint32_t)((stack_key * 0x9e3779b97f4a7c15ULL) >> 32) & mask;

	while (table->index[i] &&
	       tide_site_table_at(table, table->index[i])->stack_key != stack_key)
		i = (i + 1) & mask;
	return &table->index[i];
}

static int grow_index(struct tide_site_table *table)
{
	uint32_t cnt = table->index_cnt ? table->index_cnt * 2 : INDEX_MIN_CNT;
	uint32_t *index = calloc(cnt, sizeof(*index));

	if (!index)
		return -ENOMEM;
	free(table->index);
	table->index = index;
	table->index_cnt = cnt;
	for (uint32_t idx = 1; idx < table->site_cnt; idx++)
		*index_slot(table, tide_site_table_at(table, idx)->stack_key) = idx;
	return 0;
}

static int add_site(struct tide_site_table *table, const struct tide_series_cfg *cfg,
		    uint64_t stack_key, uint64_t ts_ns)
{
	struct tide_site *site;

	if (table->site_cnt == table->chunk_cnt * CHUNK_SITES) {
		struct tide_site *chunk = malloc(CHUNK_SITES * sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		table->chunks[table->chunk_cnt++] = chunk;
	}
	site = tide_site_table_at(table, table->site_cnt++);
	*site = (struct tide_site){.stack_key = stack_key};
	tide_series_init(&site->series, cfg, ts_ns);
	return 0;
}

int tide_site_table_new(uint32_t max_sites, const struct tide_series_cfg *cfg,
			struct tide_site_table **ret)
{
	TIDE_CLEANUP(tide_site_table_free) struct tide_site_table *table = NULL;
	int r;

	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->max_sites = max_sites;
	table->chunk_max = max_sites / CHUNK_SITES + 1;
	table->chunks = calloc(table->chunk_max, sizeof(*table->chunks));
	if (!table->chunks)
		return -ENOMEM;
	r = grow_index(table);
	if (r)
		return r;
	r = add_site(table, cfg, 0, cfg->start_ns);
	if (r)
		return r;
	*ret = TIDE_TAKE_PTR(table);
	return 0;
}

void tide_site_table_free(struct tide_site_table **table)
{
	struct tide_site_table *t = *table;

	if (!t)
		return;
	for (uint32_t i = 0; i < t->chunk_cnt; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->index);
	free(t);
	*table = NULL;
}

struct tide_site *tide_site_table_at(const struct tide_site_table *table, uint32_t idx)
{
	return &table->chunks[idx / CHUNK_SITES][idx % CHUNK_SITES];
}

uint32_t tide_site_table_cnt(const struct tide_site_table *table)
{
	return table->site_cnt;
}

uint64_t tide_site_table_mem_bytes(const struct tide_site_table *table)
{
	return sizeof(*table) + table->chunk_max * sizeof(*table->chunks) +
	       (uint64_t)table->chunk_cnt * CHUNK_SITES * sizeof(struct tide_site) +
	       (uint64_t)table->index_cnt * sizeof(*table->index);
}

static int add_key(struct tide_site_table *table, const struct tide_series_cfg *cfg,
		   uint64_t stack_key, uint64_t ts_ns)
{
	int r;

	/* The overflow site is beyond the bound. */
	if (table->site_cnt > table->max_sites)
		return -ENOSPC;
	if (table->site_cnt >= table->index_cnt / 2) {
		r = grow_index(table);
		if (r)
			return r;
	}
	r = add_site(table, cfg, stack_key, ts_ns);
	if (r)
		return r;
	*index_slot(table, stack_key) = table->site_cnt - 1;
	return 0;
}

int tide_site_table_add(struct tide_site_table *table, const struct tide_series_cfg *cfg,
			uint64_t stack_key, uint64_t ts_ns, uint32_t *ret_idx)
{
	uint32_t idx;
	int r;

	/* Key 0 is the overflow site's own; it is not in the index. */
	if (!stack_key) {
		*ret_idx = TIDE_SITE_OVERFLOW;
		return 0;
	}
	if (stack_key == table->last_key) {
		*ret_idx = table->last_idx;
		return 0;
	}
	idx = *index_slot(table, stack_key);
	if (!idx) {
		r = add_key(table, cfg, stack_key, ts_ns);
		if (r)
			return r;
		idx = table->site_cnt - 1;
	}
	table->last_key = stack_key;
	table->last_idx = idx;
	*ret_idx = idx;
	return 0;
}
