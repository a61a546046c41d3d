#include "harness/test.h"

#include "symbolize/strings.h"

static void equal_texts_are_kept_once(void **state)
{
	struct tide_strings *set = NULL;
	char text[] = "table_resize";
	const char *kept;

	(void)state;
	assert_ok(tide_strings_new(&set));
	kept = tide_strings_keep(set, text);
	assert_ptr_not_equal(kept, text);
	text[0] = 'T';
	assert_string_equal(kept, "table_resize");
	assert_ptr_equal(tide_strings_keep(set, "table_resize"), kept);
	assert_ptr_not_equal(tide_strings_keep(set, text), kept);
	assert_string_equal(tide_strings_keep(set, ""), "");
	assert_null(tide_strings_keep(set, NULL));
	tide_strings_free(&set);
	assert_null(set);
	tide_strings_free(&set);
}

static void many_texts_stay_where_they_are(void **state)
{
	enum { CNT = 20000 };
	static const char *kept[CNT];
	struct tide_strings *set = NULL;
	char text[32];

	(void)state;
	assert_ok(tide_strings_new(&set));
	for (int i = 0; i < CNT; i++) {
		snprintf(text, sizeof(text), "function_%d", i);
		kept[i] = tide_strings_keep(set, text);
	}
	for (int i = 0; i < CNT; i++) {
		snprintf(text, sizeof(text), "function_%d", i);
		assert_string_equal(kept[i], text);
		assert_ptr_equal(tide_strings_keep(set, text), kept[i]);
	}
	tide_strings_free(&set);
}

static void a_full_set_takes_nothing_new(void **state)
{
	struct tide_strings *set = NULL;
	size_t len = TIDE_STRINGS_MAX_BYTES - 8;
	char *big = malloc(len + 1);
	const char *kept;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', len);
	big[len] = '\0';
	assert_ok(tide_strings_new(&set));
	kept = tide_strings_keep(set, big);
	assert_non_null(kept);
	assert_non_null(tide_strings_keep(set, "1234"));
	assert_null(tide_strings_keep(set, "12345"));
	assert_ptr_equal(tide_strings_keep(set, big), kept);
	free(big);
	tide_strings_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_are_kept_once),
		cmocka_unit_test(many_texts_stay_where_they_are),
		cmocka_unit_test(a_full_set_takes_nothing_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
