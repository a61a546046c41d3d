/* Any bytes as an .xz stream: its size is found or refused, without reading beyond it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "symbolize/xz_size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t bytes;

	/* A chunk has three bytes at least and stands for 2 MiB at most. */
	if (!tide_xz_size(data, size, &bytes) && bytes > (size / 3 + 1) << 21)
		abort();
	return 0;
}
