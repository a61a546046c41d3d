/* Property test of the exactness that retain.h promises: a kernel with a live map, threads that
 * are interrupted between every two steps, a ring that loses records, re-reads that see each
 * address at another moment. After the last re-read with nothing lost since, the core must
 * hold exactly what the map holds.
 */
#include "sim.h"

#define ADDR_CNT   96
#define THREAD_CNT 8
#define RING_CNT   64
#define SITE_CNT   7

enum op { OP_NONE, OP_ALLOC, OP_FREE, OP_MOVE, OP_FAIL };

struct thread {
	enum op op;
	int step;
	size_t slot;		/* where its block is, or will be */
	size_t to_slot;		/* of a realloc that moves */
	struct sim_block block; /* what it is working on */
	struct sim_block old;	/* a realloc's old block */
	bool free_early;	/* realloc: the free is emitted at entry */
};

struct kernel {
	uint32_t seed;
	uint64_t clock;
	struct sim_block live[ADDR_CNT];  /* addr 0: nothing */
	bool taken[ADDR_CNT];		  /* the allocator's own view */
	struct sim_block owned[ADDR_CNT]; /* the program may free these */
	struct thread threads[THREAD_CNT];
	struct tide_rec_block ring[RING_CNT];
	uint64_t head, tail, lost;
	uint32_t loss_pct;
	uint32_t quiet; /* no new operations */
	uint64_t alloc_cnt[SITE_CNT + 1], free_cnt[SITE_CNT + 1];
	struct tide_retain *retain;
	uint64_t resyncs, lost_seen;
};

static uint32_t draw(struct kernel *k, uint32_t below)
{
	k->seed = k->seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(k->seed >> 8) * below) >> 24);
}

static uint64_t addr_of(size_t slot)
{
	return 0x7f0000000000ULL + slot * 64;
}

static void emit(struct kernel *k, const struct sim_block *block, uint32_t type, uint64_t ts_ns)
{
	if (k->tail - k->head == RING_CNT || draw(k, 100) < k->loss_pct) {
		k->lost++;
		return;
	}
	k->ring[k->tail++ % RING_CNT] = sim_rec(block, type, ts_ns);
}

static bool take_slot(struct kernel *k, size_t *ret)
{
	for (int i = 0; i < 8; i++) {
		size_t slot = draw(k, ADDR_CNT);

		if (!k->taken[slot]) {
			k->taken[slot] = true;
			*ret = slot;
			return true;
		}
	}
	return false;
}

static bool take_owned(struct kernel *k, struct thread *t)
{
	for (int i = 0; i < 8; i++) {
		size_t slot = draw(k, ADDR_CNT);

		if (k->owned[slot].addr) {
			t->block = k->owned[slot];
			t->slot = slot;
			k->owned[slot].addr = 0;
			return true;
		}
	}
	return false;
}

static void begin_op(struct kernel *k, struct thread *t)
{
	uint32_t what = draw(k, 100);

	t->step = 0;
	t->free_early = draw(k, 2);
	if (what < 45 && take_slot(k, &t->slot))
		t->op = OP_ALLOC;
	else if (what >= 45 && take_owned(k, t))
		t->op = what < 80 ? OP_FREE : what < 92 ? OP_MOVE : OP_FAIL;
}

static void own(struct kernel *k, struct thread *t)
{
	k->owned[t->slot] = t->block;
	t->op = OP_NONE;
}

static void live_add(struct kernel *k, struct thread *t, uint64_t key)
{
	t->block =
		(struct sim_block){addr_of(t->slot), 1 + draw(k, 1000) * 997ULL, ++k->clock, key};
	k->live[t->slot] = t->block;
	k->alloc_cnt[key]++;
}

static void step_alloc(struct kernel *k, struct thread *t)
{
	if (t->step++ == 0) {
		live_add(k, t, 1 + draw(k, SITE_CNT));
	} else {
		emit(k, &t->block, TIDE_REC_ALLOC, t->block.birth_ns);
		own(k, t);
	}
}

static void step_free(struct kernel *k, struct thread *t)
{
	switch (t->step++) {
	case 0:
		k->live[t->slot].addr = 0;
		k->free_cnt[t->block.key]++;
		break;
	case 1:
		emit(k, &t->block, TIDE_REC_FREE, ++k->clock);
		break;
	default:
		k->taken[t->slot] = false;
		t->op = OP_NONE;
	}
}

/* The old address is free for others before the record of its end is out. */
static void step_move(struct kernel *k, struct thread *t)
{
	switch (t->step++) {
	case 0:
		t->old = t->block;
		k->live[t->slot].addr = 0;
		if (t->free_early)
			emit(k, &t->old, TIDE_REC_FREE, ++k->clock);
		break;
	case 1:
		if (!take_slot(k, &t->to_slot)) {
			t->step = 1;
			t->op = OP_FAIL;
			break;
		}
		k->taken[t->slot] = false;
		k->free_cnt[t->old.key]++;
		t->slot = t->to_slot;
		break;
	case 2:
		if (!t->free_early)
			emit(k, &t->old, TIDE_REC_FREE, ++k->clock);
		break;
	case 3:
		live_add(k, t, t->old.key);
		break;
	default:
		emit(k, &t->block, TIDE_REC_ALLOC, t->block.birth_ns);
		own(k, t);
	}
}

static void step_fail(struct kernel *k, struct thread *t)
{
	switch (t->step++) {
	case 0:
		k->live[t->slot].addr = 0;
		if (t->free_early)
			emit(k, &t->block, TIDE_REC_FREE, ++k->clock);
		break;
	case 1:
		k->live[t->slot] = t->block;
		break;
	default:
		emit(k, &t->block, TIDE_REC_RESTORE, ++k->clock);
		own(k, t);
	}
}

static void run_threads(struct kernel *k, uint32_t steps)
{
	static void (*const step[])(struct kernel *, struct thread *) = {
		[OP_ALLOC] = step_alloc,
		[OP_FREE] = step_free,
		[OP_MOVE] = step_move,
		[OP_FAIL] = step_fail,
	};

	while (steps--) {
		struct thread *t = &k->threads[draw(k, THREAD_CNT)];

		if (t->op != OP_NONE)
			step[t->op](k, t);
		else if (!k->quiet)
			begin_op(k, t);
	}
}

static void drain(struct kernel *k, uint64_t until)
{
	while (k->head < until) {
		const struct tide_rec_block *rec = &k->ring[k->head++ % RING_CNT];
		int r = rec->hdr.type == TIDE_REC_FREE ? tide_retain_free_block(k->retain, rec)
						       : tide_retain_alloc(k->retain, rec);

		assert_true(r == 0 || r == 1);
	}
}

static void reread(struct kernel *k, const struct sim_block *block)
{
	struct tide_live_block value = {block->bytes, block->birth_ns, block->key};

	assert_true(tide_retain_resync_block(k->retain, block->addr, &value) >= 0);
}

/* Old blocks of reallocs are out of the map, but their end was not told yet. */
static void reread_in_flight(struct kernel *k)
{
	for (size_t i = 0; i < THREAD_CNT; i++) {
		const struct thread *t = &k->threads[i];

		if (!t->free_early && t->op == OP_MOVE && (t->step == 1 || t->step == 2))
			reread(k, &t->old);
		if (!t->free_early && t->op == OP_FAIL && t->step == 1)
			reread(k, &t->block);
		run_threads(k, draw(k, 3));
	}
}

/* What the session does when the ring lost something. */
static void resync(struct kernel *k)
{
	size_t order[ADDR_CNT];

	k->lost_seen = k->lost;
	drain(k, k->tail);
	assert_ok(tide_retain_resync_begin(k->retain));
	for (size_t i = 0; i < ADDR_CNT; i++) {
		size_t j = draw(k, (uint32_t)i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = 0; i < ADDR_CNT; i++) {
		if (k->live[order[i]].addr)
			reread(k, &k->live[order[i]]);
		run_threads(k, draw(k, 4));
	}
	if (draw(k, 2))
		reread_in_flight(k);
	if (draw(k, 4) == 0) {
		/* Interrupted: it begins anew. */
		tide_retain_resync_abort(k->retain);
		k->lost_seen = UINT64_MAX;
		return;
	}
	assert_ok(tide_retain_resync_end(k->retain, k->clock));
	k->resyncs++;
}

static void collector(struct kernel *k)
{
	drain(k, k->head + draw(k, (uint32_t)(k->tail - k->head) + 1));
	if (k->lost != k->lost_seen && draw(k, 8) == 0)
		resync(k);
	if (draw(k, 50) == 0)
		tide_retain_tick(k->retain, k->clock);
}

static const struct tide_block_report *find_block(const struct tide_snapshot *snap, uint64_t addr)
{
	for (size_t i = 0; i < snap->block_cnt; i++) {
		if (snap->blocks[i].addr == addr)
			return &snap->blocks[i];
	}
	return NULL;
}

static struct tide_snapshot *snapshot_of(struct kernel *k)
{
	struct tide_snapshot_opts opts = {.now_ns = k->clock, .show_blocks_cnt = ADDR_CNT};
	struct tide_snapshot *snap = NULL;

	assert_ok(tide_snapshot_new(&snap));
	assert_ok(tide_retain_snapshot_begin(k->retain, &opts));
	while (tide_retain_snapshot_step(k->retain, 10))
		;
	assert_ok(tide_retain_snapshot_end(k->retain, snap));
	return snap;
}

static void assert_sites(const struct kernel *k, const struct tide_snapshot *snap, bool counts)
{
	for (uint64_t key = 1; key <= SITE_CNT; key++) {
		const struct tide_site_report *site = sim_site(snap, key);
		uint64_t bytes = 0, blocks = 0;

		for (size_t i = 0; i < ADDR_CNT; i++) {
			if (k->live[i].addr && k->live[i].key == key) {
				bytes += k->live[i].bytes;
				blocks++;
			}
		}
		if (!site) {
			assert_int_equal(blocks, 0);
			continue;
		}
		assert_int_equal(site->live_bytes, bytes);
		assert_int_equal(site->live_blocks, blocks);
		assert_int_equal(site->allocated_blocks - site->freed_blocks, blocks);
		assert_int_equal(site->allocated_bytes - site->freed_bytes, bytes);
		if (counts) {
			assert_int_equal(site->allocated_blocks, k->alloc_cnt[key]);
			assert_int_equal(site->freed_blocks, k->free_cnt[key]);
		}
	}
}

static void assert_exact(struct kernel *k, bool counts)
{
	struct tide_snapshot *snap = snapshot_of(k);
	uint64_t bytes = 0, blocks = 0;

	for (size_t i = 0; i < ADDR_CNT; i++) {
		const struct sim_block *live = &k->live[i];
		const struct tide_block_report *block = find_block(snap, addr_of(i));

		assert_int_equal(!!block, !!live->addr);
		if (!block)
			continue;
		assert_int_equal(block->block_bytes, live->bytes);
		assert_int_equal(block->birth_ns, live->birth_ns);
		assert_int_equal(block->site_id, live->key);
		bytes += live->bytes;
		blocks++;
	}
	assert_int_equal(snap->live_blocks, blocks);
	assert_int_equal(snap->live_bytes, bytes);
	assert_int_equal(tide_retain_live_bytes(k->retain), bytes);
	assert_int_equal(tide_retain_live_blocks(k->retain), blocks);
	assert_sites(k, snap, counts);
	tide_snapshot_free(&snap);
}

static void finish_ops(struct kernel *k)
{
	k->quiet = 1;
	run_threads(k, 3000);
	for (size_t i = 0; i < THREAD_CNT; i++)
		assert_int_equal(k->threads[i].op, OP_NONE);
	drain(k, k->tail);
	k->quiet = 0;
}

static void kernel_begin(struct kernel *k, uint32_t seed)
{
	struct tide_retain_opts opts = {
		.start_ns = 1,
		.hold_ns = 5000,
		.max_sites = 100,
		.max_blocks = ADDR_CNT,
	};

	*k = (struct kernel){.seed = seed, .clock = 1};
	assert_ok(tide_retain_new(&opts, &k->retain));
}

static void lossless_feed_is_exact_in_every_figure(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct kernel k;

		kernel_begin(&k, seed);
		for (int i = 0; i < 2000; i++) {
			run_threads(&k, draw(&k, 6));
			drain(&k, k.head + draw(&k, (uint32_t)(k.tail - k.head) + 1));
			if (k.tail - k.head > RING_CNT / 2)
				drain(&k, k.tail);
		}
		finish_ops(&k);
		assert_int_equal(k.lost, 0);
		assert_exact(&k, true);
		tide_retain_free(&k.retain);
	}
}

static void resync_makes_exact_again(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 120; seed++) {
		struct kernel k;

		kernel_begin(&k, seed * 7919);
		for (int round = 0; round < 4; round++) {
			k.loss_pct = 1 + draw(&k, 30);
			for (int i = 0; i < 500; i++) {
				run_threads(&k, draw(&k, 12));
				collector(&k);
			}
			/* Losses end, threads go on; the collector catches up. */
			k.loss_pct = 0;
			while (k.lost != k.lost_seen)
				resync(&k);
			for (int i = 0; i < 50; i++) {
				run_threads(&k, draw(&k, 6));
				drain(&k, k.tail);
			}
			finish_ops(&k);
			assert_int_equal(k.lost, k.lost_seen);
			assert_exact(&k, false);
		}
		assert_true(k.lost > 0 && k.resyncs > 0);
		tide_retain_free(&k.retain);
	}
}

/* The test's own proof: without the re-read it does not come out right. */
static void losses_alone_are_noticed(void **state)
{
	uint32_t wrong = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 10; seed++) {
		struct kernel k;
		uint64_t blocks = 0;

		kernel_begin(&k, seed);
		k.loss_pct = 20;
		for (int i = 0; i < 500; i++) {
			run_threads(&k, 6);
			drain(&k, k.tail);
		}
		finish_ops(&k);
		for (size_t i = 0; i < ADDR_CNT; i++)
			blocks += !!k.live[i].addr;
		wrong += blocks != tide_retain_live_blocks(k.retain);
		tide_retain_free(&k.retain);
	}
	assert_true(wrong > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lossless_feed_is_exact_in_every_figure),
		cmocka_unit_test(resync_makes_exact_again),
		cmocka_unit_test(losses_alone_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
