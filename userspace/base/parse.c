#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{"", 1}, {"K", 1ULL << 10}, {"M", 1ULL << 20}, {"G", 1ULL << 30}, {"T", 1ULL << 40},
};

static const struct unit time_units[] = {
	{"", TIDE_NS_PER_SEC},	     {"ms", TIDE_NS_PER_MS},	    {"s", TIDE_NS_PER_SEC},
	{"m", 60 * TIDE_NS_PER_SEC}, {"h", 3600 * TIDE_NS_PER_SEC}, {"d", 86400 * TIDE_NS_PER_SEC},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the digits at *text and moves it behind them. */
static int take_digits(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	}
	*text = p;
	*ret = value;
	return 0;
}

int tide_parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = take_digits(&text, &value);
	if (r)
		return r;
	if (*text)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* "K", "KB" and "KiB" are the same thing here; "B" alone is bytes, "iB" alone is nothing. */
static const struct unit *find_byte_unit(const char *name)
{
	size_t len = strlen(name);

	if (len == 3 && strcasecmp(name + 1, "ib") == 0)
		len = 1;
	else if (len > 0 && len <= 2 && strcasecmp(name + len - 1, "b") == 0)
		len--;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(byte_units); i++) {
		if (strlen(byte_units[i].name) == len &&
		    strncasecmp(byte_units[i].name, name, len) == 0)
			return &byte_units[i];
	}
	return NULL;
}

int tide_parse_bytes(const char *text, uint64_t *ret_bytes)
{
	const struct unit *unit;
	uint64_t value;
	int r;

	r = take_digits(&text, &value);
	if (r)
		return r;
	unit = find_byte_unit(text);
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(value, unit->factor, &value))
		return -ERANGE;
	*ret_bytes = value;
	return 0;
}

static const struct unit *find_time_unit(const char *name)
{
	for (size_t i = 0; i < TIDE_ARRAY_CNT(time_units); i++) {
		if (strcmp(time_units[i].name, name) == 0)
			return &time_units[i];
	}
	return NULL;
}

/* Reads ".digits" if it is there; *ret_ppb is the fraction in billionths, further digits are
 * below a nanosecond for every unit up to a second and are dropped.
 */
static int take_fraction(const char **text, uint64_t *ret_ppb)
{
	const char *p = *text;
	uint64_t ppb = 0, weight = 100000000;

	if (*p == '.') {
		if (!is_digit(*++p))
			return -EINVAL;
		for (; is_digit(*p); p++) {
			ppb += weight * (uint64_t)(*p - '0');
			weight /= 10;
		}
	}
	*text = p;
	*ret_ppb = ppb;
	return 0;
}

int tide_parse_duration(const char *text, uint64_t *ret_ns)
{
	const struct unit *unit;
	uint64_t whole, ppb, fraction_ns;
	int r;

	r = take_digits(&text, &whole);
	if (r)
		return r;
	r = take_fraction(&text, &ppb);
	if (r)
		return r;
	unit = find_time_unit(text);
	if (!unit)
		return -EINVAL;
	/* A day has 86.4e12 ns, so the product needs 77 bits. */
	fraction_ns = (uint64_t)((unsigned __int128)ppb * unit->factor / 1000000000);
	if (__builtin_mul_overflow(whole, unit->factor, &whole) ||
	    __builtin_add_overflow(whole, fraction_ns, &whole))
		return -ERANGE;
	*ret_ns = whole;
	return 0;
}
