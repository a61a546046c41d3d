#include "harness/test.h"

#include <errno.h>
#include <math.h>

#include "base/util.h"
#include "encode/json.h"

/* The document as text, without the final newline; gives the value away. */
static char *written(json_t *value)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_non_null(value);
	assert_ok(tide_json_write(out, value));
	assert_int_equal(fclose(out), 0);
	json_decref(value);
	assert_int_equal(text[len - 1], '\n');
	text[len - 1] = '\0';
	return text;
}

static void assert_written(json_t *value, const char *expected)
{
	json_t *array = json_array();
	TIDE_AUTO_FREE char *text = NULL;
	TIDE_AUTO_FREE char *wrapped = NULL;
	bool failed = false;

	tide_json_append(array, value, &failed);
	assert_false(failed);
	text = written(array);
	assert_true(asprintf(&wrapped, "[\n  %s\n]", expected) > 0);
	assert_string_equal(text, wrapped);
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

static void keys_keep_their_order(void **state)
{
	json_t *object = json_object();
	TIDE_AUTO_FREE char *text = NULL;
	bool failed = false;

	(void)state;
	tide_json_put(object, "z", tide_json_u64(1), &failed);
	tide_json_put(object, "a", tide_json_u64(2), &failed);
	tide_json_put(object, "m", tide_json_u64(3), &failed);
	assert_false(failed);
	text = written(object);
	assert_string_equal(text, "{\n  \"z\": 1,\n  \"a\": 2,\n  \"m\": 3\n}");
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

static void a_stream_that_fails_is_an_error(void **state)
{
	json_t *object = json_object();
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_errno(tide_json_write(full, object), ENOSPC);
	fclose(full);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_written_as_agreed),
		cmocka_unit_test(keys_keep_their_order),
		cmocka_unit_test(missing_values_are_noticed),
		cmocka_unit_test(a_stream_that_fails_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
