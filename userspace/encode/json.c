#include "encode/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void fail(struct tide_json_writer *writer, int err)
{
	if (!writer->err)
		writer->err = err;
}

static void put_text(struct tide_json_writer *writer, const char *text)
{
	errno = 0;
	if (!writer->err && fputs(text, writer->out) == EOF)
		fail(writer, errno ? -errno : -EIO);
}

/* What jansson writes of one value, moved right. A newline within a string is escaped, so each
 * one here ends a line.
 */
struct indented {
	FILE *out;
	int columns;
};

static int put_indented(const char *text, size_t len, void *opaque)
{
	struct indented *in = opaque;

	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t part = newline ? (size_t)(newline - text) + 1 : len;

		if (fwrite(text, 1, part, in->out) != part)
			return -1;
		if (newline && fprintf(in->out, "%*s", in->columns, "") < 0)
			return -1;
		text += part;
		len -= part;
	}
	return 0;
}

static void put_value(struct tide_json_writer *writer, json_t *value, int columns)
{
	struct indented in = {writer->out, columns};

	if (!value)
		fail(writer, -ENOMEM);
	errno = 0;
	if (!writer->err &&
	    json_dump_callback(value, put_indented, &in,
			       JSON_INDENT(2) | JSON_ENSURE_ASCII |
				       JSON_REAL_PRECISION(REAL_DIGITS) | JSON_ENCODE_ANY))
		fail(writer, errno ? -errno : -EIO);
	json_decref(value);
}

static void put_key(struct tide_json_writer *writer, const char *key)
{
	put_text(writer, writer->member_cnt++ ? ",\n  \"" : "\n  \"");
	put_text(writer, key);
	put_text(writer, "\": ");
}

void tide_json_begin(struct tide_json_writer *writer, FILE *out)
{
	*writer = (struct tide_json_writer){.out = out};
	put_text(writer, "{");
}

void tide_json_member(struct tide_json_writer *writer, const char *key, json_t *value)
{
	put_key(writer, key);
	put_value(writer, value, 2);
}

void tide_json_begin_array(struct tide_json_writer *writer, const char *key)
{
	put_key(writer, key);
	put_text(writer, "[");
	writer->element_cnt = 0;
}

void tide_json_element(struct tide_json_writer *writer, json_t *value)
{
	put_text(writer, writer->element_cnt++ ? ",\n    " : "\n    ");
	put_value(writer, value, 4);
}

void tide_json_end_array(struct tide_json_writer *writer)
{
	put_text(writer, writer->element_cnt ? "\n  ]" : "]");
}

int tide_json_end(struct tide_json_writer *writer)
{
	put_text(writer, writer->member_cnt ? "\n}\n" : "}\n");
	errno = 0;
	if (fflush(writer->out) || ferror(writer->out))
		fail(writer, errno ? -errno : -EIO);
	return writer->err;
}
