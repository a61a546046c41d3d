#include "harness/test.h"

#include "base/util.h"
#include "encode/utf8.h"

#define BAD "\xef\xbf\xbd"

typedef char *(*text_fn)(const char *);

static void assert_becomes(text_fn function, const char *in, const char *expected)
{
	TIDE_AUTO_FREE char *out = function(in);

	assert_non_null(out);
	assert_string_equal(out, expected);
}

static void valid_text_is_left_alone(void **state)
{
	static const char *const texts[] = {
		"",
		"main",
		"gr\xc3\xb6\xc3\x9f"
		"e",
		"\xe2\x82\xac",
		"\xf0\x9f\x8c\x8a",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xf4\x8f\xbf\xbf",
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(texts); i++) {
		assert_becomes(tide_utf8_repair, texts[i], texts[i]);
		assert_becomes(tide_utf8_printable, texts[i], texts[i]);
	}
}

/* The cases of Unicode 15, section 3.9, tables 3-8 to 3-11, among others. */
static void invalid_bytes_are_replaced(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"\xff", BAD},
		{"a\x80z", "a" BAD "z"},
		{"\xc0\xaf", BAD BAD},
		{"\xc3", BAD},
		{"\xc3(", BAD "("},
		{"\xe2\x82", BAD},
		{"\xe2\x82(", BAD "("},
		{"\xe0\x80\xaf", BAD BAD BAD},
		{"\xed\xa0\x80", BAD BAD BAD},
		{"\xf4\x90\x80\x80", BAD BAD BAD BAD},
		{"\xf0\x80\x80\x80", BAD BAD BAD BAD},
		{"\xf5\x80", BAD BAD},
		{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf"
		 "A",
		 BAD BAD BAD BAD "A"},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++)
		assert_becomes(tide_utf8_repair, cases[i].in, cases[i].out);
}

static void every_byte_pair_gives_valid_text(void **state)
{
	(void)state;
	for (unsigned int pair = 0x0101; pair <= 0xffff; pair++) {
		const char in[] = {(char)(pair >> 8), (char)pair, '\0'};
		TIDE_AUTO_FREE char *out = tide_utf8_repair(in);
		uint32_t code;
		size_t len;

		for (const char *at = out; (len = tide_utf8_decode(at, &code)); at += len)
			assert_int_not_equal(code, TIDE_UTF8_INVALID);
	}
}

static void terminals_are_given_nothing_to_obey(void **state)
{
	(void)state;
	assert_becomes(tide_utf8_printable, "\x1b[2J\a\r\n\t\x7f",
		       "\\x1b[2J\\x07\\x0d\\x0a\\x09\\x7f");
	assert_becomes(tide_utf8_printable,
		       "\xc2\x9b"
		       "31m",
		       "\\x9b31m");
	assert_becomes(tide_utf8_printable,
		       "\xe2\x80\xae"
		       "abc",
		       "\\u202eabc");
	assert_becomes(tide_utf8_printable,
		       "a\xe2\x80\x8b"
		       "b",
		       "a\\u200bb");
	assert_becomes(tide_utf8_printable, "\xef\xbb\xbf", "\\ufeff");
	assert_becomes(tide_utf8_printable, "\xff\x1b", BAD "\\x1b");
	assert_becomes(tide_utf8_repair, "\x1b\n", "\x1b\n");
}

static void columns_count_characters(void **state)
{
	(void)state;
	assert_int_equal(tide_utf8_columns(""), 0);
	assert_int_equal(tide_utf8_columns("main"), 4);
	assert_int_equal(tide_utf8_columns("gr\xc3\xb6\xc3\x9f"
					   "e"),
			 5);
}

static void assert_cut(const char *text, size_t max_columns, const char *expected)
{
	TIDE_AUTO_FREE char *cut = tide_utf8_cut_middle(text, max_columns);

	assert_non_null(cut);
	assert_string_equal(cut, expected);
	assert_true(tide_utf8_columns(cut) <= max_columns);
}

static void long_text_loses_its_middle(void **state)
{
	(void)state;
	assert_cut("table_resize", 12, "table_resize");
	assert_cut("table_resize", 11, "tabl...size");
	assert_cut("table_resize", 10, "tab...size");
	assert_cut("table_resize", 4, "...e");
	assert_cut("table_resize", 3, "...");
	assert_cut("table_resize", 1, ".");
	assert_cut("table_resize", 0, "");
	assert_cut("\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6", 5, "\xc3\xb6...\xc3\xb6");
	assert_cut("main", SIZE_MAX, "main");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_text_is_left_alone),
		cmocka_unit_test(invalid_bytes_are_replaced),
		cmocka_unit_test(every_byte_pair_gives_valid_text),
		cmocka_unit_test(terminals_are_given_nothing_to_obey),
		cmocka_unit_test(columns_count_characters),
		cmocka_unit_test(long_text_loses_its_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
