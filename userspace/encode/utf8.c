#include "encode/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define REPLACEMENT	"\xef\xbf\xbd"
#define REPLACEMENT_LEN 3
/* The longest escape is "\u202e": all that is escaped lies below U+10000. */
#define ESCAPE_MAX 6

/* First byte, the length it announces and the bounds of the second byte, which shut out overlong
 * forms, surrogates and what lies beyond U+10FFFF (Unicode 15, table 3-7).
 */
struct form {
	unsigned char first_min, first_max, len, second_min, second_max;
};

static const struct form forms[] = {
	{0x01, 0x7f, 1, 0, 0},	     {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
	{0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
	{0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct form *form_of(unsigned char first)
{
	for (size_t i = 0; i < TIDE_ARRAY_CNT(forms); i++)
		if (first >= forms[i].first_min && first <= forms[i].first_max)
			return &forms[i];
	return NULL;
}

size_t tide_utf8_decode(const char *bytes, uint32_t *ret_code)
{
	const unsigned char *b = (const unsigned char *)bytes;
	const struct form *form = form_of(b[0]);
	uint32_t code;

	*ret_code = TIDE_UTF8_INVALID;
	if (!b[0])
		return 0;
	if (!form)
		return 1;
	code = form->len == 1 ? b[0] : b[0] & (0x7f >> form->len);
	for (size_t i = 1; i < form->len; i++) {
		unsigned char min = i == 1 ? form->second_min : 0x80;
		unsigned char max = i == 1 ? form->second_max : 0xbf;

		/* The terminating zero is below min, so nothing after it is read. */
		if (b[i] < min || b[i] > max)
			return i;
		code = code << 6 | (b[i] & 0x3f);
	}
	*ret_code = code;
	return form->len;
}

/* Controls move the cursor or start sequences; the format characters reorder what follows or
 * take no place, so that two different names look the same.
 */
static bool is_unprintable(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0xad || code == 0x61c ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

static size_t put_character(char *out, const char *in, size_t len, uint32_t code, bool escape)
{
	if (code == TIDE_UTF8_INVALID) {
		memcpy(out, REPLACEMENT, REPLACEMENT_LEN);
		return REPLACEMENT_LEN;
	}
	if (escape && is_unprintable(code))
		return sprintf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
	memcpy(out, in, len);
	return len;
}

static char *clean(const char *bytes, bool escape)
{
	/* A byte becomes at most one escape or one replacement. */
	size_t in_len = strlen(bytes), out_len = 0;
	char *out, *shrunk;
	uint32_t code;
	size_t len;

	if (in_len >= SIZE_MAX / ESCAPE_MAX)
		return NULL;
	out = malloc(in_len * ESCAPE_MAX + 1);
	if (!out)
		return NULL;
	for (; (len = tide_utf8_decode(bytes, &code)); bytes += len)
		out_len += put_character(out + out_len, bytes, len, code, escape);
	out[out_len] = '\0';
	shrunk = realloc(out, out_len + 1);
	return shrunk ? shrunk : out;
}

char *tide_utf8_repair(const char *bytes)
{
	return clean(bytes, false);
}

char *tide_utf8_printable(const char *bytes)
{
	return clean(bytes, true);
}

static bool continues(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t tide_utf8_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += !continues(*text);
	return columns;
}

/* The place of the n-th character. */
static const char *skip_columns(const char *text, size_t columns)
{
	for (; *text; text++)
		if (!continues(*text) && !columns--)
			break;
	return text;
}

char *tide_utf8_cut_middle(const char *text, size_t max_columns)
{
	size_t columns = tide_utf8_columns(text), dots = max_columns < 3 ? max_columns : 3;
	size_t head, tail;
	char *cut;

	if (columns <= max_columns)
		return strdup(text);
	/* The end of a name says more than its beginning: it gets the odd column. */
	head = (max_columns - dots) / 2;
	tail = max_columns - dots - head;
	if (asprintf(&cut, "%.*s%.*s%s", (int)(skip_columns(text, head) - text), text, (int)dots,
		     "...", skip_columns(text, columns - tail)) < 0)
		return NULL;
	return cut;
}
