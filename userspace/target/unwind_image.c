#include "target/unwind_image.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

#define PAGE_BYTES (1ULL << TIDE_UNWIND_LG_PAGE)
#define RULE_MASK  ((1U << TIDE_UNWIND_RULE_BITS) - 1)
#define HASH_CNT   (TIDE_UNWIND_MAX_RULES * 2)

_Static_assert(TIDE_UNWIND_MAX_SPAN <= 1ULL << 32, "a row's offset is computed in 32 bits");
_Static_assert(TIDE_UNWIND_MAX_ROWS / TIDE_UNWIND_BLOCK_WORDS +
			       2 * (TIDE_UNWIND_MAX_SPAN >> TIDE_UNWIND_LG_PAGE) <
		       TIDE_UNWIND_MAX_BLOCKS,
	       "block numbers fit into a directory word");

/* ---- rules ---- */

struct tide_unwind_rules {
	struct tide_unwind_rule rule[TIDE_UNWIND_MAX_RULES];
	uint16_t hash[HASH_CNT]; /* id, 0: free; linear probing, at most half full */
	uint32_t cnt;
};

/* Rules that carry nothing but their kind have fixed ids. */
static const uint8_t fixed_id[TIDE_CFA_CNT] = {
	[TIDE_CFA_PADDING] = TIDE_RULE_PADDING, [TIDE_CFA_END] = TIDE_RULE_END,
	[TIDE_CFA_SIGNAL] = TIDE_RULE_SIGNAL,	[TIDE_CFA_UNSUPPORTED] = TIDE_RULE_UNSUPPORTED,
	[TIDE_CFA_FRAME] = TIDE_RULE_FRAME,	[TIDE_CFA_RETURN_PROBE] = TIDE_RULE_RETURN_PROBE,
};

static uint64_t rule_bits(const struct tide_unwind_rule *rule)
{
	uint64_t bits;

	memcpy(&bits, rule, sizeof(bits));
	return bits;
}

static uint32_t rule_slot(uint64_t bits)
{
	return (bits * 0x9e3779b97f4a7c15ULL) >> 40 & (HASH_CNT - 1);
}

int tide_unwind_rules_new(struct tide_unwind_rules **ret)
{
	struct tide_unwind_rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < TIDE_CFA_CNT; i++)
		if (fixed_id[i])
			rules->rule[fixed_id[i]].cfa = i;
	rules->cnt = TIDE_RULE_FIRST_FREE;
	*ret = rules;
	return 0;
}

void tide_unwind_rules_free(struct tide_unwind_rules **rules)
{
	free(*rules);
	*rules = NULL;
}

uint32_t tide_unwind_rules_intern(struct tide_unwind_rules *rules,
				  const struct tide_unwind_rule *rule)
{
	uint64_t bits = rule_bits(rule);
	uint32_t slot = rule_slot(bits), id;

	if (rule->cfa == TIDE_CFA_NONE || fixed_id[rule->cfa])
		return fixed_id[rule->cfa];
	for (; rules->hash[slot]; slot = (slot + 1) & (HASH_CNT - 1))
		if (rule_bits(&rules->rule[rules->hash[slot]]) == bits)
			return rules->hash[slot];
	if (rules->cnt == TIDE_UNWIND_MAX_RULES)
		return TIDE_RULE_UNSUPPORTED;
	id = rules->cnt++;
	rules->rule[id] = *rule;
	rules->hash[slot] = id;
	return id;
}

const struct tide_unwind_rule *tide_unwind_rules_get(const struct tide_unwind_rules *rules,
						     size_t *ret_cnt)
{
	*ret_cnt = rules->cnt;
	return rules->rule;
}

/* ---- packing ---- */

struct tide_unwind_packer {
	struct tide_unwind_image image;
	uint32_t block_cap;
	uint32_t end_off; /* one past the last row's offset, at most */
	uint32_t page;	  /* whose rows are in row[] */
	uint32_t row_cnt; /* of that page */
	uint32_t last_rule;
	uint32_t row[PAGE_BYTES];
};

void tide_unwind_image_done(struct tide_unwind_image *image)
{
	free(image->blocks);
	memset(image, 0, sizeof(*image));
}

static int grow_blocks(struct tide_unwind_packer *p, uint32_t need_cnt)
{
	uint32_t cap = p->block_cap;
	struct tide_unwind_block *blocks;

	if (need_cnt > TIDE_UNWIND_MAX_BLOCKS)
		return -EFBIG;
	if (need_cnt <= cap)
		return 0;
	while (cap < need_cnt)
		cap += cap / 2 + 64;
	blocks = realloc(p->image.blocks, (size_t)cap * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	p->image.blocks = blocks;
	p->block_cap = cap;
	return 0;
}

int tide_unwind_packer_new(uint64_t first_vaddr, uint64_t end_vaddr,
			   struct tide_unwind_packer **ret)
{
	TIDE_CLEANUP(tide_unwind_packer_free) struct tide_unwind_packer *p = NULL;
	uint64_t first = first_vaddr & ~(PAGE_BYTES - 1);
	uint32_t dir_cnt;
	int r;

	if (end_vaddr <= first_vaddr)
		return -EINVAL;
	if (end_vaddr - first > TIDE_UNWIND_MAX_SPAN - PAGE_BYTES)
		return -EFBIG;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->image.first_vaddr = first;
	p->end_off = end_vaddr - first;
	p->image.page_cnt = (p->end_off >> TIDE_UNWIND_LG_PAGE) + 1;
	dir_cnt = (p->image.page_cnt + TIDE_UNWIND_BLOCK_WORDS - 1) / TIDE_UNWIND_BLOCK_WORDS;
	r = grow_blocks(p, dir_cnt);
	if (r)
		return r;
	memset(p->image.blocks, 0, dir_cnt * sizeof(*p->image.blocks));
	p->image.block_cnt = dir_cnt;
	*ret = TIDE_TAKE_PTR(p);
	return 0;
}

void tide_unwind_packer_free(struct tide_unwind_packer **packer)
{
	if (!*packer)
		return;
	tide_unwind_image_done(&(*packer)->image);
	free(*packer);
	*packer = NULL;
}

/* Moves the rows of the current page into blocks of their own. */
static int flush_page(struct tide_unwind_packer *p)
{
	uint32_t cnt = (p->row_cnt + TIDE_UNWIND_BLOCK_WORDS - 1) / TIDE_UNWIND_BLOCK_WORDS;
	uint32_t first = p->image.block_cnt;
	struct tide_unwind_block *dir;
	int r;

	/* A page without a single rule needs no block. */
	if (!cnt || (p->row_cnt == 1 && !(p->row[0] & RULE_MASK))) {
		p->row_cnt = 0;
		return 0;
	}
	r = grow_blocks(p, first + cnt);
	if (r)
		return r;
	for (uint32_t i = p->row_cnt; i < cnt * TIDE_UNWIND_BLOCK_WORDS; i++)
		p->row[i] = p->row[p->row_cnt - 1];
	memcpy(&p->image.blocks[first], p->row, cnt * sizeof(*p->image.blocks));
	dir = &p->image.blocks[p->page / TIDE_UNWIND_BLOCK_WORDS];
	dir->word[p->page % TIDE_UNWIND_BLOCK_WORDS] =
		first << TIDE_UNWIND_LG_PAGE_BLOCKS | (cnt - 1);
	p->image.block_cnt += cnt;
	p->image.row_cnt += p->row_cnt;
	p->row_cnt = 0;
	return p->image.row_cnt > TIDE_UNWIND_MAX_ROWS ? -EFBIG : 0;
}

/* Every page starts with the rule that holds at its first byte. */
static int advance_page(struct tide_unwind_packer *p, uint32_t page)
{
	int r;

	while (p->page < page) {
		r = flush_page(p);
		if (r)
			return r;
		p->page = p->last_rule ? p->page + 1 : page;
		p->row[p->row_cnt++] = p->last_rule;
	}
	return 0;
}

int tide_unwind_packer_add(struct tide_unwind_packer *p, uint64_t vaddr, uint32_t rule_id)
{
	uint64_t off = vaddr - p->image.first_vaddr;
	uint32_t key = (uint32_t)off << TIDE_UNWIND_RULE_BITS;
	int r;

	if (off > p->end_off || off >> TIDE_UNWIND_LG_PAGE < p->page)
		return -EINVAL;
	if (rule_id == p->last_rule)
		return 0;
	r = advance_page(p, off >> TIDE_UNWIND_LG_PAGE);
	if (r)
		return r;
	if (p->row_cnt && (p->row[p->row_cnt - 1] & ~RULE_MASK) > key)
		return -EINVAL;
	if (p->row_cnt && (p->row[p->row_cnt - 1] & ~RULE_MASK) == key)
		p->row_cnt--;
	else if (!p->row_cnt && key)
		p->row[p->row_cnt++] = TIDE_RULE_NONE;
	p->row[p->row_cnt++] = key | rule_id;
	p->last_rule = rule_id;
	return 0;
}

int tide_unwind_packer_finish(struct tide_unwind_packer *p, struct tide_unwind_image *ret)
{
	struct tide_unwind_block *fit;
	int r = advance_page(p, p->end_off >> TIDE_UNWIND_LG_PAGE);

	if (!r)
		r = flush_page(p);
	if (r)
		return r;
	fit = realloc(p->image.blocks, p->image.block_cnt * sizeof(*fit));
	if (fit)
		p->image.blocks = fit;
	*ret = p->image;
	memset(&p->image, 0, sizeof(p->image));
	return 0;
}

uint32_t tide_unwind_image_find(const struct tide_unwind_image *image, uint64_t off)
{
	uint64_t page = off >> TIDE_UNWIND_LG_PAGE;
	uint32_t key = (uint32_t)off << TIDE_UNWIND_RULE_BITS | RULE_MASK;
	uint32_t entry, lo = 0, hi, mid;
	const uint32_t *row;

	if (page >= image->page_cnt)
		return TIDE_RULE_NONE;
	entry = image->blocks[page / TIDE_UNWIND_BLOCK_WORDS].word[page % TIDE_UNWIND_BLOCK_WORDS];
	if (!entry)
		return TIDE_RULE_NONE;
	hi = ((entry & ((1 << TIDE_UNWIND_LG_PAGE_BLOCKS) - 1)) + 1) * TIDE_UNWIND_BLOCK_WORDS;
	row = image->blocks[entry >> TIDE_UNWIND_LG_PAGE_BLOCKS].word;
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (row[mid] <= key)
			lo = mid;
		else
			hi = mid;
	}
	return row[lo] & RULE_MASK;
}

int tide_unwind_map_blocks(const struct tide_unwind_mapping *mappings, size_t cnt,
			   uint32_t generation, struct tide_unwind_map_block **ret,
			   uint32_t *ret_cnt)
{
	const size_t per_block = 1U << TIDE_UNWIND_LG_MAPPINGS;
	/* An empty table has one block of mappings too, so that the look-up need not ask. */
	uint32_t block_cnt = 1 + (cnt ? (cnt + per_block - 1) / per_block : 1);
	struct tide_unwind_map_block *blocks;

	if (cnt > TIDE_UNWIND_MAX_MAPPINGS)
		return -ENOSPC;
	blocks = malloc(block_cnt * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	/* Unused entries start behind every address. */
	memset(blocks, 0xff, block_cnt * sizeof(*blocks));
	for (size_t i = 0; i < cnt; i++) {
		blocks[1 + i / per_block].mapping[i % per_block] = mappings[i];
		if (i % per_block == 0)
			blocks[0].start[i / per_block] = mappings[i].start;
	}
	blocks[0].generation = TIDE_UNWIND_GENERATION_MARK | generation;
	*ret = blocks;
	*ret_cnt = block_cnt;
	return 0;
}
