#include "base/human.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/util.h"

#define SECS_PER_MIN  60
#define SECS_PER_HOUR (60 * SECS_PER_MIN)
#define SECS_PER_DAY  (24 * SECS_PER_HOUR)

/* From this many days on the hours say nothing any more. */
#define DAYS_WITHOUT_HOURS 10

/* value in thousandths of a unit, to three significant digits without trailing zeros. */
static void format_milli(uint64_t milli, const char *unit, char *buf)
{
	uint64_t step = milli < 9995 ? 10 : milli < 99950 ? 100 : 1000;
	uint64_t rounded = (milli + step / 2) / step * step;
	unsigned int fraction = rounded % 1000;

	if (!fraction)
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " %s", rounded / 1000, unit);
	else if (fraction % 100)
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 ".%02u %s", rounded / 1000, fraction / 10,
			 unit);
	else
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 ".%u %s", rounded / 1000, fraction / 100,
			 unit);
}

const char *tide_human_bytes(uint64_t bytes, char buf[static TIDE_HUMAN_SZ])
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
	size_t unit = 0;
	uint64_t milli;

	if (bytes < 1024) {
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " B", bytes);
		return buf;
	}
	while (unit + 1 < TIDE_ARRAY_CNT(units) && bytes >> (10 * (unit + 1)))
		unit++;
	/* Two steps, so that the multiplication fits: what lies under 1/1024 unit of the unit
	 * before last cannot show in three digits.
	 */
	milli = (bytes >> (10 * (unit - 1))) * 1000 / 1024;
	/* 1023.6 KB would round to "1024 KB". */
	if (milli >= 1023500 && unit + 1 < TIDE_ARRAY_CNT(units)) {
		milli = 1000;
		unit++;
	}
	format_milli(milli, units[unit], buf);
	return buf;
}

const char *tide_human_count(uint64_t count, char buf[static TIDE_HUMAN_SZ])
{
	char digits[TIDE_HUMAN_SZ];
	int digit_cnt = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	size_t off = 0;

	for (int i = 0; i < digit_cnt; i++) {
		if (i && (digit_cnt - i) % 3 == 0)
			buf[off++] = ',';
		buf[off++] = digits[i];
	}
	buf[off] = '\0';
	return buf;
}

/* "3 min 20 s", the smaller unit only when it is not zero. */
static void format_pair(uint64_t big, const char *big_unit, uint64_t small, const char *small_unit,
			char *buf)
{
	if (small)
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " %s %" PRIu64 " %s", big, big_unit, small,
			 small_unit);
	else
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " %s", big, big_unit);
}

static void format_below_ten_secs(uint64_t ns, char *buf)
{
	uint64_t ms = ns / TIDE_NS_PER_MS;

	if (!ns)
		snprintf(buf, TIDE_HUMAN_SZ, "0 s");
	else if (ms < 100)
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " ms", ms ? ms : 1);
	else if (ms / 100 % 10)
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 ".%" PRIu64 " s", ms / 1000, ms / 100 % 10);
	else
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " s", ms / 1000);
}

const char *tide_human_duration(uint64_t ns, char buf[static TIDE_HUMAN_SZ])
{
	uint64_t secs = ns / TIDE_NS_PER_SEC;
	uint64_t days = secs / SECS_PER_DAY;
	const char *day = days == 1 ? "day" : "days";

	if (secs < 10)
		format_below_ten_secs(ns, buf);
	else if (secs < SECS_PER_MIN)
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " s", secs);
	else if (secs < SECS_PER_HOUR)
		format_pair(secs / SECS_PER_MIN, "min", secs % SECS_PER_MIN, "s", buf);
	else if (secs < SECS_PER_DAY)
		format_pair(secs / SECS_PER_HOUR, "h", secs % SECS_PER_HOUR / SECS_PER_MIN, "min",
			    buf);
	else if (days < DAYS_WITHOUT_HOURS)
		format_pair(days, day, secs % SECS_PER_DAY / SECS_PER_HOUR, "h", buf);
	else
		snprintf(buf, TIDE_HUMAN_SZ, "%" PRIu64 " days", days);
	return buf;
}

const char *tide_human_time(uint64_t realtime_ns, uint64_t now_realtime_ns,
			    char buf[static TIDE_HUMAN_SZ])
{
	time_t secs = realtime_ns / TIDE_NS_PER_SEC, now_secs = now_realtime_ns / TIDE_NS_PER_SEC;
	struct tm local = {0}, now = {0};
	bool today;

	/* localtime_r() alone need not notice TZ. */
	tzset();
	localtime_r(&secs, &local);
	localtime_r(&now_secs, &now);
	today = local.tm_year == now.tm_year && local.tm_yday == now.tm_yday;
	if (!strftime(buf, TIDE_HUMAN_SZ, today ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &local))
		buf[0] = '\0';
	return buf;
}

const char *tide_rfc3339(uint64_t realtime_ns, char buf[static TIDE_HUMAN_SZ])
{
	time_t secs = realtime_ns / TIDE_NS_PER_SEC;
	unsigned int ms = realtime_ns % TIDE_NS_PER_SEC / TIDE_NS_PER_MS;
	struct tm utc = {0};
	size_t len;

	gmtime_r(&secs, &utc);
	len = strftime(buf, TIDE_HUMAN_SZ, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(buf + len, TIDE_HUMAN_SZ - len, ".%03uZ", ms);
	return buf;
}
