#include "encode/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/human.h"
#include "base/util.h"
#include "encode/utf8.h"

/* Enough for a year in milliseconds, and 0.9 stays "0.9". */
#define REAL_DIGITS 12

json_t *tide_json_text(const char *bytes)
{
	TIDE_AUTO_FREE char *text = NULL;

	if (!bytes)
		return json_null();
	text = tide_utf8_repair(bytes);
	return text ? json_string(text) : NULL;
}

json_t *tide_json_u64(uint64_t number)
{
	return json_integer(number <= INT64_MAX ? (json_int_t)number : INT64_MAX);
}

json_t *tide_json_hex64(uint64_t number)
{
	return json_sprintf("%016" PRIx64, number);
}

json_t *tide_json_real(double number)
{
	return isfinite(number) ? json_real(number) : json_null();
}

json_t *tide_json_seconds(uint64_t ns)
{
	return json_real((double)(ns / TIDE_NS_PER_MS) / 1000);
}

json_t *tide_json_time(uint64_t realtime_ns)
{
	char buf[TIDE_HUMAN_SZ];

	return json_string(tide_rfc3339(realtime_ns, buf));
}

void tide_json_put(json_t *object, const char *key, json_t *value, bool *failed)
{
	if (json_object_set_new(object, key, value))
		*failed = true;
}

void tide_json_append(json_t *array, json_t *value, bool *failed)
{
	if (json_array_append_new(array, value))
		*failed = true;
}

int tide_json_write(FILE *out, const json_t *document)
{
	errno = 0;
	if (json_dumpf(document, out,
		       JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(REAL_DIGITS)) ||
	    fputc('\n', out) == EOF || fflush(out))
		return errno ? -errno : -EIO;
	return 0;
}
