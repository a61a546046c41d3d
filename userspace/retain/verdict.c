/* Verdicts: a table of rules, the first that applies decides.
 *
 * The order is the meaning. A site that grows is growing, whatever it did before. High-water
 * comes before released: a site may have come down from a peak and still keep more than it had
 * before. Everything that is left is steady, and the rules there only choose the words.
 *
 * High-water is an accusation, so it needs all of: a ratchet (stayed up for a hold time, from a
 * level that had been observed for a hold time), still in force, a share of the site that
 * matters, the same blocks ever since, and no record of coming down from there by itself.
 */
#include "retain/verdict.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/human.h"
#include "retain/series.h"

/* A rise is worth naming from one eighth of what the site holds now. */
#define RISE_LEAST_PART 8
/* The same blocks: three quarters of the floor are as old as the rise. */
#define KEPT_LEAST_PCT 75
/* A share that was replaced counts against a rise for so long. */
#define YOUNG_RISE_HOLDS 8
/* One ratchet stands for the whole rise from this share on. */
#define MAIN_RISE_PCT 60
/* Released: at most a quarter of the peak is left. */
#define RELEASED_PART 4
/* Observed for less than this, nothing can be said. */
#define EARLY_HOLDS 2

struct rule {
	enum tide_verdict verdict;
	bool (*applies)(const struct tide_figures *f);
	void (*say)(const struct tide_figures *f, char *why);
};

struct text {
	char buf[TIDE_HUMAN_SZ];
};

static void say(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(char *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, TIDE_WHY_SZ, fmt, args);
	va_end(args);
}

static const char *bytes(uint64_t value, struct text *text)
{
	return tide_human_bytes(value, text->buf);
}

static const char *since(const struct tide_figures *f, uint64_t then_ns, struct text *text)
{
	return tide_human_duration(f->now_ns > then_ns ? f->now_ns - then_ns : 0, text->buf);
}

static bool observed_for(const struct tide_figures *f, uint64_t ns)
{
	return f->now_ns >= f->first_ns && f->now_ns - f->first_ns >= ns;
}

/* It has been as high before and came down; this time it is not up for longer than it was. */
static bool comes_and_goes(const struct tide_figures *f)
{
	if (f->swing_cnt && f->high &&
	    f->now_ns - f->high_since_ns <= 2 * f->longest_high_ns + f->hold_ns)
		return true;
	return f->trend.earlier_high_ns &&
	       f->now_ns - f->rise.reached_ns <= 2 * f->trend.earlier_high_ns + f->hold_ns;
}

static bool is_growing(const struct tide_figures *f)
{
	return f->trend.growing;
}

static void say_growing(const struct tide_figures *f, char *why)
{
	struct text from, to, span, window;
	uint64_t span_ns = f->trend.window_cnt * f->trend.window_ns;

	say(why,
	    "its floor rose in each of the last %u windows of %s, from %s to %s over %s, and is "
	    "still rising",
	    f->trend.window_cnt - 1, tide_human_duration(f->trend.window_ns, window.buf),
	    bytes(f->trend.from_bytes, &from), bytes(f->trend.to_bytes, &to),
	    tide_human_duration(span_ns, span.buf));
}

/* Three quarters are as old as the rise. And those that came since and stay (older than the
 * hold time, younger than the rise) are few: else it is turning over, only slowly, and three
 * quarters are but a matter of time.
 */
static bool same_blocks(const struct tide_figures *f)
{
	uint64_t later_bytes = f->held_bytes > f->kept_bytes ? f->held_bytes - f->kept_bytes : 0;

	if (f->kept_bytes < f->floor_bytes / 100 * KEPT_LEAST_PCT)
		return false;
	return later_bytes <= tide_noise(f->floor_bytes) ||
	       f->now_ns >= f->rise.last_ns + YOUNG_RISE_HOLDS * f->hold_ns;
}

static bool rose(const struct tide_figures *f)
{
	uint64_t from = f->rise.from_bytes;

	if (!f->rise.cnt || f->floor_bytes < from + TIDE_NOISE_BYTES)
		return false;
	return f->floor_bytes - from >= f->floor_bytes / RISE_LEAST_PART;
}

static bool is_high_water(const struct tide_figures *f)
{
	return rose(f) && same_blocks(f) && !comes_and_goes(f) && !f->trend.climbing &&
	       !f->trend.falling;
}

/* "150 MB to 960 MB in one step 12 s ago": the greatest ratchet if it is most of the rise. */
static void say_rise(const struct tide_figures *f, char *buf, size_t buf_sz)
{
	const struct tide_rise *rise = &f->rise;
	uint64_t main_bytes = rise->main.to_bytes - rise->main.from_bytes;
	uint64_t all_bytes = rise->to_bytes - rise->from_bytes;
	struct text from, to, ago;

	if (rise->cnt == 1 || main_bytes >= all_bytes / 100 * MAIN_RISE_PCT)
		snprintf(buf, buf_sz, "%s to %s%s %s ago", bytes(rise->main.from_bytes, &from),
			 bytes(rise->main.to_bytes, &to),
			 rise->main_one_step ? " in one step" : " in several steps",
			 since(f, rise->main.at_ns, &ago));
	else
		snprintf(buf, buf_sz, "%s to %s in %u rises, the last %s ago,",
			 bytes(rise->from_bytes, &from), bytes(rise->to_bytes, &to), rise->cnt,
			 since(f, rise->last_ns, &ago));
}

static void say_high_water(const struct tide_figures *f, char *why)
{
	struct text now, freed;
	char what[160], where[96] = "has not come down since", quiet[96] = "";

	say_rise(f, what, sizeof(what));
	if (f->floor_bytes + tide_noise(f->rise.to_bytes) < f->rise.to_bytes)
		snprintf(where, sizeof(where), "is still at %s", bytes(f->floor_bytes, &now));
	if (!f->last_free_ns)
		snprintf(quiet, sizeof(quiet), "; nothing was ever freed there");
	else if (f->now_ns >= f->last_free_ns + f->hold_ns)
		snprintf(quiet, sizeof(quiet), "; nothing was freed there for %s",
			 since(f, f->last_free_ns, &freed));
	say(why, "rose from %s and %s%s", what, where, quiet);
}

static bool is_released(const struct tide_figures *f)
{
	if (f->peak_bytes < TIDE_NOISE_BYTES || f->live_bytes > f->peak_bytes / RELEASED_PART)
		return false;
	/* One that is down again as so often is in use, until it has stayed down. */
	return f->swing_cnt < 2 || f->now_ns - f->last_swing_ns >= f->hold_ns;
}

static void say_released(const struct tide_figures *f, char *why)
{
	struct text peak, ago, live;

	say(why, "came down from a peak of %s %s ago to %s", bytes(f->peak_bytes, &peak),
	    since(f, f->peak_ns, &ago), bytes(f->live_bytes, &live));
}

/* All its records were lost, and a re-read did not find it. */
static bool is_unseen(const struct tide_figures *f)
{
	return !f->peak_bytes;
}

static void say_unseen(const struct tide_figures *f, char *why)
{
	(void)f;
	say(why, "seen in the kernel's totals only: no block of it was live when we looked");
}

static bool is_small(const struct tide_figures *f)
{
	return f->peak_bytes < TIDE_NOISE_BYTES;
}

static void say_small(const struct tide_figures *f, char *why)
{
	struct text peak;

	say(why, "small: never above %s", bytes(f->peak_bytes, &peak));
}

static bool is_swinging(const struct tide_figures *f)
{
	return f->swing_cnt > 1 || comes_and_goes(f);
}

static void say_swinging(const struct tide_figures *f, char *why)
{
	struct text floor, peak, ago;

	if (!f->swing_cnt)
		say(why, "comes and goes: at %s now, was as high before and came down again",
		    bytes(f->floor_bytes, &floor));
	else
		say(why, "comes and goes: up to %s, came down %u time%s, last %s ago",
		    bytes(f->peak_bytes, &peak), f->swing_cnt, f->swing_cnt == 1 ? "" : "s",
		    since(f, f->last_swing_ns, &ago));
}

static bool is_early(const struct tide_figures *f)
{
	return !observed_for(f, EARLY_HOLDS * f->hold_ns);
}

static void say_early(const struct tide_figures *f, char *why)
{
	struct text age, need;

	say(why, "too early to tell: first seen %s ago, judged after %s",
	    since(f, f->first_ns, &age), tide_human_duration(EARLY_HOLDS * f->hold_ns, need.buf));
}

/* Most of it was not there a hold time ago. */
static bool is_young(const struct tide_figures *f)
{
	return f->floor_bytes < f->live_bytes / 2;
}

static void say_young(const struct tide_figures *f, char *why)
{
	struct text live, floor, hold;

	say(why, "too early to tell: at %s now, but at %s within the last %s",
	    bytes(f->live_bytes, &live), bytes(f->floor_bytes, &floor),
	    tide_human_duration(f->hold_ns, hold.buf));
}

static bool is_turning_over(const struct tide_figures *f)
{
	return f->live_bytes && f->held_bytes < f->live_bytes / 100 * KEPT_LEAST_PCT;
}

static void say_turning_over(const struct tide_figures *f, char *why)
{
	struct text live, hold;

	say(why, "in use: turning over at about %s, %u %% of it older than %s",
	    bytes(f->live_bytes, &live), (unsigned int)(f->held_bytes / (f->live_bytes / 100 + 1)),
	    tide_human_duration(f->hold_ns, hold.buf));
}

static bool is_coming_down(const struct tide_figures *f)
{
	return f->trend.falling;
}

static void say_coming_down(const struct tide_figures *f, char *why)
{
	struct text floor, peak, ago;

	say(why, "coming down: at %s after a peak of %s %s ago", bytes(f->floor_bytes, &floor),
	    bytes(f->peak_bytes, &peak), since(f, f->peak_ns, &ago));
}

static bool always(const struct tide_figures *f)
{
	(void)f;
	return true;
}

static void say_level(const struct tide_figures *f, char *why)
{
	uint64_t since_ns = f->level_since_ns > f->first_ns ? f->level_since_ns : f->first_ns;
	struct text floor, time, peak;

	say(why, "level: has not been below %s for %s, and never above %s",
	    bytes(f->floor_bytes, &floor), since(f, since_ns, &time), bytes(f->peak_bytes, &peak));
}

static const struct rule rules[] = {
	{TIDE_VERDICT_GROWING, is_growing, say_growing},
	{TIDE_VERDICT_HIGH_WATER, is_high_water, say_high_water},
	{TIDE_VERDICT_RELEASED, is_released, say_released},
	{TIDE_VERDICT_STEADY, is_unseen, say_unseen},
	{TIDE_VERDICT_STEADY, is_small, say_small},
	{TIDE_VERDICT_STEADY, is_swinging, say_swinging},
	{TIDE_VERDICT_STEADY, is_early, say_early},
	{TIDE_VERDICT_STEADY, is_young, say_young},
	{TIDE_VERDICT_STEADY, is_coming_down, say_coming_down},
	{TIDE_VERDICT_STEADY, is_turning_over, say_turning_over},
	{TIDE_VERDICT_STEADY, always, say_level},
};

enum tide_verdict tide_verdict_decide(const struct tide_figures *f, char why[static TIDE_WHY_SZ])
{
	const struct rule *rule = rules;

	while (!rule->applies(f))
		rule++;
	rule->say(f, why);
	return rule->verdict;
}
