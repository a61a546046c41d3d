#include "probe/record.h"

#include <stdbool.h>
#include <stdint.h>

/* User addresses end below 2^47 on x86-64 and below 2^52 on arm64; no block is larger than
 * that. The block map keeps 48 bits of each (ds/blockmap.h).
 */
#define MAX_ADDR (1ULL << 48)

static bool block_valid(const struct tide_rec_block *rec)
{
	if (!rec->addr || rec->addr >= MAX_ADDR || rec->block_bytes >= MAX_ADDR)
		return false;
	return rec->birth_ns && rec->birth_ns <= rec->hdr.ts_ns;
}

bool tide_record_valid(const void *data, size_t size_bytes)
{
	const struct tide_rec_hdr *hdr = data;

	if (size_bytes < sizeof(*hdr) || hdr->size_bytes != size_bytes)
		return false;
	switch (hdr->type) {
	case TIDE_REC_ALLOC:
	case TIDE_REC_FREE:
	case TIDE_REC_RESTORE:
		return size_bytes == sizeof(struct tide_rec_block) && block_valid(data);
	case TIDE_REC_FENCE:
		return size_bytes == sizeof(struct tide_rec_fence);
	case TIDE_REC_EXEC:
	case TIDE_REC_THREAD:
	case TIDE_REC_UNMAPPED:
		return size_bytes == sizeof(struct tide_rec_life);
	default:
		return false;
	}
}
