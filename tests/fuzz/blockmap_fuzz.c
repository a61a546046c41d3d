/* Calls of the block map, decoded from the input, against a plain array.
 *
 * Each call is three bytes: what, and a 16-bit block number. "Many" puts and deletes make the
 * map large enough to split and merge within the length of an input.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ds/blockmap_internal.h"

#define BLOCK_CNT 65536u
#define MANY	  1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct model {
	struct tide_blockmap *map;
	bool live[BLOCK_CNT];
	uint8_t seen[BLOCK_CNT];
	uint64_t live_cnt;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The low 17 bits name the block, those above vary in alignment. */
static struct tide_block block_of(uint32_t id)
{
	return (struct tide_block){
		.addr = ((uint64_t)id << (17 + id % 15)) | (id + 1),
		.block_bytes = (uint64_t)id << 32 | (uint32_t)~id,
		.birth_ns = (uint64_t)id * 7,
		.site = id ^ 0xffff,
	};
}

static void put(struct model *model, uint32_t id)
{
	struct tide_block block = block_of(id);
	int r = tide_blockmap_put(model->map, &block, NULL);

	require(r == model->live[id]);
	model->live_cnt += !model->live[id];
	model->live[id] = true;
}

static void del(struct model *model, uint32_t id)
{
	bool had = tide_blockmap_del(model->map, block_of(id).addr, NULL);

	require(had == model->live[id]);
	model->live_cnt -= model->live[id];
	model->live[id] = false;
}

static void get(struct model *model, uint32_t id)
{
	struct tide_block want = block_of(id), have;

	require(tide_blockmap_get(model->map, want.addr, &have) == model->live[id]);
	if (model->live[id])
		require(have.addr == want.addr && have.block_bytes == want.block_bytes &&
			have.birth_ns == want.birth_ns && have.site == want.site);
}

static void visit(const struct tide_block *block, void *ctx)
{
	struct model *model = ctx;
	uint32_t id = block->site ^ 0xffff;

	require(id < BLOCK_CNT && model->live[id] && !model->seen[id]);
	require(block->addr == block_of(id).addr);
	model->seen[id] = 1;
}

static void scan(struct model *model)
{
	uint64_t cursor = 0;

	memset(model->seen, 0, sizeof(model->seen));
	while (tide_blockmap_scan(model->map, &cursor, 64, visit, model))
		;
	for (uint32_t id = 0; id < BLOCK_CNT; id++)
		require(model->seen[id] == model->live[id]);
}

static void clear(struct model *model)
{
	uint64_t capacity = tide_blockmap_capacity(model->map);

	tide_blockmap_clear(model->map);
	require(tide_blockmap_capacity(model->map) == capacity);
	memset(model->live, 0, sizeof(model->live));
	model->live_cnt = 0;
}

static void call(struct model *model, uint8_t what, uint32_t id)
{
	switch (what % 10) {
	case 0:
		put(model, id);
		break;
	case 1:
		del(model, id);
		break;
	case 2:
		get(model, id);
		break;
	case 3:
	case 4:
	case 5:
		for (uint32_t i = 0; i < MANY; i++)
			put(model, (id + i) % BLOCK_CNT);
		break;
	case 6:
		for (uint32_t i = 0; i < MANY; i++)
			del(model, (id + i) % BLOCK_CNT);
		break;
	case 7:
		tide_blockmap_trim(model->map);
		break;
	case 8:
		tide_blockmap_shrink_to(model->map, id);
		break;
	default:
		if (id % 8 == 0)
			clear(model);
		else
			scan(model);
	}
	require(tide_blockmap_cnt(model->map) == model->live_cnt);
	require(tide_blockmap_capacity(model->map) >= model->live_cnt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Not random, so that an input does the same each time. */
	static const uint64_t mul[TIDE_MIX_ROUNDS] = {0x9e3779b97f4b, 0x6a5d39eae117,
						      0x4f6cdd1d2545};
	static struct model model;

	memset(&model, 0, sizeof(model));
	require(!tide_blockmap_new(&model.map));
	tide_blockmap_seed(model.map, mul);
	for (size_t i = 0; i + 3 <= size && i < 3 * 400; i += 3)
		call(&model, data[i], data[i + 1] | (uint32_t)data[i + 2] << 8);
	scan(&model);
	tide_blockmap_free(&model.map);
	return 0;
}
