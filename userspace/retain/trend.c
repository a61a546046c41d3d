/* Growth: floors of consecutive windows, at window lengths from the hold time upwards.
 *
 * Comparing floors instead of instants lets the cycles drop out, once the window is longer
 * than a cycle; and a leak that is lost in the noise of one window shows over longer ones. So
 * every length is tried, shortest first: the hold time, 2, 4, 8, … as far as the history goes.
 *
 *	level    /\  /\  /\ ./\./\  /\        windows shorter than a cycle see it rise and fall,
 *	      /\/. \/. \/. \/  .  \/  \       longer ones see the floors 1 2 3 4 5
 *	      |  1 |  2 |  3 |  4 |  5 |
 *
 * What looks like growth and is none, and how it is told:
 *   a step        most of the rise lies in one window
 *   a filling     it stops: the latest window no longer rises
 *   a long cycle  floors before the run were as high: this has been seen, and it went back
 *   the beginning the first window contains the site's birth from nothing: it is not used
 */
#include "retain/trend.h"

#define MAX_WINDOWS TIDE_CELL_CNT

static const uint32_t ring_slots[TIDE_RING_CNT] = {
#define X(id, slots, len) slots,
	TIDE_RINGS(X)
#undef X
};

/* Floors of windows, the newest first, all of one length. */
struct floors {
	uint64_t bytes[MAX_WINDOWS];
	size_t cnt;
	uint64_t window_ns;
};

struct rule {
	uint32_t rise_cnt;  /* consecutive rises that are needed */
	uint32_t least_pct; /* rise over all of them, of the level reached */
};

/* At the hold time itself one window more or less is easily luck: it has to be a clear rise. */
static const struct rule short_rule = {3, 10};
static const struct rule long_rule = {4, 5};
/* A rise counts from this on; and no single one may make up more of the whole. */
#define LEAST_STEP_BYTES  4096
#define LEAST_STEP_PART	  200
#define GREATEST_STEP_PCT 75

static void floors_of_ring(const struct tide_series *s, enum tide_ring ring, size_t group,
			   struct floors *ret)
{
	size_t entries = tide_series_ring_cnt(s, ring);

	ret->cnt = 0;
	for (size_t i = 0; i + group <= entries; i += group) {
		uint64_t min = UINT64_MAX;

		for (size_t j = i; j < i + group; j++) {
			uint64_t floor = tide_series_ring_min(s, ring, j);

			if (floor < min)
				min = floor;
		}
		ret->bytes[ret->cnt++] = min;
	}
}

static void floors_of_cells(const struct tide_series *s, size_t group, struct floors *ret)
{
	size_t cells = tide_series_cell_cnt(s);

	ret->cnt = 0;
	for (size_t i = 0; i + group <= cells; i += group) {
		uint64_t min = UINT64_MAX;

		for (size_t j = i; j < i + group; j++) {
			uint64_t floor = (uint64_t)s->cells[cells - 1 - j].min << s->shift;

			if (floor < min)
				min = floor;
		}
		ret->bytes[ret->cnt++] = min;
	}
}

/* Whether the newest windows rise one after the other, far enough and not in one step. */
static bool rises(const struct floors *f, const struct rule *rule)
{
	uint64_t top = f->bytes[0], total, greatest = 0;

	for (uint32_t i = 0; i < rule->rise_cnt; i++) {
		uint64_t least = LEAST_STEP_BYTES;

		if (f->bytes[i + 1] / LEAST_STEP_PART > least)
			least = f->bytes[i + 1] / LEAST_STEP_PART;
		if (f->bytes[i] < f->bytes[i + 1] + least)
			return false;
		if (f->bytes[i] - f->bytes[i + 1] > greatest)
			greatest = f->bytes[i] - f->bytes[i + 1];
	}
	total = top - f->bytes[rule->rise_cnt];
	if (total < TIDE_NOISE_BYTES || total < top / 100 * rule->least_pct)
		return false;
	return greatest <= total / 100 * GREATEST_STEP_PCT;
}

static bool any_above(const struct floors *f, size_t from, uint64_t bytes)
{
	for (size_t i = from; i < f->cnt; i++) {
		if (f->bytes[i] > bytes)
			return true;
	}
	return false;
}

/* The same in longer windows than those of the run, which remember longer cycles. */
static bool any_older(const struct tide_series *s, enum tide_ring from_ring, uint64_t span_slots,
		      uint64_t bytes)
{
	struct floors f;

	for (int ring = from_ring; ring < TIDE_RING_CNT; ring++) {
		floors_of_ring(s, ring, 1, &f);
		if (any_above(&f, span_slots / ring_slots[ring] + 1, bytes))
			return true;
	}
	floors_of_cells(s, 1, &f);
	return any_above(&f, span_slots / s->cell_slots + 1, bytes);
}

static bool check(const struct tide_series *s, const struct floors *f, const struct rule *rule,
		  struct tide_trend *ret)
{
	uint64_t now_floor = tide_series_floor(s);
	uint64_t from, middle;

	/* One more than the run: the oldest window there is may contain the beginning. */
	if (f->cnt < rule->rise_cnt + 2u || !rises(f, rule))
		return false;
	from = f->bytes[rule->rise_cnt];
	middle = from + (f->bytes[0] - from) / 2;
	if (any_above(f, rule->rise_cnt + 1, middle))
		return false;
	if (now_floor < middle)
		return false;
	*ret = (struct tide_trend){
		.growing = true,
		.window_cnt = rule->rise_cnt + 1,
		.window_ns = f->window_ns,
		.from_bytes = from,
		.to_bytes = now_floor > f->bytes[0] ? now_floor : f->bytes[0],
	};
	return true;
}

/* A window of several hold times may have closed long ago: by now the floor must be above
 * that of the last closed one, by a quarter of the usual step.
 */
static bool still_rising(const struct tide_series *s, const struct floors *f,
			 const struct rule *rule)
{
	uint64_t step = (f->bytes[0] - f->bytes[rule->rise_cnt]) / rule->rise_cnt;

	return tide_series_floor(s) >= f->bytes[0] + step / 4;
}

/* A longer window on a slope sees less of a top than there was, so less is enough here. */
static uint64_t seen_level(const struct tide_trend *trend)
{
	uint64_t quarter = trend->from_bytes + (trend->to_bytes - trend->from_bytes) / 4;
	uint64_t noise = trend->from_bytes + tide_noise(trend->from_bytes);

	return quarter < noise ? quarter : noise;
}

/* Windows of the hold time, ending less than a quarter of it ago. */
static bool check_hold(const struct tide_series *s, const struct tide_series_cfg *cfg,
		       struct tide_trend *ret)
{
	struct floors f = {.window_ns = cfg->hold_ns};
	uint64_t span_slots = (short_rule.rise_cnt + 1) * TIDE_SLOTS_PER_HOLD;

	floors_of_ring(s, TIDE_RING_QUARTER, 4, &f);
	return check(s, &f, &short_rule, ret) &&
	       !any_older(s, TIDE_RING_DOUBLE, span_slots, seen_level(ret));
}

static bool check_ring(const struct tide_series *s, const struct tide_series_cfg *cfg,
		       enum tide_ring ring, size_t group, struct tide_trend *ret)
{
	struct floors f = {.window_ns = ring_slots[ring] * group * cfg->slot_ns};

	floors_of_ring(s, ring, group, &f);
	return check(s, &f, &long_rule, ret) && still_rising(s, &f, &long_rule);
}

static bool check_double(const struct tide_series *s, const struct tide_series_cfg *cfg,
			 size_t group, struct tide_trend *ret)
{
	uint64_t span_slots = (long_rule.rise_cnt + 1) * group * ring_slots[TIDE_RING_DOUBLE];

	return check_ring(s, cfg, TIDE_RING_DOUBLE, group, ret) &&
	       !any_older(s, TIDE_RING_LONG, span_slots, seen_level(ret));
}

static bool check_cells(const struct tide_series *s, const struct tide_series_cfg *cfg,
			size_t group, struct tide_trend *ret)
{
	struct floors f = {.window_ns = s->cell_slots * group * cfg->slot_ns};

	/* Shorter windows are the rings' business. */
	if (f.window_ns < 4 * TIDE_SLOTS_PER_HOLD * cfg->slot_ns)
		return false;
	floors_of_cells(s, group, &f);
	return check(s, &f, &long_rule, ret) && still_rising(s, &f, &long_rule);
}

static bool read_growth(const struct tide_series *s, const struct tide_series_cfg *cfg,
			struct tide_trend *ret)
{
	if (check_hold(s, cfg, ret))
		return true;
	for (size_t group = 1; group <= 4; group *= 2) {
		if (check_double(s, cfg, group, ret))
			return true;
	}
	for (size_t group = 1; group <= 4; group *= 2) {
		if (check_ring(s, cfg, TIDE_RING_LONG, group, ret))
			return true;
	}
	for (size_t group = 1; group <= 8; group *= 2) {
		if (check_cells(s, cfg, group, ret))
			return true;
	}
	return false;
}

static bool is_climbing(const struct tide_series *s, const struct tide_series_cfg *cfg)
{
	uint64_t floor = tide_series_floor(s);
	uint64_t latest = s->slot_min;

	if (tide_slot_end_ns(s, cfg) >= s->base_since_ns + 2 * cfg->hold_ns)
		return false;
	if (tide_series_ring_cnt(s, TIDE_RING_QUARTER) &&
	    tide_series_ring_min(s, TIDE_RING_QUARTER, 0) < latest)
		latest = tide_series_ring_min(s, TIDE_RING_QUARTER, 0);
	return latest > floor + tide_noise(floor);
}

static bool is_falling(const struct tide_series *s)
{
	uint64_t floor = tide_series_floor(s);
	struct floors f;

	floors_of_ring(s, TIDE_RING_QUARTER, 4, &f);
	for (size_t i = 2; i < f.cnt && i < 6; i++) {
		if (floor + tide_noise(floor) < f.bytes[i])
			return true;
	}
	return false;
}

/* The longest time above the level, before the present one and what lay below in between. */
static uint64_t earlier_above(const struct floors *f, uint64_t level)
{
	size_t i = 0;
	uint64_t run = 0, longest = 0;

	while (i < f->cnt && f->bytes[i] >= level)
		i++;
	for (; i < f->cnt; i++) {
		run = f->bytes[i] >= level ? run + 1 : 0;
		if (run > longest)
			longest = run;
	}
	return longest * f->window_ns;
}

static uint64_t earlier_high(const struct tide_series *s, const struct tide_series_cfg *cfg,
			     const struct tide_rise *rise)
{
	uint64_t floor = tide_series_floor(s), level, ns, longest = 0;
	struct floors f;

	if (!rise->cnt || floor < rise->from_bytes)
		return 0;
	level = rise->from_bytes + (floor - rise->from_bytes) / 2;
	for (int ring = 0; ring < TIDE_RING_CNT; ring++) {
		floors_of_ring(s, ring, 1, &f);
		f.window_ns = ring_slots[ring] * cfg->slot_ns;
		ns = earlier_above(&f, level);
		if (ns > longest)
			longest = ns;
	}
	floors_of_cells(s, 1, &f);
	f.window_ns = s->cell_slots * cfg->slot_ns;
	ns = earlier_above(&f, level);
	return ns > longest ? ns : longest;
}

void tide_trend_read(const struct tide_series *s, const struct tide_series_cfg *cfg,
		     const struct tide_rise *rise, struct tide_trend *ret)
{
	*ret = (struct tide_trend){0};
	if (s->peak_bytes < TIDE_NOISE_BYTES)
		return;
	if (!read_growth(s, cfg, ret))
		*ret = (struct tide_trend){0};
	ret->climbing = is_climbing(s, cfg);
	ret->falling = is_falling(s);
	ret->earlier_high_ns = earlier_high(s, cfg, rise);
}
