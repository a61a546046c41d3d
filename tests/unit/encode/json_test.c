#include "harness/test.h"

#include <errno.h>
#include <math.h>

#include "base/util.h"
#include "encode/json.h"

struct sheet {
	struct tide_json_writer writer;
	FILE *out;
	char *text;
	size_t len;
};

static void begin_sheet(struct sheet *sheet)
{
	*sheet = (struct sheet){0};
	sheet->out = open_memstream(&sheet->text, &sheet->len);
	assert_non_null(sheet->out);
	tide_json_begin(&sheet->writer, sheet->out);
}

static void assert_sheet(struct sheet *sheet, const char *expected)
{
	assert_ok(tide_json_end(&sheet->writer));
	assert_int_equal(fclose(sheet->out), 0);
	assert_string_equal(sheet->text, expected);
	free(sheet->text);
}

static void assert_written(json_t *value, const char *expected)
{
	TIDE_AUTO_FREE char *wrapped = NULL;
	struct sheet sheet;

	begin_sheet(&sheet);
	tide_json_member(&sheet.writer, "x", value);
	assert_true(asprintf(&wrapped, "{\n  \"x\": %s\n}\n", expected) > 0);
	assert_sheet(&sheet, wrapped);
}

static void values_are_written_as_agreed(void **state)
{
	(void)state;
	assert_written(tide_json_text(NULL), "null");
	assert_written(tide_json_text("main"), "\"main\"");
	assert_written(tide_json_text("\x1b\"\\\xff"), "\"\\u001B\\\"\\\\\\uFFFD\"");
	assert_written(tide_json_u64(0), "0");
	assert_written(tide_json_u64(INT64_MAX), "9223372036854775807");
	assert_written(tide_json_u64(UINT64_MAX), "9223372036854775807");
	assert_written(tide_json_hex64(UINT64_MAX), "\"ffffffffffffffff\"");
	assert_written(tide_json_hex64(1), "\"0000000000000001\"");
	assert_written(tide_json_real(0.9), "0.9");
	assert_written(tide_json_real(NAN), "null");
	assert_written(tide_json_real(INFINITY), "null");
	assert_written(tide_json_seconds(1500 * TIDE_NS_PER_MS), "1.5");
	assert_written(tide_json_seconds(1209600123 * TIDE_NS_PER_MS), "1209600.123");
	assert_written(tide_json_time(0), "\"1970-01-01T00:00:00.000Z\"");
}

static json_t *some_object(void)
{
	json_t *object = json_object();
	bool failed = false;

	tide_json_put(object, "z", tide_json_u64(1), &failed);
	tide_json_put(object, "a", tide_json_text("one\ntwo"), &failed);
	assert_false(failed);
	return object;
}

static void keys_keep_their_order(void **state)
{
	struct sheet sheet;

	(void)state;
	begin_sheet(&sheet);
	tide_json_member(&sheet.writer, "y", some_object());
	tide_json_member(&sheet.writer, "b", json_array());
	assert_sheet(&sheet, "{\n"
			     "  \"y\": {\n"
			     "    \"z\": 1,\n"
			     "    \"a\": \"one\\ntwo\"\n"
			     "  },\n"
			     "  \"b\": []\n"
			     "}\n");
}

static void pieces_make_the_document_that_jansson_would_write(void **state)
{
	TIDE_AUTO_FREE char *whole = NULL, *expected = NULL;
	json_t *root = json_object(), *array = json_array();
	struct sheet sheet;
	bool failed = false;

	(void)state;
	begin_sheet(&sheet);
	tide_json_begin_array(&sheet.writer, "none");
	tide_json_end_array(&sheet.writer);
	tide_json_begin_array(&sheet.writer, "some");
	tide_json_element(&sheet.writer, some_object());
	tide_json_element(&sheet.writer, tide_json_u64(7));
	tide_json_end_array(&sheet.writer);
	tide_json_put(root, "none", json_array(), &failed);
	tide_json_append(array, some_object(), &failed);
	tide_json_append(array, tide_json_u64(7), &failed);
	tide_json_put(root, "some", array, &failed);
	assert_false(failed);
	whole = json_dumps(root, JSON_INDENT(2));
	assert_true(asprintf(&expected, "%s\n", whole) > 0);
	assert_sheet(&sheet, expected);
	json_decref(root);
}

static void an_empty_document_is_an_object(void **state)
{
	struct sheet sheet;

	(void)state;
	begin_sheet(&sheet);
	assert_sheet(&sheet, "{}\n");
}

/* What jansson returns when there is no memory. */
static void missing_values_are_noticed(void **state)
{
	json_t *object = json_object();
	bool failed = false;

	(void)state;
	tide_json_put(object, "a", NULL, &failed);
	assert_true(failed);
	failed = false;
	tide_json_put(NULL, "a", tide_json_u64(1), &failed);
	assert_true(failed);
	failed = false;
	tide_json_append(NULL, tide_json_u64(1), &failed);
	assert_true(failed);
	json_decref(object);
}

static void a_missing_value_ends_the_document(void **state)
{
	struct sheet sheet;

	(void)state;
	begin_sheet(&sheet);
	tide_json_member(&sheet.writer, "x", NULL);
	tide_json_member(&sheet.writer, "y", tide_json_u64(1));
	assert_errno(tide_json_end(&sheet.writer), ENOMEM);
	fclose(sheet.out);
	assert_null(strstr(sheet.text, "y"));
	free(sheet.text);
}

static void a_stream_that_fails_is_an_error(void **state)
{
	struct tide_json_writer writer;
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	tide_json_begin(&writer, full);
	tide_json_member(&writer, "x", some_object());
	assert_errno(tide_json_end(&writer), ENOSPC);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_written_as_agreed),
		cmocka_unit_test(keys_keep_their_order),
		cmocka_unit_test(pieces_make_the_document_that_jansson_would_write),
		cmocka_unit_test(an_empty_document_is_an_object),
		cmocka_unit_test(a_missing_value_ends_the_document),
		cmocka_unit_test(missing_values_are_noticed),
		cmocka_unit_test(a_stream_that_fails_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
