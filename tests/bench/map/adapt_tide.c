#include "container.h"

#include <stdlib.h>

#include "ds/blockmap.h"

const char *bench_name(void)
{
	return "tide_blockmap";
}

void *bench_new(void)
{
	struct tide_blockmap *map = NULL;

	if (tide_blockmap_new(&map))
		abort();
	return map;
}

void bench_put(void *map, uint64_t key, const struct bench_value *value)
{
	struct tide_block block = {
		.addr = key,
		.block_bytes = value->block_bytes,
		.birth_ns = value->birth_ns,
		.site = value->site,
	};

	if (tide_blockmap_put(map, &block, NULL) < 0)
		abort();
}

bool bench_get(const void *map, uint64_t key, struct bench_value *ret)
{
	struct tide_block block;

	if (!tide_blockmap_get(map, key, &block))
		return false;
	ret->birth_ns = block.birth_ns;
	ret->block_bytes = (uint32_t)block.block_bytes;
	ret->site = block.site;
	return true;
}

bool bench_del(void *map, uint64_t key)
{
	return tide_blockmap_del(map, key, NULL);
}

void bench_prefetch(const void *map, uint64_t key)
{
	tide_blockmap_prefetch(map, key);
}

void bench_shrink(void *map)
{
	tide_blockmap_shrink_to_fit(map);
}
