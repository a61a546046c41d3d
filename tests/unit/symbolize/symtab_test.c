/* The search; reading real symbol tables is module_test.c's. */
#include "harness/test.h"

#include "base/util.h"
#include "symbolize/symtab.h"

static struct tide_symtab_entry entries[] = {
	{0x1000, 0x100, "outer"}, {0x1040, 0x10, "inner"}, {0x2000, 0x20, "sized"},
	{0x3000, 0, "assembly"},  {0x3100, 0x10, "after"}, {0x200000, 0, "last"},
};

static const struct tide_symtab table = {entries, TIDE_ARRAY_CNT(entries)};

static void addresses_are_found_within_their_symbol(void **state)
{
	static const struct {
		uint64_t addr;
		const char *name;
	} cases[] = {
		{0, NULL},
		{0xfff, NULL},
		{0x1000, "outer"},
		{0x103f, "outer"},
		{0x1040, "inner"},
		{0x104f, "inner"},
		{0x1050, "outer"},
		{0x10ff, "outer"},
		{0x1100, NULL},
		{0x2000, "sized"},
		{0x2020, NULL},
		{0x3000, "assembly"},
		{0x30ff, "assembly"},
		{0x3100, "after"},
		{0x3110, NULL},
		{0x200000, "last"},
		{0x20ffff, "last"},
		{0x210000, NULL},
		{UINT64_MAX, NULL},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		const char *name = tide_symtab_find(&table, cases[i].addr);

		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
		else
			assert_null(name);
	}
}

static void an_empty_table_knows_nothing(void **state)
{
	struct tide_symtab empty = {0};

	(void)state;
	assert_null(tide_symtab_find(&empty, 0x1000));
	tide_symtab_done(&empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_found_within_their_symbol),
		cmocka_unit_test(an_empty_table_knows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
