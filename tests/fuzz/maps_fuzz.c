/* Lines of /proc/PID/maps: whatever is accepted must be a sound mapping. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = strndup((const char *)data, size);
	struct tide_mapping m;
	const char *path;
	size_t path_len;

	if (!line)
		return 0;
	if (tide_mapping_parse(line, &m, &path, &path_len) == 0) {
		if (m.start >= m.end || path < line || path + path_len > line + strlen(line))
			abort();
		if (m.deleted && (path_len == 0 || path[0] != '/'))
			abort();
	}
	free(line);
	return 0;
}
