#include "harness/test.h"

#include "report/report.h"

static void formats_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(tide_report_format_find("text")->write, tide_report_text);
	assert_ptr_equal(tide_report_format_find("json")->write, tide_report_json);
	assert_null(tide_report_format_find("pprof"));
	assert_null(tide_report_format_find(""));
	assert_null(tide_report_format_find("texts"));
}

static void every_format_is_named_in_messages(void **state)
{
	char names[128];

	(void)state;
	snprintf(names, sizeof(names), "%s", tide_report_format_names());
	for (char *name = strtok(names, ", "); name; name = strtok(NULL, ", "))
		assert_non_null(tide_report_format_find(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_found_by_name),
		cmocka_unit_test(every_format_is_named_in_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
