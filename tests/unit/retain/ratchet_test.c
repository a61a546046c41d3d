#include "sim.h"

#include "retain/series.h"

#define START (1000 * SEC)
#define HOLD  (16 * SEC) /* a slot is a second */

struct player {
	struct tide_series_cfg cfg;
	struct tide_series s;
	uint64_t now_ns;
};

static void begin(struct player *p)
{
	tide_series_cfg_init(&p->cfg, START, HOLD);
	tide_series_init(&p->s, &p->cfg, START);
	p->now_ns = START;
}

static void wait(struct player *p, uint64_t ns)
{
	p->now_ns += ns;
	tide_series_advance(&p->s, &p->cfg, p->now_ns);
}

static uint64_t level(struct player *p, uint64_t bytes)
{
	tide_series_set(&p->s, &p->cfg, p->now_ns, bytes);
	return p->now_ns;
}

static void assert_ratchet(const struct player *p, uint32_t i, uint64_t at_ns, uint64_t from,
			   uint64_t to)
{
	assert_true(i < p->s.ratchet_cnt);
	assert_int_equal(p->s.ratchets[i].at_ns, at_ns);
	assert_int_equal(p->s.ratchets[i].from_bytes, from);
	assert_int_equal(p->s.ratchets[i].to_bytes, to);
}

static void a_step_is_timed_exactly(void **state)
{
	struct player p;
	uint64_t at_ns;

	(void)state;
	begin(&p);
	level(&p, 10 * MB);
	wait(&p, 3 * HOLD + 123456789);
	at_ns = level(&p, 60 * MB);
	wait(&p, HOLD - SEC);
	assert_int_equal(p.s.ratchet_cnt, 0);
	wait(&p, 2 * SEC);
	assert_int_equal(p.s.ratchet_cnt, 1);
	assert_ratchet(&p, 0, at_ns, 10 * MB, 60 * MB);
	assert_true(p.s.one_step[0]);
	wait(&p, 100 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 1);
}

static void what_comes_down_in_time_is_none(void **state)
{
	struct player p;

	(void)state;
	begin(&p);
	level(&p, 10 * MB);
	wait(&p, 3 * HOLD);
	for (int i = 0; i < 20; i++) {
		level(&p, 60 * MB);
		wait(&p, HOLD - 2 * SEC);
		level(&p, 10 * MB);
		wait(&p, HOLD);
	}
	assert_int_equal(p.s.ratchet_cnt, 0);
}

static void noise_is_none(void **state)
{
	struct player p;

	(void)state;
	begin(&p);
	level(&p, 1000 * KB);
	wait(&p, 3 * HOLD);
	level(&p, 1060 * KB); /* 60 KiB: not enough, whatever the share */
	wait(&p, 3 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 0);
	level(&p, 1065 * KB);
	wait(&p, 3 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 1);
	level(&p, 100 * MB);
	wait(&p, 3 * HOLD);
	level(&p, 104 * MB); /* 4 %: not enough, whatever the size */
	wait(&p, 3 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 2);
}

static void the_first_rise_is_warm_up(void **state)
{
	struct player p;

	(void)state;
	begin(&p);
	level(&p, 50 * MB);
	wait(&p, 10 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 0);
	assert_int_equal(p.s.base_bytes, 50 * MB);
}

static void a_late_site_is_measured_by_the_process(void **state)
{
	struct player p;
	uint64_t at_ns;

	(void)state;
	for (int settled = 0; settled < 2; settled++) {
		begin(&p);
		p.now_ns = START + 5 * HOLD;
		p.cfg.settled_ns = settled ? START + HOLD : 0;
		tide_series_init(&p.s, &p.cfg, p.now_ns);
		at_ns = level(&p, 50 * MB);
		wait(&p, 3 * HOLD);
		assert_int_equal(p.s.ratchet_cnt, settled);
		if (settled)
			assert_ratchet(&p, 0, at_ns, 0, 50 * MB);
	}
}

static void steps_within_a_hold_time_are_one(void **state)
{
	uint64_t at_ns = 0;
	struct player p;

	(void)state;
	begin(&p);
	level(&p, 10 * MB);
	wait(&p, 3 * HOLD);
	for (uint64_t i = 1; i <= 5; i++) {
		uint64_t ns = level(&p, 10 * MB + (i * i * 10) * MB);

		at_ns = i == 5 ? ns : at_ns;
		wait(&p, HOLD / 8);
	}
	wait(&p, 3 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 1);
	/* The time of the largest step. */
	assert_ratchet(&p, 0, at_ns, 10 * MB, 260 * MB);
	assert_false(p.s.one_step[0]);
}

static void a_short_low_changes_nothing(void **state)
{
	struct player p;

	(void)state;
	begin(&p);
	level(&p, 100 * MB);
	wait(&p, 3 * HOLD);
	/* Freed and built again, as large as it was. */
	level(&p, 5 * MB);
	wait(&p, HOLD / 4);
	level(&p, 100 * MB);
	wait(&p, 3 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 0);
	/* The same, and larger than it was: from what it had been, not from the low. */
	level(&p, 5 * MB);
	wait(&p, HOLD / 4);
	level(&p, 300 * MB);
	wait(&p, 3 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, 1);
	assert_int_equal(p.s.ratchets[0].from_bytes, 100 * MB);
	assert_int_equal(p.s.ratchets[0].to_bytes, 300 * MB);
}

static void a_long_low_is_a_new_base(void **state)
{
	struct tide_rise rise;
	struct player p;

	(void)state;
	begin(&p);
	level(&p, 10 * MB);
	wait(&p, 3 * HOLD);
	for (int i = 0; i < 3; i++) {
		level(&p, 100 * MB);
		wait(&p, 3 * HOLD);
		if (i < 2) {
			level(&p, 10 * MB);
			wait(&p, 3 * HOLD);
		}
	}
	assert_int_equal(p.s.ratchet_cnt, 3);
	/* The first two were undone. */
	tide_rise_read(&p.s, &p.cfg, &rise);
	assert_int_equal(rise.cnt, 1);
	assert_int_equal(rise.main.at_ns, p.s.ratchets[2].at_ns);
	level(&p, 10 * MB);
	tide_rise_read(&p.s, &p.cfg, &rise);
	assert_int_equal(rise.cnt, 0);
}

static void a_rise_is_read_as_a_whole(void **state)
{
	struct tide_rise rise;
	struct player p;
	uint64_t at_ns;

	(void)state;
	begin(&p);
	level(&p, 10 * MB);
	wait(&p, 3 * HOLD);
	level(&p, 30 * MB);
	wait(&p, 3 * HOLD);
	at_ns = level(&p, 200 * MB);
	wait(&p, 3 * HOLD);
	level(&p, 211 * MB); /* noise upon it */
	wait(&p, 3 * HOLD);
	tide_rise_read(&p.s, &p.cfg, &rise);
	assert_int_equal(rise.cnt, 3);
	assert_int_equal(rise.from_bytes, 10 * MB);
	assert_int_equal(rise.to_bytes, 211 * MB);
	assert_int_equal(rise.main.at_ns, at_ns);
	assert_true(rise.main_one_step);
	/* It was about there with the second. */
	assert_in_range(rise.reached_ns, at_ns, at_ns + HOLD);
}

static void older_ratchets_are_counted(void **state)
{
	struct player p;

	(void)state;
	begin(&p);
	level(&p, 10 * MB);
	for (uint64_t i = 2; i <= 14; i++) {
		wait(&p, 3 * HOLD);
		level(&p, i * 10 * MB);
	}
	wait(&p, 3 * HOLD);
	assert_int_equal(p.s.ratchet_cnt, TIDE_MAX_RATCHETS);
	assert_int_equal(p.s.ratchet_dropped_cnt, 13 - TIDE_MAX_RATCHETS);
	assert_int_equal(p.s.ratchets[0].to_bytes, 70 * MB);
	assert_int_equal(p.s.ratchets[TIDE_MAX_RATCHETS - 1].to_bytes, 140 * MB);
}

static void a_level_process_settles(void **state)
{
	struct player p;

	(void)state;
	begin(&p);
	wait(&p, SEC);
	level(&p, 10 * MB);
	wait(&p, HOLD);
	assert_int_equal(p.s.settled_ns, 0);
	wait(&p, 2 * HOLD);
	assert_int_equal(p.s.settled_ns, START + SEC + HOLD);
	/* One that rises all the time does not. */
	begin(&p);
	for (uint64_t i = 1; i < 100; i++) {
		level(&p, i * i * MB);
		wait(&p, HOLD / 8);
	}
	assert_int_equal(p.s.settled_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_is_timed_exactly),
		cmocka_unit_test(what_comes_down_in_time_is_none),
		cmocka_unit_test(noise_is_none),
		cmocka_unit_test(the_first_rise_is_warm_up),
		cmocka_unit_test(a_late_site_is_measured_by_the_process),
		cmocka_unit_test(steps_within_a_hold_time_are_one),
		cmocka_unit_test(a_short_low_changes_nothing),
		cmocka_unit_test(a_long_low_is_a_new_base),
		cmocka_unit_test(a_rise_is_read_as_a_whole),
		cmocka_unit_test(older_ratchets_are_counted),
		cmocka_unit_test(a_level_process_settles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
