/* Ratchets: the floor stepped up and stayed up for the hold time.
 *
 * F, the least level of the last 16 closed slots, is what the site held for the last hold time.
 * It falls at once and rises a hold time late: when the last slot that knew the lower level
 * leaves the window, and that slot remembers when the level left it (leave_ns). So the moment
 * of confirmation tells the moment of the rise, exactly for a plain step and to a slot's length
 * under noise:
 *
 *	level      ______|~~~~~~~~~~~~~~~~~~~~~      at: here, known at +hold
 *	F          __________________|~~~~~~~~~
 *	                 |<-- hold ->|
 *
 * base is the established floor. F above it by more than noise is a rise. It is a ratchet only
 * if it started from solid ground, that is from a level that had been seen for a hold time:
 * the site's own, or nothing at all where the site is new but the process had settled before.
 * Otherwise it is warm-up and the base just follows. A rise that goes on (less than a hold time
 * after the previous one) inherits the ground of its beginning; steps within a hold time of the
 * first are merged into one ratchet, whose time is that of the largest step.
 *
 * F beneath the base is a low, not yet a new base: one that is over within a hold time (a table
 * freed and built again) leaves everything as it was, a longer one becomes the base.
 */
#include "retain/series.h"

#include <string.h>

static uint64_t window_floor(const struct tide_series *s)
{
	uint64_t min = UINT64_MAX;

	for (uint64_t back = 0; back < TIDE_SLOTS_PER_HOLD; back++) {
		uint64_t i = (s->slot + TIDE_FINE_CNT - back) % TIDE_FINE_CNT;

		if (s->fine_min[i] < min)
			min = s->fine_min[i];
	}
	return min;
}

/* Whether the level from which a rise started had been seen for a hold time. */
static bool grounded(const struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t at_ns)
{
	uint64_t seen_ns = s->base_since_ns > s->first_ns ? s->base_since_ns : s->first_ns;

	if (at_ns >= seen_ns + cfg->hold_ns)
		return true;
	return cfg->settled_ns && at_ns >= cfg->settled_ns &&
	       at_ns >= s->base_since_ns + cfg->hold_ns;
}

/* A rise of the floor, as the slot tells it that left the window. */
struct step {
	uint64_t at_ns;
	uint64_t to_bytes;
	bool one_block; /* the first change brought the level to where the floor is now */
};

static void add_ratchet(struct tide_series *s, const struct step *step)
{
	if (s->ratchet_cnt == TIDE_MAX_RATCHETS) {
		s->ratchet_cnt--;
		s->ratchet_dropped_cnt++;
		memmove(&s->ratchets[0], &s->ratchets[1], s->ratchet_cnt * sizeof(s->ratchets[0]));
		memmove(&s->one_step[0], &s->one_step[1], s->ratchet_cnt * sizeof(s->one_step[0]));
	}
	s->one_step[s->ratchet_cnt] = step->one_block;
	s->ratchets[s->ratchet_cnt++] = (struct tide_ratchet){
		.at_ns = step->at_ns,
		.from_bytes = s->base_bytes,
		.to_bytes = step->to_bytes,
	};
	s->rise_first_ns = step->at_ns;
	s->rise_step_bytes = step->to_bytes - s->base_bytes;
}

static void extend_ratchet(struct tide_series *s, const struct step *step)
{
	struct tide_ratchet *r = &s->ratchets[s->ratchet_cnt - 1];
	uint64_t step_bytes = step->to_bytes - s->base_bytes;

	r->to_bytes = step->to_bytes;
	s->one_step[s->ratchet_cnt - 1] = false;
	if (step_bytes > s->rise_step_bytes) {
		s->rise_step_bytes = step_bytes;
		r->at_ns = step->at_ns;
	}
}

/* A process that is seen from its beginning is not settled while it has not begun. */
static void settle(struct tide_series *s, const struct tide_series_cfg *cfg)
{
	if (!s->settled_ns && (s->base_bytes || !cfg->from_first))
		s->settled_ns = s->base_since_ns + cfg->hold_ns;
}

static void rise(struct tide_series *s, const struct tide_series_cfg *cfg, const struct step *step)
{
	bool goes_on = step->at_ns < s->base_since_ns + cfg->hold_ns;

	if (!goes_on)
		settle(s, cfg);
	if (goes_on && s->chained && step->at_ns <= s->rise_first_ns + cfg->hold_ns) {
		extend_ratchet(s, step);
	} else if ((goes_on && s->chained) || grounded(s, cfg, step->at_ns)) {
		add_ratchet(s, step);
		s->chained = true;
	} else {
		s->chained = false;
	}
	s->base_bytes = step->to_bytes;
	s->base_since_ns = step->at_ns;
}

/* The floor rose out of a low; it counts as a base of its own if it lasted. */
static void end_low(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t at_ns)
{
	s->low = false;
	if (at_ns < s->low_since_ns + cfg->hold_ns)
		return;
	s->base_bytes = s->low_bytes;
	s->base_since_ns = s->low_since_ns;
	s->chained = false;
}

static void track_low(struct tide_series *s, const struct tide_series_cfg *cfg,
		      uint64_t floor_bytes)
{
	if (!s->low) {
		s->low = true;
		s->low_since_ns = tide_slot_end_ns(s, cfg);
		s->low_bytes = floor_bytes;
	}
	if (floor_bytes < s->low_bytes)
		s->low_bytes = floor_bytes;
}

void tide_ratchet_step(struct tide_series *s, const struct tide_series_cfg *cfg)
{
	size_t leaving = (s->slot + 1) % TIDE_FINE_CNT;
	uint64_t floor_bytes = window_floor(s);
	struct step step = {
		.at_ns = s->fine_leave_ns[leaving],
		.to_bytes = floor_bytes,
		.one_block = s->fine_leave_bytes[leaving] >= floor_bytes,
	};

	if (s->low && floor_bytes > s->low_bytes + tide_noise(s->low_bytes))
		end_low(s, cfg, step.at_ns);
	if (floor_bytes > s->base_bytes + tide_noise(s->base_bytes))
		rise(s, cfg, &step);
	else if (floor_bytes + tide_noise(s->base_bytes) < s->base_bytes)
		track_low(s, cfg, floor_bytes);
	else if (floor_bytes < s->base_bytes)
		s->base_bytes = floor_bytes;

	if (tide_slot_end_ns(s, cfg) >= s->base_since_ns + 2 * cfg->hold_ns)
		settle(s, cfg);
}

/* Whether a level explains itself by a ratchet: it is above the middle of the rise. */
static bool above_middle(const struct tide_ratchet *r, uint64_t bytes)
{
	return bytes >= r->from_bytes + (r->to_bytes - r->from_bytes) / 2 &&
	       bytes > r->from_bytes + tide_noise(r->from_bytes);
}

/* When the i-th ratchet was over: it may go on for a hold time, but not into the next one. */
static uint64_t end_of(const struct tide_series *s, const struct tide_series_cfg *cfg, uint32_t i)
{
	uint64_t end_ns = s->ratchets[i].at_ns + cfg->hold_ns;
	uint64_t next_ns = i + 1 == s->ratchet_cnt ? s->base_since_ns : s->ratchets[i + 1].at_ns;

	if (next_ns < end_ns && next_ns >= s->ratchets[i].at_ns)
		return next_ns;
	return end_ns;
}

static void add_to_rise(struct tide_rise *rise, const struct tide_ratchet *r, bool one_step)
{
	if (!rise->cnt++) {
		rise->to_bytes = r->to_bytes;
		rise->last_ns = r->at_ns;
		rise->from_bytes = r->from_bytes;
	}
	if (r->from_bytes < rise->from_bytes)
		rise->from_bytes = r->from_bytes;
	if (rise->cnt > 1 &&
	    r->to_bytes - r->from_bytes <= rise->main.to_bytes - rise->main.from_bytes)
		return;
	rise->main = *r;
	rise->main_one_step = one_step;
}

/* From the newest back: a ratchet that began beneath the middle of an older one tells that the
 * older one had been undone.
 */
void tide_rise_read(const struct tide_series *s, const struct tide_series_cfg *cfg,
		    struct tide_rise *ret)
{
	uint64_t floor_bytes = tide_series_floor(s);
	uint64_t lowest = floor_bytes, nearly;
	bool in_force[TIDE_MAX_RATCHETS] = {false};

	*ret = (struct tide_rise){0};
	for (uint32_t i = s->ratchet_cnt; i-- > 0;) {
		in_force[i] = above_middle(&s->ratchets[i], lowest);
		if (in_force[i])
			add_to_rise(ret, &s->ratchets[i], s->one_step[i]);
		if (s->ratchets[i].from_bytes < lowest)
			lowest = s->ratchets[i].from_bytes;
	}
	if (!ret->cnt)
		return;
	/* Later rises may be noise upon the level; they do not make its blocks any younger. */
	nearly = floor_bytes - (floor_bytes - lowest) / 16;
	for (uint32_t i = 0; i < s->ratchet_cnt; i++) {
		if (!in_force[i])
			continue;
		ret->reached_ns = end_of(s, cfg, i);
		if (s->ratchets[i].to_bytes >= nearly)
			return;
	}
}
