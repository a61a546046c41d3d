/* A chunk is 2 MB of address space; "." has never been touched, "w" is free and still warm:
 *
 *   frame 0             frame 1             frame 2                     frame 31
 *   [PPPPPPPPPPPP....]  [PPPPPPPPP.......]  [wwwwwwwwww......]   ...    [................]
 *    a table, 12 pages   a table, 9 pages    just left by one            nobody yet
 *
 * Warm pages are what makes a resize cheap (its source becomes the next one's destination) and
 * what a spike would leave behind: their number is bounded by a share of the pages in use.
 */
#include "ds/pagearena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Chunks one free may go through to get beneath the budget again: 64 frames, of which a few are
 * warm.
 */
#define PURGE_CHUNKS 2

void *tide_pages_from_system(size_t bytes, void *ctx)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)ctx;
	return p == MAP_FAILED ? NULL : p;
}

void tide_pagearena_init(struct tide_pagearena *arena, tide_pages_map_fn map_fn, void *map_ctx)
{
	memset(arena, 0, sizeof(*arena));
	arena->map_fn = map_fn;
	arena->map_ctx = map_ctx;
}

void tide_pagearena_fini(struct tide_pagearena *arena)
{
	for (uint32_t i = 0; i < arena->chunk_cnt; i++)
		munmap(arena->chunks[i].base, TIDE_CHUNK_BYTES);
	free(arena->chunks);
	memset(arena, 0, sizeof(*arena));
}

void *tide_pagearena_map(struct tide_pagearena *arena, size_t bytes)
{
	return arena->map_fn(bytes, arena->map_ctx);
}

void tide_pagearena_unmap(void *addr, size_t bytes)
{
	if (addr)
		munmap(addr, bytes);
}

/* Free pages that may stay resident. Less, and growth pays a page fault for each page that a
 * neighbour has just left; more, and a drained map would keep what it promised to return.
 */
static uint64_t warm_budget(const struct tide_pagearena *arena)
{
	return arena->used_pages / 32 + 2;
}

static uint64_t warm_pages(const struct tide_pagearena *arena)
{
	return arena->resident_pages - arena->used_pages;
}

/* Index of the first chunk whose base is above addr. */
static uint32_t chunk_above(const struct tide_pagearena *arena, const char *addr)
{
	uint32_t low = 0, high = arena->chunk_cnt;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (arena->chunks[mid].base > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static bool reserve_chunk(struct tide_pagearena *arena)
{
	uint32_t cap = arena->chunk_cap ? 2 * arena->chunk_cap : 4;
	struct tide_chunk *chunks;

	if (arena->chunk_cnt < arena->chunk_cap)
		return true;
	chunks = realloc(arena->chunks, cap * sizeof(*chunks));
	if (!chunks)
		return false;
	arena->chunks = chunks;
	arena->chunk_cap = cap;
	return true;
}

static bool add_chunk(struct tide_pagearena *arena)
{
	uint32_t at;
	char *base;

	if (!reserve_chunk(arena))
		return false;
	base = arena->map_fn(TIDE_CHUNK_BYTES, arena->map_ctx);
	if (!base)
		return false;
	/* A huge page would make the pages behind each table resident. */
	madvise(base, TIDE_CHUNK_BYTES, MADV_NOHUGEPAGE);
	at = chunk_above(arena, base);
	memmove(&arena->chunks[at + 1], &arena->chunks[at],
		(arena->chunk_cnt - at) * sizeof(*arena->chunks));
	memset(&arena->chunks[at], 0, sizeof(*arena->chunks));
	arena->chunks[at].base = base;
	arena->chunk_cnt++;
	arena->open_cnt = arena->chunk_cnt;
	return true;
}

static void drop_chunk(struct tide_pagearena *arena, uint32_t at)
{
	struct tide_chunk *chunk = &arena->chunks[at];

	for (uint32_t i = 0; i < TIDE_CHUNK_FRAMES; i++)
		arena->resident_pages -= chunk->resident[i];
	if (arena->last_freed >= chunk->base && arena->last_freed < chunk->base + TIDE_CHUNK_BYTES)
		arena->last_freed = NULL;
	munmap(chunk->base, TIDE_CHUNK_BYTES);
	arena->chunk_cnt--;
	memmove(chunk, chunk + 1, (arena->chunk_cnt - at) * sizeof(*chunk));
	arena->open_cnt = arena->chunk_cnt;
}

static void *take_frame(struct tide_pagearena *arena, struct tide_chunk *chunk, uint32_t frame,
			uint32_t page_cnt)
{
	chunk->used[frame] = (uint8_t)page_cnt;
	chunk->used_frames++;
	arena->used_frames++;
	arena->used_pages += page_cnt;
	if (chunk->resident[frame] < page_cnt) {
		arena->resident_pages += page_cnt - chunk->resident[frame];
		chunk->resident[frame] = (uint8_t)page_cnt;
	}
	return chunk->base + (size_t)frame * TIDE_FRAME_BYTES;
}

/* While most frames are in use, the one just left is best. When many are free (a drain), tables
 * that resize anyway move together, so that whole chunks fall empty.
 */
static struct tide_chunk *frame_just_left(struct tide_pagearena *arena, uint32_t *ret_frame)
{
	uint32_t all = arena->chunk_cnt * TIDE_CHUNK_FRAMES;
	struct tide_chunk *chunk;

	if (!arena->last_freed || arena->used_frames + 2 * TIDE_CHUNK_FRAMES < all / 4 * 3)
		return NULL;
	chunk = &arena->chunks[chunk_above(arena, arena->last_freed) - 1];
	*ret_frame = (uint32_t)((arena->last_freed - chunk->base) / TIDE_FRAME_BYTES);
	return chunk;
}

/* The system places new chunks below old ones where it can, so the highest are the oldest. */
static struct tide_chunk *highest_free_frame(struct tide_pagearena *arena, uint32_t *ret_frame)
{
	for (; arena->open_cnt; arena->open_cnt--) {
		struct tide_chunk *chunk = &arena->chunks[arena->open_cnt - 1];

		if (chunk->used_frames == TIDE_CHUNK_FRAMES)
			continue;
		for (*ret_frame = 0; chunk->used[*ret_frame];)
			++*ret_frame;
		return chunk;
	}
	return NULL;
}

void *tide_pagearena_alloc(struct tide_pagearena *arena, uint32_t page_cnt)
{
	struct tide_chunk *chunk;
	uint32_t frame = 0;
	void *run;

	if (page_cnt > TIDE_FRAME_PAGES) {
		run = arena->map_fn((size_t)page_cnt * TIDE_PAGE_BYTES, arena->map_ctx);
		arena->used_pages += run ? page_cnt : 0;
		arena->resident_pages += run ? page_cnt : 0;
		return run;
	}
	chunk = frame_just_left(arena, &frame);
	if (!chunk)
		chunk = highest_free_frame(arena, &frame);
	if (!chunk) {
		if (!add_chunk(arena))
			return NULL;
		chunk = highest_free_frame(arena, &frame);
	}
	arena->last_freed = NULL;
	return take_frame(arena, chunk, frame, page_cnt);
}

/* Returns the pages of a frame that are resident but not in use. */
static void purge_frame(struct tide_pagearena *arena, struct tide_chunk *chunk, uint32_t frame)
{
	uint32_t page_cnt = (uint32_t)chunk->resident[frame] - chunk->used[frame];
	size_t at = frame * TIDE_FRAME_BYTES + chunk->used[frame] * TIDE_PAGE_BYTES;

	if (!page_cnt)
		return;
	madvise(chunk->base + at, (size_t)page_cnt * TIDE_PAGE_BYTES, MADV_DONTNEED);
	chunk->resident[frame] = chunk->used[frame];
	arena->resident_pages -= page_cnt;
}

/* One chunk, and one after the other with each call, so that no call pays for all. Each free
 * adds a frame's pages at most, and a chunk that is worth it has several.
 */
static void purge_some(struct tide_pagearena *arena)
{
	for (uint32_t n = 0; n < PURGE_CHUNKS && warm_pages(arena) > warm_budget(arena); n++) {
		struct tide_chunk *chunk;

		if (arena->purge_next >= arena->chunk_cnt)
			arena->purge_next = 0;
		chunk = &arena->chunks[arena->purge_next++];
		for (uint32_t i = 0; i < TIDE_CHUNK_FRAMES; i++)
			purge_frame(arena, chunk, i);
	}
}

void tide_pagearena_free(struct tide_pagearena *arena, void *run, uint32_t page_cnt)
{
	struct tide_chunk *chunk;
	uint32_t at, frame;

	if (!run)
		return;
	arena->used_pages -= page_cnt;
	if (page_cnt > TIDE_FRAME_PAGES) {
		arena->resident_pages -= page_cnt;
		munmap(run, (size_t)page_cnt * TIDE_PAGE_BYTES);
		return;
	}
	at = chunk_above(arena, run) - 1;
	chunk = &arena->chunks[at];
	frame = (uint32_t)(((char *)run - chunk->base) / TIDE_FRAME_BYTES);
	chunk->used[frame] = 0;
	chunk->used_frames--;
	arena->used_frames--;
	arena->last_freed = run;
	if (arena->open_cnt <= at)
		arena->open_cnt = at + 1;
	/* One spare chunk's worth of free frames elsewhere, so that a count going to and fro
	 * does not map and unmap.
	 */
	if (!chunk->used_frames &&
	    arena->used_frames + TIDE_CHUNK_FRAMES <= (arena->chunk_cnt - 1) * TIDE_CHUNK_FRAMES)
		drop_chunk(arena, at);
	if (warm_pages(arena) > warm_budget(arena))
		purge_some(arena);
}

void tide_pagearena_purge(struct tide_pagearena *arena)
{
	for (uint32_t i = arena->chunk_cnt; i-- > 0;) {
		for (uint32_t frame = 0; frame < TIDE_CHUNK_FRAMES; frame++)
			purge_frame(arena, &arena->chunks[i], frame);
		if (!arena->chunks[i].used_frames)
			drop_chunk(arena, i);
	}
}

uint64_t tide_pagearena_bytes(const struct tide_pagearena *arena)
{
	return arena->resident_pages * TIDE_PAGE_BYTES + arena->chunk_cap * sizeof(*arena->chunks);
}
