#include "container.h"

#include <absl/container/flat_hash_map.h>

using map_type = absl::flat_hash_map<uint64_t, bench_value>;

const char *bench_name(void)
{
	return "absl::flat_hash_map";
}

void *bench_new(void)
{
	return new map_type;
}

void bench_put(void *map, uint64_t key, const bench_value *value)
{
	(*static_cast<map_type *>(map))[key] = *value;
}

bool bench_get(const void *map, uint64_t key, bench_value *ret)
{
	const map_type &m = *static_cast<const map_type *>(map);
	auto it = m.find(key);

	if (it == m.end())
		return false;
	*ret = it->second;
	return true;
}

bool bench_del(void *map, uint64_t key)
{
	return static_cast<map_type *>(map)->erase(key);
}

void bench_prefetch(const void *map, uint64_t key)
{
	static_cast<const map_type *>(map)->prefetch(key);
}

void bench_shrink(void *map)
{
	static_cast<map_type *>(map)->rehash(0);
}
