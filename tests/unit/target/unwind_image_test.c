/* Packing rows into blocks, against a plain list of the same rows. */
#include <errno.h>

#include "harness/test.h"
#include "target/unwind_image.h"

#define FIRST 0x12345678ULL

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

static void rules_are_numbered_once(void **state)
{
	struct tide_unwind_rules *rules = NULL;
	struct tide_unwind_rule rule = {.cfa = TIDE_CFA_SP};
	uint32_t first[1000];

	(void)state;
	assert_ok(tide_unwind_rules_new(&rules));
	for (int i = 0; i < 1000; i++) {
		rule.cfa_off = 8 * i;
		first[i] = tide_unwind_rules_intern(rules, &rule);
		assert_int_equal(first[i], TIDE_RULE_FIRST_FREE + i);
	}
	for (int i = 0; i < 1000; i++) {
		rule.cfa_off = 8 * i;
		assert_int_equal(tide_unwind_rules_intern(rules, &rule), first[i]);
	}
	tide_unwind_rules_free(&rules);
}

static void too_many_rules_are_unsupported(void **state)
{
	struct tide_unwind_rules *rules = NULL;
	struct tide_unwind_rule rule = {.cfa = TIDE_CFA_SP};
	size_t cnt;

	(void)state;
	assert_ok(tide_unwind_rules_new(&rules));
	for (int i = 0; i < TIDE_UNWIND_MAX_RULES; i++) {
		rule.cfa_off = i;
		(void)tide_unwind_rules_intern(rules, &rule);
	}
	assert_int_equal(tide_unwind_rules_intern(rules, &rule), TIDE_RULE_UNSUPPORTED);
	rule.cfa_off = 1;
	assert_int_equal(tide_unwind_rules_intern(rules, &rule), TIDE_RULE_FIRST_FREE + 1);
	(void)tide_unwind_rules_get(rules, &cnt);
	assert_int_equal(cnt, TIDE_UNWIND_MAX_RULES);
	tide_unwind_rules_free(&rules);
}

/* bytes of code, a new rule every 1 .. max_step bytes; each byte is looked up. */
static void check_packing(uint32_t bytes, uint32_t max_step)
{
	uint16_t *want = calloc(bytes, sizeof(*want));
	struct tide_unwind_packer *packer = NULL;
	struct tide_unwind_image image;
	uint32_t at = 0, next, rule;

	assert_non_null(want);
	assert_ok(tide_unwind_packer_new(FIRST, FIRST + bytes, &packer));
	while (at < bytes) {
		next = at + 1 + random_below(max_step);
		rule = random_below(5);
		assert_ok(tide_unwind_packer_add(packer, FIRST + at, rule));
		for (; at < next && at < bytes; at++)
			want[at] = rule;
	}
	assert_ok(tide_unwind_packer_add(packer, FIRST + bytes, TIDE_RULE_NONE));
	assert_ok(tide_unwind_packer_finish(packer, &image));
	tide_unwind_packer_free(&packer);
	assert_int_equal(image.first_vaddr, FIRST & ~0xffffULL);
	for (at = 0; at < bytes; at++)
		assert_int_equal(tide_unwind_image_find(&image, FIRST - image.first_vaddr + at),
				 want[at]);
	assert_int_equal(tide_unwind_image_find(&image, 0), TIDE_RULE_NONE);
	assert_int_equal(tide_unwind_image_find(&image, FIRST - image.first_vaddr + bytes),
			 TIDE_RULE_NONE);
	tide_unwind_image_done(&image);
	free(want);
}

static void every_byte_is_found(void **state)
{
	(void)state;
	check_packing(1, 1);
	check_packing(200000, 1);	/* a row for every byte: full pages of 256 blocks */
	check_packing(300000, 60);	/* as in libc */
	check_packing(1000000, 300000); /* functions longer than a page */
}

static void order_and_range_are_checked(void **state)
{
	struct tide_unwind_packer *packer = NULL;

	(void)state;
	assert_errno(tide_unwind_packer_new(8, 8, &packer), EINVAL);
	assert_errno(tide_unwind_packer_new(0, 1ULL << 40, &packer), EFBIG);
	assert_null(packer);
	assert_ok(tide_unwind_packer_new(0x10000, 0x50000, &packer));
	assert_errno(tide_unwind_packer_add(packer, 0xffff, 3), EINVAL);
	assert_errno(tide_unwind_packer_add(packer, 0x50001, 3), EINVAL);
	assert_ok(tide_unwind_packer_add(packer, 0x30010, 3));
	assert_errno(tide_unwind_packer_add(packer, 0x3000f, 4), EINVAL);
	assert_errno(tide_unwind_packer_add(packer, 0x20000, 4), EINVAL);
	tide_unwind_packer_free(&packer);
}

static void mappings_fill_blocks(void **state)
{
	struct tide_unwind_mapping *m = calloc(TIDE_UNWIND_MAX_MAPPINGS + 1, sizeof(*m));
	struct tide_unwind_map_block *blocks = NULL;
	uint32_t cnt = 0;

	(void)state;
	assert_non_null(m);
	for (size_t i = 0; i <= TIDE_UNWIND_MAX_MAPPINGS; i++)
		m[i].start = 0x1000 * (i + 1);
	assert_errno(tide_unwind_map_blocks(m, TIDE_UNWIND_MAX_MAPPINGS + 1, 5, &blocks, &cnt),
		     ENOSPC);
	assert_ok(tide_unwind_map_blocks(m, TIDE_UNWIND_MAX_MAPPINGS, 5, &blocks, &cnt));
	assert_int_equal(cnt, 1 + TIDE_UNWIND_MAX_STARTS);
	assert_int_equal(blocks[0].generation, TIDE_UNWIND_GENERATION_MARK | 5);
	assert_int_equal(blocks[0].start[126], blocks[127].mapping[0].start);
	free(blocks);
	assert_ok(tide_unwind_map_blocks(m, 0, 5, &blocks, &cnt));
	assert_int_equal(cnt, 2);
	assert_true(blocks[1].mapping[0].start == ~0ULL);
	free(blocks);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_numbered_once),
		cmocka_unit_test(too_many_rules_are_unsupported),
		cmocka_unit_test(every_byte_is_found),
		cmocka_unit_test(order_and_range_are_checked),
		cmocka_unit_test(mappings_fill_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
