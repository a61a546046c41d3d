#include "container.h"

#include <unordered_map>

using map_type = std::unordered_map<uint64_t, bench_value>;

const char *bench_name(void)
{
	return "std::unordered_map";
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

/* std::unordered_map has no call for it. */
void bench_prefetch(const void *, uint64_t)
{
}

void bench_shrink(void *map)
{
	static_cast<map_type *>(map)->rehash(0);
}
