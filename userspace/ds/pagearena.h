/* Frames of pages for the tables of a block map; every page not in use goes back to the system.
 *
 * Owns: address space, in chunks of 32 frames of 64 KB, from mmap. A table lies at the start
 *       of its frame; the pages behind it are never touched, so they cost address space only,
 *       and a table of any size fits any frame: there is no fragmentation to speak of.
 * Never: malloc for what it hands out, so no heap keeps a table's memory.
 * Threads: none of its own; one user at a time.
 * Memory: the pages handed out, and at most 1/32 of that (and two) in free pages kept warm for
 *         the next table; 80 bytes a chunk.
 */
#ifndef TIDE_DS_PAGEARENA_H
#define TIDE_DS_PAGEARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIDE_PAGE_BYTES	  4096u
#define TIDE_FRAME_PAGES  16u
#define TIDE_FRAME_BYTES  (TIDE_FRAME_PAGES * TIDE_PAGE_BYTES)
#define TIDE_CHUNK_FRAMES 32u
#define TIDE_CHUNK_BYTES  (TIDE_CHUNK_FRAMES * TIDE_FRAME_BYTES)

/* Where address space comes from; tests make it fail. Zeroed pages, or NULL. */
typedef void *(*tide_pages_map_fn)(size_t bytes, void *ctx);

void *tide_pages_from_system(size_t bytes, void *ctx);

struct tide_chunk {
	char *base;
	uint32_t used_frames;
	uint8_t used[TIDE_CHUNK_FRAMES];     /* pages handed out of each frame; 0: it is free */
	uint8_t resident[TIDE_CHUNK_FRAMES]; /* pages the system has given for it */
};

struct tide_pagearena {
	struct tide_chunk *chunks; /* by address */
	uint32_t chunk_cnt;
	uint32_t chunk_cap;
	uint32_t purge_next; /* the chunk whose warm pages go next */
	uint32_t open_cnt;   /* chunks[open_cnt..] have no free frame */
	uint32_t used_frames;
	uint64_t used_pages;
	uint64_t resident_pages;
	char *last_freed; /* a frame, most likely still warm in the cache; or NULL */
	tide_pages_map_fn map_fn;
	void *map_ctx;
};

void tide_pagearena_init(struct tide_pagearena *arena, tide_pages_map_fn map_fn, void *map_ctx);
void tide_pagearena_fini(struct tide_pagearena *arena);

/* page_cnt pages in a row, with any content; more than a frame has come from mmap directly.
 * NULL when the system refuses.
 */
void *tide_pagearena_alloc(struct tide_pagearena *arena, uint32_t page_cnt);
/* Takes back what tide_pagearena_alloc() gave for the same page_cnt. Accepts NULL. */
void tide_pagearena_free(struct tide_pagearena *arena, void *run, uint32_t page_cnt);
/* Gives every free page back now. */
void tide_pagearena_purge(struct tide_pagearena *arena);

/* Bytes held from the system. */
uint64_t tide_pagearena_bytes(const struct tide_pagearena *arena);

/* Zeroed memory outside the chunks, for directories, and not counted. NULL when refused. */
void *tide_pagearena_map(struct tide_pagearena *arena, size_t bytes);
void tide_pagearena_unmap(void *addr, size_t bytes);

#endif
