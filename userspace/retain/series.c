/* The tide of one site, at several resolutions.
 *
 * Time is cut into slots of hold/16, counted from the start of the session. Within the running
 * slot every change is seen; when it closes, its least and greatest level are folded into all
 * that is coarser, so that a change costs the same however many resolutions there are:
 *
 *	changes      | | ||   |      |  ||| |          |
 *	slots     [---|---|---|---|---|---|---|---|---|---]      17 floors: the last hold time
 *	quarter   [---------------|---------------|-------]      28 floors: 7 hold times
 *	double    [ ........ 2 hold times ........ | .....]      24 floors: 48 hold times
 *	long      [ ....... 16 hold times ....... | ......]      24 floors: 384 hold times
 *	cells     [   |   |   |   |   |   |   ]  40 x min/max/last from the first change to now;
 *	          when full, pairs are merged and the interval doubles: months fit
 *
 * Floors in rings and cells are 32-bit, in units of 2^shift bytes: exact below 4 GiB, beyond
 * that to one part in 2^31 (least values are rounded down, greatest up). The fine ring, from
 * which the reported floor and the ratchets come, is exact always.
 *
 * A realloc is a free and an allocation. In between, the level of a site whose one big buffer
 * is being resized falls to nothing, for microseconds; taken at its word, the floor of such a
 * site would be 0 for ever. So when a large block goes, the fall waits for the next change of
 * the site: an allocation of at least half the size within dip_ns is a replacement, and there
 * was no dip.
 */
#include "retain/series.h"

#include <string.h>

/* A gap is stepped through slot by slot until what was before it has left the window, and a rise
 * at its beginning is confirmed. What follows can change nothing and is folded at once.
 */
#define GAP_STEPS (TIDE_FINE_CNT + 1)

struct ring_shape {
	uint32_t slots, len, off;
};

/* Where each ring begins in the shared array: the enumerators count themselves on. */
enum {
#define X(id, slots, len) RING_OFF_##id, RING_END_##id = RING_OFF_##id + (len)-1,
	TIDE_RINGS(X)
#undef X
};

static const struct ring_shape ring_shapes[TIDE_RING_CNT] = {
#define X(id, slots, len) {slots, len, RING_OFF_##id},
	TIDE_RINGS(X)
#undef X
};

void tide_series_cfg_init(struct tide_series_cfg *cfg, uint64_t start_ns, uint64_t hold_ns)
{
	uint64_t slot_ns = hold_ns / TIDE_SLOTS_PER_HOLD;

	*cfg = (struct tide_series_cfg){
		.start_ns = start_ns,
		.hold_ns = hold_ns,
		.slot_ns = slot_ns ? slot_ns : 1,
		/* Copying a gigabyte takes about 0.3 s. */
		.dip_ns = hold_ns / 64 < 1000000000ULL ? hold_ns / 64 : 1000000000ULL,
	};
}

static uint64_t slot_of(const struct tide_series_cfg *cfg, uint64_t ts_ns)
{
	return ts_ns > cfg->start_ns ? (ts_ns - cfg->start_ns) / cfg->slot_ns : 0;
}

void tide_series_init(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t now_ns)
{
	memset(s, 0, sizeof(*s));
	s->first_ns = s->last_ns = now_ns > cfg->start_ns ? now_ns : cfg->start_ns;
	s->slot = s->first_slot = slot_of(cfg, s->first_ns);
	s->base_since_ns = cfg->start_ns;
	s->cell_slots = 1;
	for (size_t i = 0; i < TIDE_FINE_CNT; i++)
		s->fine_leave_ns[i] = s->first_ns;
}

static void widen(struct tide_series *s)
{
	s->shift++;
	for (size_t i = 0; i < TIDE_RING_CELLS; i++)
		s->ring[i] >>= 1;
	for (size_t i = 0; i < TIDE_CELL_CNT; i++) {
		struct tide_cell *c = &s->cells[i];

		c->min >>= 1;
		c->last >>= 1;
		c->max = (c->max >> 1) + (c->max & 1);
	}
}

static uint32_t pack_down(struct tide_series *s, uint64_t bytes)
{
	while (bytes >> s->shift > UINT32_MAX)
		widen(s);
	return (uint32_t)(bytes >> s->shift);
}

static uint32_t pack_up(struct tide_series *s, uint64_t bytes)
{
	uint64_t units;

	while ((units = (bytes + (1ULL << s->shift) - 1) >> s->shift) > UINT32_MAX)
		widen(s);
	return (uint32_t)units;
}

/* Folds cnt slots with the same least level into a ring; n slots were folded before. */
static void fold_ring(struct tide_series *s, enum tide_ring k, uint64_t n, uint64_t min,
		      uint64_t cnt)
{
	const struct ring_shape *r = &ring_shapes[k];
	uint64_t entry = n / r->slots;
	uint64_t filled = n % r->slots + cnt;

	if (n % r->slots == 0 || min < s->ring_acc[k])
		s->ring_acc[k] = min;
	for (uint64_t stored = 0; filled >= r->slots; filled -= r->slots, entry++) {
		uint32_t units = pack_down(s, s->ring_acc[k]);

		s->ring[r->off + entry % r->len] = units;
		s->ring_acc[k] = min;
		/* From the second full turn on all entries are the same. */
		if (++stored > 2 * r->len && filled >= 2ULL * r->len * r->slots) {
			uint64_t turns = filled / ((uint64_t)r->len * r->slots) - 1;

			filled -= turns * r->len * r->slots;
			entry += turns * r->len;
		}
	}
}

static void merge_cells(struct tide_series *s)
{
	for (size_t i = 0; i < TIDE_CELL_CNT / 2; i++) {
		const struct tide_cell *a = &s->cells[2 * i], *b = &s->cells[2 * i + 1];

		s->cells[i] = (struct tide_cell){
			.min = a->min < b->min ? a->min : b->min,
			.max = a->max > b->max ? a->max : b->max,
			.last = b->last,
		};
	}
	s->cell_slots *= 2;
}

static void close_cell(struct tide_series *s, uint64_t idx)
{
	/* Each pack may change the unit, so all are packed before any is stored. */
	uint32_t max = pack_up(s, s->cell_acc_max);
	uint32_t min = pack_down(s, s->cell_acc_min);
	uint32_t last = pack_down(s, s->level);

	s->cells[idx] = (struct tide_cell){min, max, last};
	if (idx + 1 == TIDE_CELL_CNT)
		merge_cells(s);
}

static void fold_cells(struct tide_series *s, uint64_t n, uint64_t min, uint64_t max, uint64_t cnt)
{
	while (cnt) {
		uint64_t pos = n % s->cell_slots;
		uint64_t room = s->cell_slots - pos;
		uint64_t take = cnt < room ? cnt : room;

		if (!pos || min < s->cell_acc_min)
			s->cell_acc_min = min;
		if (!pos || max > s->cell_acc_max)
			s->cell_acc_max = max;
		n += take;
		cnt -= take;
		if (take == room)
			close_cell(s, n / s->cell_slots - 1);
	}
}

static void fold(struct tide_series *s, uint64_t min, uint64_t max, uint64_t cnt)
{
	uint64_t n = s->slot - s->first_slot;

	for (int k = 0; k < TIDE_RING_CNT; k++)
		fold_ring(s, k, n, min, cnt);
	fold_cells(s, n, min, max, cnt);
}

static void open_slot(struct tide_series *s)
{
	s->slot_min = s->slot_max = s->level;
	s->slot_leave_ns = 0;
}

static void close_slot(struct tide_series *s, const struct tide_series_cfg *cfg)
{
	size_t i = s->slot % TIDE_FINE_CNT;

	s->fine_min[i] = s->slot_min;
	s->fine_leave_ns[i] = s->slot_leave_ns ? s->slot_leave_ns : tide_slot_end_ns(s, cfg);
	s->fine_leave_bytes[i] = s->slot_leave_ns ? s->slot_leave_bytes : s->level;
	fold(s, s->slot_min, s->slot_max, 1);
	tide_ratchet_step(s, cfg);
	s->slot++;
	open_slot(s);
}

static void track_swing(struct tide_series *s, uint64_t ts_ns)
{
	if (!s->high && s->level >= s->peak_bytes / 2 && s->level) {
		s->high = true;
		s->high_since_ns = ts_ns;
	} else if (s->high && s->level <= s->peak_bytes / 4) {
		s->high = false;
		s->swing_cnt++;
		s->last_swing_ns = ts_ns;
		if (ts_ns - s->high_since_ns > s->longest_high_ns)
			s->longest_high_ns = ts_ns - s->high_since_ns;
	}
}

static void set_level(struct tide_series *s, uint64_t ts_ns, uint64_t level)
{
	if (level > s->level && s->level == s->slot_min) {
		s->slot_leave_ns = ts_ns;
		s->slot_leave_bytes = level;
	}
	s->level = level;
	if (level <= s->slot_min) {
		s->slot_min = level;
		s->slot_leave_ns = 0;
	}
	if (level > s->slot_max)
		s->slot_max = level;
	if (level > s->peak_bytes) {
		s->peak_bytes = level;
		s->peak_ns = ts_ns;
	}
	track_swing(s, ts_ns);
}

static void end_dip(struct tide_series *s)
{
	if (!s->dip)
		return;
	s->dip = false;
	set_level(s, s->dip_since_ns, s->dip_level);
}

void tide_series_advance(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t now_ns)
{
	uint64_t target;

	if (now_ns <= s->last_ns)
		return;
	if (s->dip && now_ns - s->dip_since_ns > cfg->dip_ns)
		end_dip(s);
	s->last_ns = now_ns;
	target = slot_of(cfg, now_ns);
	for (int i = 0; i < GAP_STEPS && s->slot < target; i++)
		close_slot(s, cfg);
	if (s->slot < target) {
		fold(s, s->level, s->level, target - s->slot);
		s->slot = target;
		open_slot(s);
		for (size_t i = 0; i < TIDE_FINE_CNT; i++)
			s->fine_min[i] = s->level;
		tide_ratchet_step(s, cfg);
	}
}

void tide_series_add(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t ts_ns,
		     uint64_t live_bytes, uint64_t block_bytes)
{
	tide_series_advance(s, cfg, ts_ns);
	if (s->dip && block_bytes >= s->dip_bytes / 2)
		s->dip = false;
	else
		end_dip(s);
	set_level(s, s->last_ns, live_bytes);
}

void tide_series_sub(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t ts_ns,
		     uint64_t live_bytes, uint64_t block_bytes)
{
	tide_series_advance(s, cfg, ts_ns);
	end_dip(s);
	if (block_bytes < TIDE_NOISE_BYTES) {
		set_level(s, s->last_ns, live_bytes);
		return;
	}
	s->dip = true;
	s->dip_level = live_bytes;
	s->dip_bytes = block_bytes;
	s->dip_since_ns = s->last_ns;
}

void tide_series_set(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t ts_ns,
		     uint64_t live_bytes)
{
	tide_series_advance(s, cfg, ts_ns);
	s->dip = false;
	set_level(s, s->last_ns, live_bytes);
}

uint64_t tide_series_floor(const struct tide_series *s)
{
	uint64_t min = s->slot_min;

	for (uint64_t back = 1; back <= TIDE_SLOTS_PER_HOLD; back++) {
		uint64_t i = (s->slot + TIDE_FINE_CNT - back) % TIDE_FINE_CNT;

		if (s->fine_min[i] < min)
			min = s->fine_min[i];
	}
	return s->dip && s->dip_level < min ? s->dip_level : min;
}

size_t tide_series_ring_cnt(const struct tide_series *s, enum tide_ring ring)
{
	const struct ring_shape *r = &ring_shapes[ring];
	uint64_t cnt = (s->slot - s->first_slot) / r->slots;

	return cnt < r->len ? (size_t)cnt : r->len;
}

uint64_t tide_series_ring_min(const struct tide_series *s, enum tide_ring ring, size_t i)
{
	const struct ring_shape *r = &ring_shapes[ring];
	uint64_t newest = (s->slot - s->first_slot) / r->slots - 1;

	return (uint64_t)s->ring[r->off + (newest - i) % r->len] << s->shift;
}

size_t tide_series_cell_cnt(const struct tide_series *s)
{
	return (size_t)((s->slot - s->first_slot) / s->cell_slots);
}

size_t tide_series_points(const struct tide_series *s, const struct tide_series_cfg *cfg,
			  struct tide_tide_point *ret)
{
	uint64_t step_ns = s->cell_slots * cfg->slot_ns;
	uint64_t begin_ns = cfg->start_ns + s->first_slot * cfg->slot_ns;
	size_t cnt = tide_series_cell_cnt(s);
	bool fresh = (s->slot - s->first_slot) % s->cell_slots == 0;
	struct tide_tide_point *now = &ret[cnt];

	for (size_t i = 0; i < cnt; i++) {
		ret[i] = (struct tide_tide_point){
			.at_ns = begin_ns + i * step_ns,
			.min_bytes = (uint64_t)s->cells[i].min << s->shift,
			.max_bytes = (uint64_t)s->cells[i].max << s->shift,
			.last_bytes = (uint64_t)s->cells[i].last << s->shift,
		};
	}
	now->at_ns = begin_ns + cnt * step_ns;
	now->last_bytes = s->level;
	now->min_bytes = fresh || s->slot_min < s->cell_acc_min ? s->slot_min : s->cell_acc_min;
	now->max_bytes = fresh || s->slot_max > s->cell_acc_max ? s->slot_max : s->cell_acc_max;
	return cnt + 1;
}
