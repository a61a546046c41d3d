#include "harness/test.h"

#include <time.h>

#include "base/human.h"
#include "base/util.h"

#define KB 1024ULL
#define MB (1024 * KB)
#define GB (1024 * MB)
#define TB (1024 * GB)

static void bytes_have_three_digits(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} cases[] = {
		{0, "0 B"},
		{1, "1 B"},
		{812, "812 B"},
		{1023, "1023 B"},
		{KB, "1 KB"},
		{1434, "1.4 KB"},
		{1300, "1.27 KB"},
		{22 * KB, "22 KB"},
		{22 * KB + 300, "22.3 KB"},
		{999 * KB, "999 KB"},
		{1001 * KB, "1001 KB"},
		{1023 * KB, "1023 KB"},
		{1023 * KB + 511, "1023 KB"},
		{MB - 1, "1 MB"},
		{10 * MB - 1, "10 MB"},
		{100 * MB - 1, "100 MB"},
		{810 * MB, "810 MB"},
		{GB - 1, "1 GB"},
		{1239 * MB, "1.21 GB"},
		{GB + GB / 5, "1.2 GB"},
		{TB, "1 TB"},
		{1024 * TB - 1, "1 PB"},
		{UINT64_MAX, "16 EB"},
	};
	char buf[TIDE_HUMAN_SZ];

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		assert_ptr_equal(tide_human_bytes(cases[i].bytes, buf), buf);
		assert_string_equal(buf, cases[i].expected);
	}
}

static void counts_have_separators(void **state)
{
	char buf[TIDE_HUMAN_SZ];

	(void)state;
	assert_string_equal(tide_human_count(0, buf), "0");
	assert_string_equal(tide_human_count(999, buf), "999");
	assert_string_equal(tide_human_count(1000, buf), "1,000");
	assert_string_equal(tide_human_count(12345, buf), "12,345");
	assert_string_equal(tide_human_count(1234567, buf), "1,234,567");
	assert_string_equal(tide_human_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
}

static void durations_have_two_units_at_most(void **state)
{
	static const struct {
		uint64_t ms;
		const char *expected;
	} cases[] = {
		{0, "0 s"},
		{1, "1 ms"},
		{99, "99 ms"},
		{100, "0.1 s"},
		{449, "0.4 s"},
		{1000, "1 s"},
		{9999, "9.9 s"},
		{12900, "12 s"},
		{59999, "59 s"},
		{60000, "1 min"},
		{200000, "3 min 20 s"},
		{3600000, "1 h"},
		{7500000, "2 h 5 min"},
		{86399999, "23 h 59 min"},
		{86400000, "1 day"},
		{90000000, "1 day 1 h"},
		{14 * 86400000ULL, "14 days"},
	};
	char buf[TIDE_HUMAN_SZ];

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++)
		assert_string_equal(tide_human_duration(cases[i].ms * TIDE_NS_PER_MS, buf),
				    cases[i].expected);
	assert_string_equal(tide_human_duration(1, buf), "1 ms");
	assert_string_equal(tide_human_duration(UINT64_MAX, buf), "213503 days");
}

/* 2026-11-08 14:02:31.250 UTC */
#define SOME_NS 1794146551250000000ULL

static void times_name_the_day_only_when_it_is_another(void **state)
{
	char buf[TIDE_HUMAN_SZ];

	(void)state;
	setenv("TZ", "UTC", 1);
	assert_string_equal(tide_human_time(SOME_NS, SOME_NS + 3600 * TIDE_NS_PER_SEC, buf),
			    "14:02:31");
	assert_string_equal(tide_human_time(SOME_NS, SOME_NS + 86400 * TIDE_NS_PER_SEC, buf),
			    "2026-11-08 14:02");
	/* The day is the local one: 23:30 and 00:30 in Kiribati, both on the same day in UTC. */
	setenv("TZ", "XXX-14", 1);
	assert_string_equal(tide_human_time(SOME_NS - 4 * 3600 * TIDE_NS_PER_SEC,
					    SOME_NS - 5 * 3600 * TIDE_NS_PER_SEC, buf),
			    "2026-11-09 00:02");
	setenv("TZ", "UTC", 1);
}

static void rfc3339_is_utc_whatever_the_zone(void **state)
{
	char buf[TIDE_HUMAN_SZ];

	(void)state;
	setenv("TZ", "XXX-14", 1);
	assert_string_equal(tide_rfc3339(SOME_NS, buf), "2026-11-08T14:02:31.250Z");
	assert_string_equal(tide_rfc3339(0, buf), "1970-01-01T00:00:00.000Z");
	assert_string_equal(tide_rfc3339(UINT64_MAX, buf), "2554-07-21T23:34:33.709Z");
	setenv("TZ", "UTC", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_have_three_digits),
		cmocka_unit_test(counts_have_separators),
		cmocka_unit_test(durations_have_two_units_at_most),
		cmocka_unit_test(times_name_the_day_only_when_it_is_another),
		cmocka_unit_test(rfc3339_is_utc_whatever_the_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
