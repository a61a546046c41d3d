/* A whole /proc/PID/smaps: the kinds must add up to the sum, whatever the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/smaps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct tide_smaps smaps = {};
	struct tide_rss *rss = &smaps.sums;
	char *save = NULL;
	uint64_t bytes, seen = 0;

	if (!text)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (tide_smaps_feed(&smaps, line, &bytes) == TIDE_SMAPS_RSS)
			seen += bytes;
		tide_smaps_parse_kb(line, "VmHWM:", &bytes);
	}
	if (seen != rss->rss_bytes || seen != rss->heap_bytes + rss->stack_bytes + rss->file_bytes +
						      rss->shmem_bytes + rss->anon_bytes +
						      rss->other_bytes)
		abort();
	free(text);
	return 0;
}
