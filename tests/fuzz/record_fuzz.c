/* Records as the ring hands them over, of any content: checked, then applied to a small core.
 * Input: 48 bytes a record, the first byte of each also says how long it claims to be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/record.h"
#include "retain/retain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(struct tide_retain *retain, const struct tide_rec_block *rec)
{
	if (rec->hdr.type == TIDE_REC_FREE)
		(void)tide_retain_free_block(retain, rec);
	else if (rec->hdr.type == TIDE_REC_ALLOC || rec->hdr.type == TIDE_REC_RESTORE)
		(void)tide_retain_alloc(retain, rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tide_retain_opts opts = {
		.start_ns = 1, .hold_ns = 1000, .max_sites = 8, .max_blocks = 64};
	struct tide_retain *retain = NULL;
	uint64_t now_ns = 1;

	if (tide_retain_new(&opts, &retain))
		abort();
	for (; size >= sizeof(struct tide_rec_block);
	     data += sizeof(struct tide_rec_block), size -= sizeof(struct tide_rec_block)) {
		struct tide_rec_block rec;

		memcpy(&rec, data, sizeof(rec));
		if (!tide_record_valid(&rec, rec.hdr.size_bytes & 63))
			continue;
		apply(retain, &rec);
		if (rec.hdr.ts_ns > now_ns && rec.hdr.ts_ns < 1ULL << 40)
			now_ns = rec.hdr.ts_ns;
		tide_retain_tick(retain, now_ns);
	}
	if (tide_retain_live_blocks(retain) > opts.max_blocks)
		abort();
	tide_retain_free(&retain);
	return 0;
}
