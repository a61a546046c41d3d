/* The block map against a plain array, and its promises about memory. */
#include "harness/test.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/util.h"
#include "ds/blockmap_internal.h"

#define TIDE_AUTO_MAP TIDE_CLEANUP(tide_blockmap_free)

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static int seed_random(void **state)
{
	(void)state;
	random_state = 88172645463325252ULL;
	return 0;
}

static struct tide_blockmap *new_map(void)
{
	struct tide_blockmap *map = NULL;

	assert_ok(tide_blockmap_new(&map));
	return map;
}

static uint64_t addr_of(uint64_t id)
{
	return 0x7f0000000000ULL + 16 * id;
}

static struct tide_block block_of(uint64_t id)
{
	return (struct tide_block){
		.addr = addr_of(id),
		.block_bytes = id << 20 | 7,
		.birth_ns = ~id,
		.site = (uint32_t)id * 3,
	};
}

static void assert_block(const struct tide_block *have, const struct tide_block *want)
{
	assert_int_equal(have->addr, want->addr);
	assert_int_equal(have->block_bytes, want->block_bytes);
	assert_int_equal(have->birth_ns, want->birth_ns);
	assert_int_equal(have->site, want->site);
}

static int put_id(struct tide_blockmap *map, uint64_t id)
{
	struct tide_block block = block_of(id);

	return tide_blockmap_put(map, &block, NULL);
}

static bool has_id(struct tide_blockmap *map, uint64_t id)
{
	struct tide_block want = block_of(id), have;

	if (!tide_blockmap_get(map, addr_of(id), &have))
		return false;
	assert_block(&have, &want);
	return true;
}

static void put_range(struct tide_blockmap *map, uint64_t first, uint64_t end)
{
	for (uint64_t id = first; id < end; id++)
		assert_int_equal(put_id(map, id), 0);
}

static void del_range(struct tide_blockmap *map, uint64_t first, uint64_t end)
{
	for (uint64_t id = first; id < end; id++)
		assert_true(tide_blockmap_del(map, addr_of(id), NULL));
}

static void put_get_replace_del(void **state)
{
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	struct tide_block first = {0x1000, (1ULL << 48) - 1, UINT64_MAX, UINT32_MAX};
	struct tide_block second = {0x1000, 0, 0, 0}, ret = {0};

	(void)state;
	assert_false(tide_blockmap_get(map, 0x1000, &ret));
	assert_int_equal(tide_blockmap_put(map, &first, &ret), 0);
	assert_true(tide_blockmap_get(map, 0x1000, &ret));
	assert_block(&ret, &first);
	assert_int_equal(tide_blockmap_put(map, &second, &ret), 1);
	assert_block(&ret, &first);
	assert_int_equal(tide_blockmap_cnt(map), 1);
	assert_true(tide_blockmap_del(map, 0x1000, &ret));
	assert_block(&ret, &second);
	assert_false(tide_blockmap_del(map, 0x1000, &ret));
	assert_int_equal(tide_blockmap_cnt(map), 0);
}

static void refuses_what_does_not_fit_a_slot(void **state)
{
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	struct tide_block no_addr = {.addr = 0};
	struct tide_block far = {.addr = 1ULL << 48};
	struct tide_block large = {.addr = 16, .block_bytes = 1ULL << 48};
	struct tide_block last = {.addr = (1ULL << 48) - 1};

	(void)state;
	assert_errno(tide_blockmap_put(map, &no_addr, NULL), EINVAL);
	assert_errno(tide_blockmap_put(map, &far, NULL), EINVAL);
	assert_errno(tide_blockmap_put(map, &large, NULL), EINVAL);
	assert_int_equal(tide_blockmap_cnt(map), 0);
	assert_int_equal(tide_blockmap_put(map, &last, NULL), 0);
	assert_false(tide_blockmap_get(map, 0, NULL));
	assert_false(tide_blockmap_get(map, last.addr | 1ULL << 48, NULL));
	assert_false(tide_blockmap_del(map, 0, NULL));
	assert_false(tide_blockmap_del(map, last.addr | 1ULL << 48, NULL));
	assert_int_equal(tide_blockmap_cnt(map), 1);
}

static void free_accepts_nothing(void **state)
{
	struct tide_blockmap *map = NULL;

	(void)state;
	tide_blockmap_free(NULL);
	tide_blockmap_free(&map);
	map = new_map();
	tide_blockmap_free(&map);
	assert_null(map);
}

struct count {
	uint8_t *seen; /* by id */
	uint64_t visited;
};

static void count_visit(const struct tide_block *block, void *ctx)
{
	struct count *count = ctx;
	uint64_t id = (block->addr - addr_of(0)) / 16;
	struct tide_block want = block_of(id);

	assert_block(block, &want);
	count->seen[id]++;
	count->visited++;
}

#define MODEL_IDS 30000u

static void check_against(struct tide_blockmap *map, const bool *live)
{
	static uint8_t seen[MODEL_IDS];
	struct count count = {.seen = seen};
	uint64_t cursor = 0;

	memset(seen, 0, sizeof(seen));
	while (tide_blockmap_scan(map, &cursor, 100, count_visit, &count))
		;
	assert_false(tide_blockmap_scan(map, &cursor, 100, count_visit, &count));
	assert_int_equal(count.visited, tide_blockmap_cnt(map));
	for (uint32_t id = 0; id < MODEL_IDS; id++) {
		assert_int_equal(seen[id], live[id]);
		assert_int_equal(has_id(map, id), live[id]);
	}
}

/* One call of every kind now and then, puts and deletes with a bias that changes. */
static void random_calls_match_a_model(void **state)
{
	static const unsigned int put_percent[] = {90, 50, 8, 70, 3, 50};
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	static bool live[MODEL_IDS];
	uint64_t live_cnt = 0;

	(void)state;
	for (uint32_t i = 0; i < 600000; i++) {
		uint32_t id = (uint32_t)(next_random() % MODEL_IDS);

		if (next_random() % 100 < put_percent[i / 100000]) {
			assert_int_equal(put_id(map, id), live[id]);
			live_cnt += !live[id];
			live[id] = true;
		} else {
			assert_int_equal(tide_blockmap_del(map, addr_of(id), NULL), live[id]);
			live_cnt -= live[id];
			live[id] = false;
		}
		assert_int_equal(tide_blockmap_cnt(map), live_cnt);
		if (i % 7001 == 0)
			tide_blockmap_trim(map);
		if (i % 30011 == 0)
			tide_blockmap_shrink_to(map, next_random() % MODEL_IDS);
		if (i == 250000) {
			tide_blockmap_clear(map);
			memset(live, 0, sizeof(live));
			live_cnt = 0;
		}
		if (i % 50000 == 0)
			check_against(map, live);
	}
	check_against(map, live);
}

/* Between slices the map grows a hundredfold (splits, the directory doubles) and drains again
 * (merges, it halves).
 */
static void scan_sees_what_stays_exactly_once(void **state)
{
	enum { STAY = 10000, GUESTS = 100000, STEP = 20000 };
	TIDE_AUTO_FREE uint8_t *seen = calloc(STAY + GUESTS, 1);
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	struct count count = {.seen = seen};
	uint64_t cursor = 0, guests = STAY, slices = 0;
	bool more;

	(void)state;
	assert_non_null(seen);
	put_range(map, 0, STAY);
	do {
		bool grow = slices % 10 < 5;

		more = tide_blockmap_scan(map, &cursor, 1, count_visit, &count);
		slices++;
		if (grow && guests < STAY + GUESTS) {
			put_range(map, guests, guests + STEP);
			guests += STEP;
		} else if (!grow && guests > STAY) {
			del_range(map, guests - STEP, guests);
			guests -= STEP;
		}
	} while (more);
	assert_true(slices > 10);
	for (uint32_t id = 0; id < STAY; id++)
		assert_int_equal(seen[id], 1);
}

static void churn_stays_within_its_need(void **state)
{
	enum { LIVE = 20000, OPS = 4000000 };
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	static uint32_t ids[LIVE];
	uint32_t next_id = LIVE;

	(void)state;
	put_range(map, 0, LIVE);
	for (uint32_t i = 0; i < LIVE; i++)
		ids[i] = i;
	for (uint32_t i = 0; i < OPS / 2; i++) {
		uint32_t at = (uint32_t)(next_random() % LIVE);

		assert_true(tide_blockmap_del(map, addr_of(ids[at]), NULL));
		ids[at] = next_id++;
		assert_int_equal(put_id(map, ids[at]), 0);
		if (i % 1000)
			continue;
		assert_in_range(tide_blockmap_capacity(map), LIVE, LIVE * 3 / 2);
		assert_true(tide_blockmap_mem_bytes(map) < LIVE * 24 * 2);
	}
	assert_int_equal(tide_blockmap_cnt(map), LIVE);
	for (uint32_t i = 0; i < LIVE; i++)
		assert_true(has_id(map, ids[i]));
}

static void drained_map_gives_its_memory_back(void **state)
{
	enum { BASE = 20000, SPIKE = 1000000 };
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	uint64_t fresh, spike;

	(void)state;
	put_range(map, 0, BASE);
	fresh = tide_blockmap_mem_bytes(map);
	assert_true(fresh <= BASE * 36ULL);
	put_range(map, BASE, SPIKE);
	spike = tide_blockmap_mem_bytes(map);
	assert_in_range(spike, SPIKE * 24ULL, SPIKE * 32ULL);
	del_range(map, BASE, SPIKE);
	assert_true(tide_blockmap_mem_bytes(map) <= 2 * fresh);
	assert_true(tide_blockmap_capacity(map) <= 2 * BASE);
	del_range(map, 0, BASE);
	assert_true(tide_blockmap_mem_bytes(map) <= 64 << 10);
}

/* What is said to be given back is given back: the system agrees. */
static uint64_t anon_bytes(void)
{
	unsigned long size, resident, shared;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu %lu", &size, &resident, &shared), 3);
	fclose(f);
	return (resident - shared) * 4096ULL;
}

static void counted_bytes_are_the_systems(void **state)
{
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	uint64_t before = anon_bytes(), held, claimed;

	(void)state;
	put_range(map, 0, 300000);
	held = anon_bytes() - before;
	claimed = tide_blockmap_mem_bytes(map);
	assert_in_range(claimed, held - held / 8, held + held / 8);
	del_range(map, 1000, 300000);
	held = anon_bytes() - before;
	assert_true(held < (claimed - tide_blockmap_mem_bytes(map)) / 8);
}

static void clear_keeps_capacity_and_trim_returns_it(void **state)
{
	enum { SPIKE = 200000 };
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	uint64_t capacity, fresh;

	(void)state;
	put_range(map, 0, 1000);
	fresh = tide_blockmap_mem_bytes(map);
	put_range(map, 1000, SPIKE);
	capacity = tide_blockmap_capacity(map);
	tide_blockmap_clear(map);
	assert_int_equal(tide_blockmap_cnt(map), 0);
	assert_int_equal(tide_blockmap_capacity(map), capacity);
	assert_false(has_id(map, 5));

	/* Normal use after the clear does not cost the capacity, and neither does one trim. */
	put_range(map, 0, 1000);
	del_range(map, 0, 1000);
	tide_blockmap_trim(map);
	assert_int_equal(tide_blockmap_capacity(map), capacity);
	put_range(map, 0, SPIKE);
	assert_true(tide_blockmap_capacity(map) <= capacity + capacity / 8);

	tide_blockmap_clear(map);
	for (int i = 0; i < 20; i++) {
		put_range(map, 0, 1000);
		del_range(map, 0, 1000);
		tide_blockmap_trim(map);
	}
	assert_true(tide_blockmap_capacity(map) <= 4000);
	assert_true(tide_blockmap_mem_bytes(map) <= 2 * fresh + (64 << 10));
	put_range(map, 0, 1000);
	assert_true(has_id(map, 999));
}

static void trim_leaves_a_map_in_use_alone(void **state)
{
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	uint64_t capacity;

	(void)state;
	put_range(map, 0, 100000);
	capacity = tide_blockmap_capacity(map);
	for (int i = 0; i < 20; i++)
		tide_blockmap_trim(map);
	assert_int_equal(tide_blockmap_capacity(map), capacity);
}

static void shrink_to_leaves_room_for_as_many(void **state)
{
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	uint64_t capacity;

	(void)state;
	put_range(map, 0, 200000);
	tide_blockmap_clear(map);
	put_range(map, 0, 500);
	tide_blockmap_shrink_to(map, 50000);
	capacity = tide_blockmap_capacity(map);
	assert_in_range(capacity, 50000, 100000);
	del_range(map, 0, 500);
	assert_int_equal(tide_blockmap_capacity(map), capacity);
	put_range(map, 0, 50000);
	assert_true(tide_blockmap_capacity(map) <= capacity + capacity / 8);

	tide_blockmap_shrink_to(map, 10);
	assert_int_equal(tide_blockmap_cnt(map), 50000);
	assert_true(has_id(map, 49999));
	tide_blockmap_clear(map);
	tide_blockmap_shrink_to_fit(map);
	assert_true(tide_blockmap_capacity(map) <= 200);
	assert_true(tide_blockmap_mem_bytes(map) <= 16 << 10);
}

struct refusal {
	int grant_cnt; /* so many requests are granted, then none */
};

static void *map_until(size_t bytes, void *ctx)
{
	struct refusal *refusal = ctx;

	return refusal->grant_cnt-- > 0 ? tide_pages_from_system(bytes, NULL) : NULL;
}

static void new_without_memory(void **state)
{
	struct tide_blockmap *map = (void *)16;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct refusal refusal = {.grant_cnt = i};

		assert_errno(tide_blockmap_new_from(map_until, &refusal, &map), ENOMEM);
		assert_ptr_equal(map, (void *)16);
	}
}

/* With so many grants, fills until refused; everything put before must be there, nothing else. */
static void fill_until_refused(int grant_cnt)
{
	TIDE_AUTO_MAP struct tide_blockmap *map = NULL;
	struct refusal refusal = {.grant_cnt = grant_cnt};
	uint64_t id = 0, mem_bytes;
	int r;

	assert_ok(tide_blockmap_new_from(map_until, &refusal, &map));
	while (!(r = put_id(map, id)))
		id++;
	assert_int_equal(r, -ENOMEM);
	mem_bytes = tide_blockmap_mem_bytes(map);
	assert_errno(put_id(map, id), ENOMEM);
	assert_int_equal(tide_blockmap_cnt(map), id);
	assert_int_equal(tide_blockmap_mem_bytes(map), mem_bytes);
	assert_false(has_id(map, id));
	for (uint64_t i = 0; i < id; i++)
		assert_true(has_id(map, i));

	refusal.grant_cnt = INT32_MAX;
	put_range(map, id, id + 50000);
	refusal.grant_cnt = 0;
	del_range(map, 0, id + 50000);
	assert_int_equal(tide_blockmap_cnt(map), 0);
}

static void refused_memory_leaves_the_map_as_it_was(void **state)
{
	(void)state;
	for (int grant_cnt = 2; grant_cnt < 9; grant_cnt++)
		fill_until_refused(grant_cnt);
}

/* Addresses of allocators: dense, page aligned, far apart, in two distant heaps. */
static void regular_addresses_spread(void **state)
{
	static const uint64_t strides[] = {16, 32, 48, 4096, 1 << 16, 1 << 20, 1 << 30};

	(void)state;
	for (size_t s = 0; s < TIDE_ARRAY_CNT(strides); s++) {
		TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
		uint32_t cnt = strides[s] == 1 << 30 ? 100000 : 150000;

		for (uint64_t i = 1; i <= cnt; i++) {
			uint64_t far = i % 2 && strides[s] < 1 << 20 ? 0x7f0000000000ULL : 0;
			struct tide_block block = {.addr = far + i * strides[s]};

			assert_int_equal(tide_blockmap_put(map, &block, NULL), 0);
		}
		assert_true(tide_blockmap_capacity(map) < 2 * cnt);
		assert_true(tide_blockmap_mem_bytes(map) < 40ULL * cnt);
	}
}

/* Whoever knew the secret could send every block to one table. It then grows beyond the usual
 * size, and the directory does not.
 */
static void crowded_keys_stay_correct_and_bounded(void **state)
{
	static const uint64_t known[TIDE_MIX_ROUNDS] = {3, 5, 7};
	enum { CROWD = 6000 };
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();

	(void)state;
	tide_blockmap_seed(map, known);
	for (uint64_t i = CROWD; i > 0; i--) {
		struct tide_block block = {.addr = tide_blockmap_addr(map, i << TIDE_TAG_SHIFT)};

		block.birth_ns = i;
		assert_int_equal(tide_blockmap_tag(map, block.addr), i << TIDE_TAG_SHIFT);
		assert_int_equal(tide_blockmap_put(map, &block, NULL), 0);
	}
	assert_true(tide_blockmap_mem_bytes(map) < 40ULL * CROWD + (1 << 20));
	for (uint64_t i = 1; i <= CROWD; i++) {
		struct tide_block ret;

		assert_true(
			tide_blockmap_del(map, tide_blockmap_addr(map, i << TIDE_TAG_SHIFT), &ret));
		assert_int_equal(ret.birth_ns, i);
	}
	assert_true(tide_blockmap_mem_bytes(map) < 256 << 10);
}

static void crowd_beyond_the_largest_table_is_refused(void **state)
{
	static const uint64_t known[TIDE_MIX_ROUNDS] = {3, 5, 7};
	TIDE_AUTO_MAP struct tide_blockmap *map = new_map();
	struct tide_block block = {0};
	uint64_t i = 0;
	int r;

	(void)state;
	tide_blockmap_seed(map, known);
	do {
		i++;
		block.addr = tide_blockmap_addr(map, ((1ULL << 20) - i) << TIDE_TAG_SHIFT);
		r = tide_blockmap_put(map, &block, NULL);
	} while (!r && i < 100000);
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(tide_blockmap_cnt(map), i - 1);
	block.addr = 0x7f0000001000;
	assert_int_equal(tide_blockmap_put(map, &block, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_get_replace_del),
		cmocka_unit_test(refuses_what_does_not_fit_a_slot),
		cmocka_unit_test(free_accepts_nothing),
		cmocka_unit_test(random_calls_match_a_model),
		cmocka_unit_test(scan_sees_what_stays_exactly_once),
		cmocka_unit_test(churn_stays_within_its_need),
		cmocka_unit_test(drained_map_gives_its_memory_back),
		cmocka_unit_test(counted_bytes_are_the_systems),
		cmocka_unit_test(clear_keeps_capacity_and_trim_returns_it),
		cmocka_unit_test(trim_leaves_a_map_in_use_alone),
		cmocka_unit_test(shrink_to_leaves_room_for_as_many),
		cmocka_unit_test(new_without_memory),
		cmocka_unit_test(refused_memory_leaves_the_map_as_it_was),
		cmocka_unit_test(regular_addresses_spread),
		cmocka_unit_test(crowded_keys_stay_correct_and_bounded),
		cmocka_unit_test(crowd_beyond_the_largest_table_is_refused),
	};

	return cmocka_run_group_tests(tests, seed_random, NULL);
}
