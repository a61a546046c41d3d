#include "base/parse.h"

#include <errno.h>

#include "base/util.h"
#include "harness/test.h"

#define UNTOUCHED 0xfeedULL

struct sample {
	const char *text;
	uint64_t expect;
};

typedef int (*parse_fn)(const char *text, uint64_t *ret);

static void expect_values(parse_fn parse, const struct sample *samples, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		uint64_t value = UNTOUCHED;

		if (parse(samples[i].text, &value) || value != samples[i].expect)
			fail_msg("\"%s\" became %llu", samples[i].text, (unsigned long long)value);
	}
}

static void expect_error(parse_fn parse, const char *const *texts, size_t cnt, int err)
{
	for (size_t i = 0; i < cnt; i++) {
		uint64_t value = UNTOUCHED;
		int r = parse(texts[i], &value);

		if (r != -err || value != UNTOUCHED)
			fail_msg("\"%s\" gave %d, not %d", texts[i], r, -err);
	}
}

static void u64_reads_digits(void **state)
{
	static const struct sample samples[] = {
		{"0", 0},
		{"7", 7},
		{"0012", 12},
		{"18446744073709551615", UINT64_MAX},
	};

	(void)state;
	expect_values(tide_parse_u64, samples, TIDE_ARRAY_CNT(samples));
}

static void u64_refuses_the_rest(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "0x10", "1e3", "1.0", "ten"};
	static const char *const big[] = {"18446744073709551616", "99999999999999999999999"};

	(void)state;
	expect_error(tide_parse_u64, bad, TIDE_ARRAY_CNT(bad), EINVAL);
	expect_error(tide_parse_u64, big, TIDE_ARRAY_CNT(big), ERANGE);
}

static void bytes_know_their_units(void **state)
{
	static const struct sample samples[] = {
		{"0", 0},
		{"64", 64},
		{"64B", 64},
		{"64b", 64},
		{"4K", 4096},
		{"4k", 4096},
		{"4KB", 4096},
		{"4kib", 4096},
		{"16M", 16ULL << 20},
		{"1G", 1ULL << 30},
		{"2T", 2ULL << 40},
		{"2TiB", 2ULL << 40},
		{"16777215T", 16777215ULL << 40},
	};

	(void)state;
	expect_values(tide_parse_bytes, samples, TIDE_ARRAY_CNT(samples));
}

static void bytes_refuse_the_rest(void **state)
{
	static const char *const bad[] = {"",	 "K",	"4Q",	"4iB",	"4KK",	"4BB",
					  "4 K", "-4K", "1.5K", "4KBx", "4Kib "};
	static const char *const big[] = {"16777216T", "18446744073709551615K"};

	(void)state;
	expect_error(tide_parse_bytes, bad, TIDE_ARRAY_CNT(bad), EINVAL);
	expect_error(tide_parse_bytes, big, TIDE_ARRAY_CNT(big), ERANGE);
}

static void durations_know_their_units(void **state)
{
	static const struct sample samples[] = {
		{"0", 0},
		{"30", 30 * TIDE_NS_PER_SEC},
		{"500ms", 500 * TIDE_NS_PER_MS},
		{"30s", 30 * TIDE_NS_PER_SEC},
		{"5m", 300 * TIDE_NS_PER_SEC},
		{"2h", 7200 * TIDE_NS_PER_SEC},
		{"1d", 86400 * TIDE_NS_PER_SEC},
		{"1.5s", 1500 * TIDE_NS_PER_MS},
		{"0.25", 250 * TIDE_NS_PER_MS},
		{"0.5d", 43200 * TIDE_NS_PER_SEC},
		{"1.000000001s", TIDE_NS_PER_SEC + 1},
		{"1.0000000019s", TIDE_NS_PER_SEC + 1},
		{"0.5ms", 500000},
	};

	(void)state;
	expect_values(tide_parse_duration, samples, TIDE_ARRAY_CNT(samples));
}

static void durations_refuse_the_rest(void **state)
{
	static const char *const bad[] = {"",	    "s",  ".5s", "5.",	"5.s",
					  "1.2.3s", "5S", "5 s", "-5s", "5us"};
	static const char *const big[] = {"213504d", "18446744074", "99999999999999999999h"};

	(void)state;
	expect_error(tide_parse_duration, bad, TIDE_ARRAY_CNT(bad), EINVAL);
	expect_error(tide_parse_duration, big, TIDE_ARRAY_CNT(big), ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u64_reads_digits),
		cmocka_unit_test(u64_refuses_the_rest),
		cmocka_unit_test(bytes_know_their_units),
		cmocka_unit_test(bytes_refuse_the_rest),
		cmocka_unit_test(durations_know_their_units),
		cmocka_unit_test(durations_refuse_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
