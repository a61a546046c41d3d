/* Any bytes as an ELF file with .eh_frame: compiled without a crash or a hang, and what comes out
 * is a well-formed table: every word of it is checked, and the kernel's look-up agrees with a plain
 * scan.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "target/ehframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Rows of a page ascend, start at its first byte, and name rules that exist. */
static uint64_t check_page(const struct tide_unwind_image *image, uint32_t entry, size_t rule_cnt)
{
	uint32_t first = entry >> TIDE_UNWIND_LG_PAGE_BLOCKS;
	uint32_t cnt = (entry & ((1 << TIDE_UNWIND_LG_PAGE_BLOCKS) - 1)) + 1;
	const uint32_t *row = image->blocks[first].word;

	require(first && first < image->block_cnt && cnt <= image->block_cnt - first);
	require(!(row[0] >> TIDE_UNWIND_RULE_BITS));
	for (uint32_t i = 0; i < cnt * TIDE_UNWIND_BLOCK_WORDS; i++) {
		require((row[i] & 0xffff) < rule_cnt);
		require(!i || row[i] >= row[i - 1]);
	}
	return cnt;
}

static void check_image(const struct tide_unwind_image *image, size_t rule_cnt)
{
	uint32_t dir_cnt =
		(image->page_cnt + TIDE_UNWIND_BLOCK_WORDS - 1) / TIDE_UNWIND_BLOCK_WORDS;
	uint64_t blocks = dir_cnt;

	require(dir_cnt <= image->block_cnt && !(image->first_vaddr & 0xffff));
	for (uint32_t page = 0; page < dir_cnt * TIDE_UNWIND_BLOCK_WORDS; page++) {
		uint32_t entry = image->blocks[page / TIDE_UNWIND_BLOCK_WORDS]
					 .word[page % TIDE_UNWIND_BLOCK_WORDS];

		require(page < image->page_cnt || !entry);
		if (entry)
			blocks += check_page(image, entry, rule_cnt);
		if (page < 64)
			require(tide_unwind_image_find(image, (uint64_t)page << 16 | 0x1234) <
				rule_cnt);
	}
	require(blocks == image->block_cnt);
	require(tide_unwind_image_find(image, ~0ULL) == TIDE_RULE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tide_unwind_rules *rules;
	struct tide_unwind_image image = {};
	struct tide_ehframe_info info;
	size_t rule_cnt;
	uint64_t vaddr;

	require(!tide_unwind_rules_new(&rules));
	if (!tide_ehframe_compile_mem(data, size, rules, &image, &info)) {
		(void)tide_unwind_rules_get(rules, &rule_cnt);
		require(rule_cnt <= TIDE_UNWIND_MAX_RULES);
		check_image(&image, rule_cnt);
	} else {
		require(!image.blocks);
	}
	(void)tide_ehframe_vaddr(&info, 4096, &vaddr);
	tide_unwind_image_done(&image);
	tide_unwind_rules_free(&rules);
	return 0;
}
