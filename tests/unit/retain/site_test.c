#include "sim.h"

#include "retain/site.h"

static struct tide_series_cfg cfg;

static void setup_table(uint32_t max_sites, struct tide_site_table **ret)
{
	tide_series_cfg_init(&cfg, 1, 1000);
	assert_ok(tide_site_table_new(max_sites, &cfg, ret));
}

static void keys_keep_their_index(void **state)
{
	struct tide_site_table *table = NULL;
	uint32_t idx;

	(void)state;
	setup_table(20000, &table);
	assert_int_equal(tide_site_table_cnt(table), 1);
	/* Keys that differ in the highest bits only, or the lowest only. */
	for (uint64_t i = 1; i <= 10000; i++) {
		assert_ok(tide_site_table_add(table, &cfg, i, 5, &idx));
		assert_int_equal(idx, 2 * i - 1);
		assert_ok(tide_site_table_add(table, &cfg, i << 40, 5, &idx));
		assert_int_equal(idx, 2 * i);
	}
	for (uint64_t i = 1; i <= 10000; i++) {
		assert_ok(tide_site_table_add(table, &cfg, i << 40, 9, &idx));
		assert_int_equal(idx, 2 * i);
		assert_int_equal(tide_site_table_at(table, idx)->stack_key, i << 40);
		assert_ok(tide_site_table_add(table, &cfg, i, 9, &idx));
		assert_int_equal(idx, 2 * i - 1);
	}
	assert_ok(tide_site_table_add(table, &cfg, 0, 9, &idx));
	assert_int_equal(idx, TIDE_SITE_OVERFLOW);
	assert_int_equal(tide_site_table_cnt(table), 20001);
	assert_errno(tide_site_table_add(table, &cfg, 77777, 9, &idx), ENOSPC);
	assert_int_equal(tide_site_table_cnt(table), 20001);
	tide_site_table_free(&table);
	assert_null(table);
	tide_site_table_free(&table);
}

static void sites_do_not_move(void **state)
{
	struct tide_site_table *table = NULL;
	struct tide_site *first;
	uint32_t idx;

	(void)state;
	setup_table(1000, &table);
	assert_ok(tide_site_table_add(table, &cfg, 42, 500, &idx));
	first = tide_site_table_at(table, idx);
	assert_int_equal(first->series.first_ns, 500);
	for (uint64_t i = 100; i < 1000; i++)
		assert_ok(tide_site_table_add(table, &cfg, i, 5, &idx));
	assert_ptr_equal(tide_site_table_at(table, 1), first);
	tide_site_table_free(&table);
}

static void memory_is_as_stated(void **state)
{
	struct tide_site_table *table = NULL;
	uint32_t idx;

	(void)state;
	setup_table(65536, &table);
	assert_true(tide_site_table_mem_bytes(table) < 128 * KB);
	for (uint64_t i = 1; i <= 65536; i++)
		assert_ok(tide_site_table_add(table, &cfg, i * 0x9e3779b97f4a7c15ULL, 5, &idx));
	assert_true(tide_site_table_mem_bytes(table) / 65536 <= 1850);
	tide_site_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_keep_their_index),
		cmocka_unit_test(sites_do_not_move),
		cmocka_unit_test(memory_is_as_stated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
