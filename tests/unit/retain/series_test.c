#include "sim.h"

#include "retain/series.h"

#define START 1000ULL
#define HOLD  1600ULL /* a slot is 100 */
#define SLOT  100ULL

/* What a series does, computed the slow way: the level at every moment. */
struct reference {
	uint64_t *level; /* by ns since START */
	uint64_t cnt;
};

static uint64_t range_min(const struct reference *ref, uint64_t from, uint64_t to)
{
	uint64_t min = UINT64_MAX;

	for (uint64_t t = from; t < to && t < ref->cnt; t++) {
		if (ref->level[t] < min)
			min = ref->level[t];
	}
	return min;
}

static uint64_t range_max(const struct reference *ref, uint64_t from, uint64_t to)
{
	uint64_t max = 0;

	for (uint64_t t = from; t < to && t < ref->cnt; t++) {
		if (ref->level[t] > max)
			max = ref->level[t];
	}
	return max;
}

/* The i-th window from the end of all that are closed. */
static void assert_ring(const struct tide_series *s, const struct reference *ref,
			enum tide_ring ring, uint64_t slots)
{
	uint64_t closed = s->slot / slots;

	for (size_t i = 0; i < tide_series_ring_cnt(s, ring); i++) {
		uint64_t begin = (closed - 1 - i) * slots * SLOT;

		assert_int_equal(tide_series_ring_min(s, ring, i),
				 range_min(ref, begin, begin + slots * SLOT));
	}
}

static void assert_points(const struct tide_series *s, const struct tide_series_cfg *cfg,
			  const struct reference *ref)
{
	struct tide_tide_point points[TIDE_CELL_CNT + 1];
	size_t cnt = tide_series_points(s, cfg, points);

	for (size_t i = 0; i < cnt; i++) {
		uint64_t begin = points[i].at_ns - START;
		uint64_t end = i + 1 < cnt ? points[i + 1].at_ns - START : ref->cnt;

		assert_int_equal(points[i].min_bytes, range_min(ref, begin, end));
		assert_int_equal(points[i].max_bytes, range_max(ref, begin, end));
		assert_int_equal(points[i].last_bytes, ref->level[end - 1]);
	}
	assert_int_equal(points[0].at_ns, START);
}

static void play(uint32_t seed, bool tick_often)
{
	struct reference ref = {.cnt = 200000};
	struct tide_series_cfg cfg;
	struct tide_series s;
	uint64_t level = 0, now = 0;

	ref.level = calloc(ref.cnt, sizeof(*ref.level));
	assert_non_null(ref.level);
	tide_series_cfg_init(&cfg, START, HOLD);
	assert_int_equal(cfg.slot_ns, SLOT);
	tide_series_init(&s, &cfg, START);
	for (;;) {
		uint64_t next, gap;

		seed = seed * 1664525 + 1013904223;
		gap = (seed >> 28) == 0 ? (seed >> 8) % 30000 : 1 + (seed >> 8) % 150;
		next = now + gap;
		for (uint64_t t = now; t < next && t < ref.cnt; t++)
			ref.level[t] = level;
		if (next >= ref.cnt)
			break;
		for (uint64_t t = now; tick_often && t < next; t += 70)
			tide_series_advance(&s, &cfg, START + t);
		now = next;
		level = (seed >> 5) % 60000;
		tide_series_set(&s, &cfg, START + now, level);
	}
	now = ref.cnt - 1;
	tide_series_advance(&s, &cfg, START + now);
	/* The running slot and sixteen before it. */
	assert_int_equal(tide_series_floor(&s), range_min(&ref, (now / SLOT - 16) * SLOT, ref.cnt));
	assert_int_equal(s.peak_bytes, range_max(&ref, 0, ref.cnt));
	assert_int_equal(ref.level[s.peak_ns - START], s.peak_bytes);
	assert_ring(&s, &ref, TIDE_RING_QUARTER, 4);
	assert_ring(&s, &ref, TIDE_RING_DOUBLE, 32);
	assert_ring(&s, &ref, TIDE_RING_LONG, 256);
	assert_points(&s, &cfg, &ref);
	free(ref.level);
}

static void equals_the_reference(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 12; seed++) {
		play(seed * 2654435761U, false);
		play(seed * 2654435761U, true);
	}
}

/* However long the gap: what is folded at once is what slot by slot would have given. */
static void a_gap_costs_nothing_and_loses_nothing(void **state)
{
	static const uint64_t gaps[] = {1, 15, 16, 17, 33, 34, 35, 100, 1000, 7777, 123456};
	struct tide_series_cfg cfg;

	(void)state;
	tide_series_cfg_init(&cfg, START, HOLD);
	for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		struct tide_tide_point pa[TIDE_CELL_CNT + 1], pb[TIDE_CELL_CNT + 1];
		struct tide_series a, b;
		uint64_t now = START + 5000;

		tide_series_init(&a, &cfg, START);
		tide_series_add(&a, &cfg, START + 10, 1 * MB, 1 * MB);
		tide_series_add(&a, &cfg, now, 8 * MB, 7 * MB);
		b = a;
		for (uint64_t i = 0; i < gaps[g]; i++)
			tide_series_advance(&a, &cfg, now + i * SLOT);
		now += gaps[g] * SLOT;
		tide_series_advance(&a, &cfg, now);
		tide_series_advance(&b, &cfg, now);
		assert_int_equal(a.slot, b.slot);
		assert_int_equal(a.ratchet_cnt, b.ratchet_cnt);
		assert_int_equal(a.base_bytes, b.base_bytes);
		assert_int_equal(a.base_since_ns, b.base_since_ns);
		assert_int_equal(a.settled_ns, b.settled_ns);
		assert_memory_equal(a.ring, b.ring, sizeof(a.ring));
		assert_int_equal(tide_series_points(&a, &cfg, pa),
				 tide_series_points(&b, &cfg, pb));
		assert_memory_equal(pa, pb, tide_series_points(&a, &cfg, pa) * sizeof(pa[0]));
	}
}

static void beyond_4_gib_the_floor_stays_exact(void **state)
{
	struct tide_tide_point points[TIDE_CELL_CNT + 1];
	const uint64_t huge = 123456789012345ULL;
	struct tide_series_cfg cfg;
	struct tide_series s;
	size_t cnt;

	(void)state;
	tide_series_cfg_init(&cfg, START, HOLD);
	tide_series_init(&s, &cfg, START);
	tide_series_add(&s, &cfg, START + 10, 1000 * MB, 1000 * MB);
	tide_series_add(&s, &cfg, START + 10 * HOLD, huge, huge);
	tide_series_advance(&s, &cfg, START + 20 * HOLD);
	assert_int_equal(tide_series_floor(&s), huge);
	assert_int_equal(s.ratchets[0].to_bytes, huge);
	cnt = tide_series_points(&s, &cfg, points);
	for (size_t i = 1; i + 1 < cnt; i++) {
		uint64_t truth = points[i].last_bytes > 2000 * MB ? huge : 1000 * MB;

		assert_true(points[i].min_bytes <= truth);
		assert_true(points[i].max_bytes >= truth || points[i].min_bytes < 1001 * MB);
		assert_in_range(points[i].last_bytes, truth - (huge >> 31) - 1, truth);
	}
	assert_true(tide_series_ring_min(&s, TIDE_RING_QUARTER, 0) >= huge - (huge >> 31) - 1);
}

static void a_replacement_is_no_dip(void **state)
{
	struct tide_series_cfg cfg;
	struct tide_series s;
	uint64_t now = 1000 * SEC;

	(void)state;
	tide_series_cfg_init(&cfg, now, 16 * SEC);
	tide_series_init(&s, &cfg, now);
	tide_series_add(&s, &cfg, now, 100 * MB, 100 * MB);
	now += 40 * SEC;
	tide_series_sub(&s, &cfg, now, 0, 100 * MB);
	tide_series_add(&s, &cfg, now + 1000, 110 * MB, 110 * MB);
	assert_int_equal(tide_series_floor(&s), 100 * MB);
	/* It takes too long, or what comes is small: it was a dip. */
	tide_series_sub(&s, &cfg, now + 2000, 0, 110 * MB);
	tide_series_add(&s, &cfg, now + SEC, 110 * MB, 110 * MB);
	assert_int_equal(tide_series_floor(&s), 0);
	now += 40 * SEC;
	tide_series_advance(&s, &cfg, now);
	assert_int_equal(tide_series_floor(&s), 110 * MB);
	tide_series_sub(&s, &cfg, now, 10 * MB, 100 * MB);
	assert_int_equal(tide_series_floor(&s), 10 * MB);
	tide_series_add(&s, &cfg, now + 1, 11 * MB, 1 * MB);
	tide_series_add(&s, &cfg, now + 2, 111 * MB, 100 * MB);
	assert_int_equal(tide_series_floor(&s), 10 * MB);
}

static void swings_are_counted(void **state)
{
	struct tide_series_cfg cfg;
	struct tide_series s;
	uint64_t now = START;

	(void)state;
	tide_series_cfg_init(&cfg, START, HOLD);
	tide_series_init(&s, &cfg, START);
	for (int i = 0; i < 5; i++) {
		tide_series_set(&s, &cfg, now += 10, 1000);
		tide_series_set(&s, &cfg, now += 100 + (uint64_t)i, 100);
	}
	assert_int_equal(s.swing_cnt, 5);
	assert_int_equal(s.longest_high_ns, 104);
	assert_int_equal(s.last_swing_ns, now);
	assert_false(s.high);
	/* Half way is neither. */
	tide_series_set(&s, &cfg, now += 10, 400);
	assert_false(s.high);
	tide_series_set(&s, &cfg, now += 10, 500);
	assert_true(s.high);
	tide_series_set(&s, &cfg, now += 10, 300);
	assert_true(s.high);
}

static void a_series_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct tide_series) <= 1700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_the_reference),
		cmocka_unit_test(a_gap_costs_nothing_and_loses_nothing),
		cmocka_unit_test(beyond_4_gib_the_floor_stays_exact),
		cmocka_unit_test(a_replacement_is_no_dip),
		cmocka_unit_test(swings_are_counted),
		cmocka_unit_test(a_series_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
