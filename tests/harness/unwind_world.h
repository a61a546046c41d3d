/* A world for the unwinder to walk in, without a kernel: bpf/lib/unwind.h compiled natively over
 * tables and memory that the test supplies.
 *
 * Owns: one process (tgid WORLD_TGID) with its mappings, objects, rules and memo; included by one
 * file of a test program. Never: a kernel. Threads: one. Memory: freed by world_done().
 */
#ifndef TIDE_HARNESS_UNWIND_WORLD_H
#define TIDE_HARNESS_UNWIND_WORLD_H

#define TIDE_UNWIND_NATIVE
#include "bpf/lib/unwind.h"

#include "harness/test.h"
#include "target/unwind_image.h"

#define WORLD_TGID	   4711
#define WORLD_MAX_OBJECTS  64
#define WORLD_MAX_MAPPINGS 1024

static struct {
	bool has_process;
	struct tide_unwind_map_block *map_blocks;
	uint32_t map_block_cnt;
	struct tide_unwind_rules *rules;
	struct tide_unwind_image objects[WORLD_MAX_OBJECTS]; /* by slot, 0 unused */
	uint32_t object_cnt;
	struct tide_unwind_mapping mappings[WORLD_MAX_MAPPINGS];
	size_t mapping_cnt;
	uint64_t memo[1 << TIDE_UNWIND_LG_MEMO];
	/* The target's memory. */
	int (*read)(void *dst, uint32_t size_bytes, uint64_t addr);
} world;

static inline void world_init(void)
{
	memset(&world, 0, sizeof(world));
	assert_ok(tide_unwind_rules_new(&world.rules));
	world.object_cnt = 1;
	world.has_process = true;
}

static inline void world_done(void)
{
	for (uint32_t i = 1; i < world.object_cnt; i++)
		tide_unwind_image_done(&world.objects[i]);
	tide_unwind_rules_free(&world.rules);
	free(world.map_blocks);
}

/* Takes the image over; its first page is mapped at start. */
static inline void world_map_object(uint64_t start, uint64_t end, uint64_t base,
				    struct tide_unwind_image *image)
{
	assert_true(world.object_cnt < WORLD_MAX_OBJECTS);
	assert_true(world.mapping_cnt < WORLD_MAX_MAPPINGS);
	world.mappings[world.mapping_cnt++] = (struct tide_unwind_mapping){
		.start = start,
		.end = end,
		.base = base,
		.object = world.object_cnt,
		.page_cnt = image->page_cnt,
	};
	world.objects[world.object_cnt++] = *image;
}

static inline void world_map_rule(uint64_t start, uint64_t end, uint32_t rule)
{
	assert_true(world.mapping_cnt < WORLD_MAX_MAPPINGS);
	world.mappings[world.mapping_cnt++] = (struct tide_unwind_mapping){
		.start = start,
		.end = end,
		.rule = rule,
	};
}

/* After the last mapping, which must have come in ascending order. */
static inline void world_publish(uint32_t generation)
{
	free(world.map_blocks);
	world.map_blocks = NULL;
	assert_ok(tide_unwind_map_blocks(world.mappings, world.mapping_cnt, generation,
					 &world.map_blocks, &world.map_block_cnt));
}

const void *tide_env_process(__u32 tgid)
{
	return world.has_process && tgid == WORLD_TGID ? &world : NULL;
}

const struct tide_unwind_map_block *tide_env_map_block(const void *process, __u32 idx)
{
	assert_ptr_equal(process, &world);
	return idx < world.map_block_cnt ? &world.map_blocks[idx] : NULL;
}

const void *tide_env_object(__u32 slot)
{
	return slot && slot < world.object_cnt ? &world.objects[slot] : NULL;
}

const struct tide_unwind_block *tide_env_block(const void *object, __u32 idx)
{
	const struct tide_unwind_image *image = object;

	return idx < image->block_cnt ? &image->blocks[idx] : NULL;
}

const struct tide_unwind_rule *tide_env_rule(__u32 id)
{
	size_t cnt;
	const struct tide_unwind_rule *rules = tide_unwind_rules_get(world.rules, &cnt);

	return id < cnt ? &rules[id] : NULL;
}

__u64 *tide_env_memo(__u32 slot)
{
	assert_true(slot < 1 << TIDE_UNWIND_LG_MEMO);
	return (__u64 *)&world.memo[slot];
}

int tide_env_read(void *dst, __u32 size_bytes, __u64 addr)
{
	return world.read(dst, size_bytes, addr);
}

#endif
