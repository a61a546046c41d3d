/* A process that is played to the retention core, with a clock of its own.
 *
 * Owns: the core under test and the blocks that are live, so that a test can speak of them by
 * number. Not a test program itself: the *_test.c files of this directory include it.
 */
#ifndef TIDE_TESTS_RETAIN_SIM_H
#define TIDE_TESTS_RETAIN_SIM_H

#include <errno.h>

#include "harness/test.h"
#include "retain/retain.h"

#define SEC 1000000000ULL
#define MS  1000000ULL
#define KB  1024ULL
#define MB  (1024ULL * 1024)

struct sim {
	struct tide_retain *retain;
	uint64_t hold_ns, start_ns, now_ns, tick_ns, last_tick_ns;
	uint64_t next_addr;
};

struct sim_block {
	uint64_t addr, bytes, birth_ns, key;
};

static inline void sim_begin_opts(struct sim *sim, const struct tide_retain_opts *opts)
{
	*sim = (struct sim){
		.hold_ns = opts->hold_ns,
		.start_ns = opts->start_ns,
		.now_ns = opts->start_ns,
		.last_tick_ns = opts->start_ns,
		.tick_ns = opts->hold_ns / 8,
		.next_addr = 0x10000,
	};
	assert_ok(tide_retain_new(opts, &sim->retain));
}

static inline void sim_begin(struct sim *sim, uint64_t hold_ns)
{
	sim_begin_opts(sim, &(struct tide_retain_opts){
				    .start_ns = 1000 * SEC,
				    .hold_ns = hold_ns,
				    .max_sites = 1000,
				    .max_blocks = 1000000,
				    .from_first = true,
			    });
}

static inline void sim_end(struct sim *sim)
{
	tide_retain_free(&sim->retain);
	assert_null(sim->retain);
}

static inline void sim_wait(struct sim *sim, uint64_t ns)
{
	uint64_t until_ns = sim->now_ns + ns;

	while (sim->last_tick_ns + sim->tick_ns <= until_ns) {
		sim->last_tick_ns += sim->tick_ns;
		tide_retain_tick(sim->retain, sim->last_tick_ns);
	}
	sim->now_ns = until_ns;
}

static inline struct tide_rec_block sim_rec(const struct sim_block *block, uint32_t type,
					    uint64_t ts_ns)
{
	return (struct tide_rec_block){
		.hdr = {.type = type, .size_bytes = sizeof(struct tide_rec_block), .ts_ns = ts_ns},
		.addr = block->addr,
		.block_bytes = block->bytes,
		.birth_ns = block->birth_ns,
		.stack_key = block->key,
	};
}

static inline struct sim_block sim_alloc(struct sim *sim, uint64_t key, uint64_t bytes)
{
	struct sim_block block = {sim->next_addr, bytes, ++sim->now_ns, key};
	struct tide_rec_block rec = sim_rec(&block, TIDE_REC_ALLOC, sim->now_ns);

	sim->next_addr += 16;
	assert_int_equal(tide_retain_alloc(sim->retain, &rec), 1);
	return block;
}

static inline void sim_free(struct sim *sim, struct sim_block *block)
{
	struct tide_rec_block rec = sim_rec(block, TIDE_REC_FREE, ++sim->now_ns);

	assert_int_equal(tide_retain_free_block(sim->retain, &rec), 1);
	*block = (struct sim_block){0};
}

/* As the kernel tells it: the old block goes, a microsecond later the new one is there. */
static inline void sim_realloc(struct sim *sim, struct sim_block *block, uint64_t bytes)
{
	uint64_t key = block->key;

	sim_free(sim, block);
	sim->now_ns += 1000;
	*block = sim_alloc(sim, key, bytes);
}

static inline struct tide_snapshot *sim_snapshot_opts(struct sim *sim,
						      struct tide_snapshot_opts opts)
{
	struct tide_snapshot *snap = NULL;

	opts.now_ns = sim->now_ns;
	assert_ok(tide_snapshot_new(&snap));
	assert_ok(tide_retain_snapshot_begin(sim->retain, &opts));
	while (tide_retain_snapshot_step(sim->retain, 100) == 1)
		;
	assert_ok(tide_retain_snapshot_end(sim->retain, snap));
	return snap;
}

static inline struct tide_snapshot *sim_snapshot(struct sim *sim)
{
	return sim_snapshot_opts(sim, (struct tide_snapshot_opts){0});
}

static inline const struct tide_site_report *sim_site(const struct tide_snapshot *snap,
						      uint64_t key)
{
	for (size_t i = 0; i < snap->site_cnt; i++) {
		if (snap->sites[i].id == key)
			return &snap->sites[i];
	}
	return NULL;
}

#endif
