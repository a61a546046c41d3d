/* Any bytes as a compiler's list for perf: an index that ascends and names within the text. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct tide_perf_map map;

	require(text);
	memcpy(text, data, size);
	require(tide_perf_map_parse(&map, text, size) == 0);
	for (size_t i = 0; i < map.cnt; i++) {
		const struct tide_perf_map_entry *entry = &map.entries[i];

		require(entry->size_bytes && (!i || entry[-1].start <= entry->start));
		require(entry->name_off < size &&
			strlen(map.text + entry->name_off) < size - entry->name_off);
		require(tide_perf_map_find(&map, entry->start));
	}
	require(!tide_perf_map_find(&map, UINT64_MAX) || map.cnt);
	tide_perf_map_done(&map);
	return 0;
}
