/* Scenarios: a process with a history, and what is said of its sites.
 *
 * Owns: nothing. For the verdict tests, beside sim.h.
 */
#ifndef TIDE_TESTS_RETAIN_SCENARIO_H
#define TIDE_TESTS_RETAIN_SCENARIO_H

#include "sim.h"

#define HOLD (10 * SEC)
#define SITE 0xabcdULL
#define NONE 0xfeedULL /* a site that makes the process settle */

static inline void print_why(const char *who, const struct tide_site_report *site)
{
	if (getenv("SHOW_WHY"))
		fprintf(stderr, "%-28s %-10s %s (ratchets %u)\n", who,
			tide_verdict_name(site->verdict), site->why, site->ratchet_cnt);
}

static inline enum tide_verdict verdict_of(struct sim *sim, uint64_t key, const char *who)
{
	struct tide_snapshot *snap = sim_snapshot(sim);
	const struct tide_site_report *site = sim_site(snap, key);
	enum tide_verdict verdict;

	assert_non_null(site);
	assert_int_equal(site->evidence, TIDE_EVIDENCE_LIKELY);
	assert_non_null(site->why);
	assert_true(strlen(site->why) > 10);
	print_why(who, site);
	verdict = site->verdict;
	tide_snapshot_free(&snap);
	return verdict;
}

static inline uint32_t ratchets_of(struct sim *sim, uint64_t key)
{
	struct tide_snapshot *snap = sim_snapshot(sim);
	uint32_t cnt = sim_site(snap, key)->ratchet_cnt;

	tide_snapshot_free(&snap);
	return cnt;
}

#define assert_verdict(sim, key, expected) \
	assert_string_equal(tide_verdict_name(verdict_of(sim, key, __func__)), expected)

/* Something small that was there from the beginning, for long enough. */
static inline void settle(struct sim *sim)
{
	sim_begin(sim, HOLD);
	sim_alloc(sim, NONE, 1 * MB);
	sim_wait(sim, 5 * HOLD);
}

/* A queue of blocks with the oldest going first. */
struct queue {
	struct sim_block blocks[4096];
	size_t head, cnt;
};

static inline void push(struct sim *sim, struct queue *q, uint64_t key, uint64_t bytes)
{
	assert_true(q->cnt < 4096);
	q->blocks[(q->head + q->cnt++) % 4096] = sim_alloc(sim, key, bytes);
}

static inline void pop(struct sim *sim, struct queue *q)
{
	sim_free(sim, &q->blocks[q->head % 4096]);
	q->head++;
	q->cnt--;
}

#endif
