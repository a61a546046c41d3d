/* Unwind tables in the form the kernel reads (bpf/abi/unwind.h): rules numbered, rows packed.
 *
 * Owns: the set of distinct rules, shared by all objects, and the blocks of one object while and
 * after they are built. Never: reads a file or a map. Threads: one user at a time.
 * Memory: the rule set is 256 KiB; an image four bytes a row, rounded up to 1 KiB for each
 * 64 KiB page of code that has rows, plus four bytes a page.
 */
#ifndef TIDE_TARGET_UNWIND_IMAGE_H
#define TIDE_TARGET_UNWIND_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/unwind.h"

struct tide_unwind_rules;

int tide_unwind_rules_new(struct tide_unwind_rules **ret);
void tide_unwind_rules_free(struct tide_unwind_rules **rules);
/* The id of rule, new or old; TIDE_RULE_UNSUPPORTED when TIDE_UNWIND_MAX_RULES are in use. */
uint32_t tide_unwind_rules_intern(struct tide_unwind_rules *rules,
				  const struct tide_unwind_rule *rule);
/* All rules so far, by id; the array stays where it is. */
const struct tide_unwind_rule *tide_unwind_rules_get(const struct tide_unwind_rules *rules,
						     size_t *ret_cnt);

/* A finished table. A pc of the object is looked up at its ELF virtual address - first_vaddr. */
struct tide_unwind_image {
	struct tide_unwind_block *blocks;
	uint32_t block_cnt;
	uint32_t page_cnt;
	uint64_t first_vaddr; /* of the directory's first page, page-aligned */
	uint64_t row_cnt;
};

void tide_unwind_image_done(struct tide_unwind_image *image);
/* The rule id at an offset, by the same look-up as the kernel's, plainly written. */
uint32_t tide_unwind_image_find(const struct tide_unwind_image *image, uint64_t off);

struct tide_unwind_packer;

/* For rows of [first_vaddr, end_vaddr). -EFBIG when the range or its directory is beyond
 * TIDE_UNWIND_MAX_SPAN.
 */
int tide_unwind_packer_new(uint64_t first_vaddr, uint64_t end_vaddr,
			   struct tide_unwind_packer **ret);
void tide_unwind_packer_free(struct tide_unwind_packer **packer);
/* From vaddr on rule_id holds. Ascending; a row at the address of the one before replaces it, a row
 * with its rule is left out. -EINVAL when out of order or range, -EFBIG, -ENOMEM.
 */
int tide_unwind_packer_add(struct tide_unwind_packer *packer, uint64_t vaddr, uint32_t rule_id);
/* Hands over the image; the packer is empty afterwards and only fit to be freed. */
int tide_unwind_packer_finish(struct tide_unwind_packer *packer, struct tide_unwind_image *ret);

/* A process's table from its mappings, ascending: *ret has *ret_cnt blocks, for free(). 0, -ENOSPC
 * (beyond TIDE_UNWIND_MAX_MAPPINGS) or -ENOMEM.
 */
int tide_unwind_map_blocks(const struct tide_unwind_mapping *mappings, size_t cnt,
			   uint32_t generation, struct tide_unwind_map_block **ret,
			   uint32_t *ret_cnt);

/* Code an object may span. The largest we met is 160 MB. */
#define TIDE_UNWIND_MAX_SPAN (4ULL << 30)
/* Rows of one object: 64 MiB of table. librustc_driver (154 MB) has a million. */
#define TIDE_UNWIND_MAX_ROWS (16U << 20)

#endif
