/* The collector's own hash map: block address to block, able to give its memory back.
 *
 * Owns: one entry of 24 bytes per live block. Growth and shrink are incremental: no
 * operation pays for a rehash of the whole, and memory goes back to the system as the
 * entries go. Never: locks, I/O, clocks.
 * Threads: none of its own; one user at a time.
 * Memory: 29 to 32 bytes an entry from 10 K entries on, plus one table while it splits; after
 *         a drain it shrinks by itself, to 36 at most.
 */
#ifndef TIDE_DS_BLOCKMAP_H
#define TIDE_DS_BLOCKMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block as its users see it. addr is the key: non-zero, below 2^48 (x86-64 and arm64 user
 * addresses without LA57). block_bytes below 2^48. site is an index of the caller's.
 */
struct tide_block {
	uint64_t addr;
	uint64_t block_bytes;
	uint64_t birth_ns;
	uint32_t site;
};

struct tide_blockmap;

/* Makes an empty map. Returns 0 or -ENOMEM; *ret_map is untouched on failure. */
int tide_blockmap_new(struct tide_blockmap **ret_map);
/* Accepts NULL and *map == NULL; sets *map to NULL. */
void tide_blockmap_free(struct tide_blockmap **map);

/* Inserts, or replaces the block at the same address. When one was there, *ret_old (may be
 * NULL) receives it. Returns 0 (new), 1 (replaced), -ENOMEM or -EINVAL (address or size out
 * of range); on failure the map is unchanged.
 */
int tide_blockmap_put(struct tide_blockmap *map, const struct tide_block *block,
		      struct tide_block *ret_old);
/* Copies the block at addr to *ret (may be NULL). False when there is none. */
bool tide_blockmap_get(const struct tide_blockmap *map, uint64_t addr, struct tide_block *ret);
/* Starts to fetch what a get, put or del of addr will read, and returns at once. Worth it a few
 * calls ahead (the collector works on batches of records): most of a call's time is one wait
 * for memory, and these waits then overlap.
 */
void tide_blockmap_prefetch(const struct tide_blockmap *map, uint64_t addr);
/* Removes the block at addr, copying it to *ret (may be NULL). False when there is none. */
bool tide_blockmap_del(struct tide_blockmap *map, uint64_t addr, struct tide_block *ret);

uint64_t tide_blockmap_cnt(const struct tide_blockmap *map);
/* Bytes the map holds from the system, directory and slack included. */
uint64_t tide_blockmap_mem_bytes(const struct tide_blockmap *map);
/* Slots there are, occupied or not. */
uint64_t tide_blockmap_capacity(const struct tide_blockmap *map);

/* Empties the map but keeps its capacity, for a refill of the same size. */
void tide_blockmap_clear(struct tide_blockmap *map);
/* Gives back what n entries do not need (n below the count means the count). */
void tide_blockmap_shrink_to(struct tide_blockmap *map, uint64_t n);
void tide_blockmap_shrink_to_fit(struct tide_blockmap *map);
/* To be called from time to time (say every second): after clear() it drops capacity beyond
 * twice what the calls since the previous few trims needed. Bounded work per call.
 */
void tide_blockmap_trim(struct tide_blockmap *map);

/* Visits blocks in slices. *cursor starts at 0; each call visits at least min_visit entries
 * (whole tables) and returns true while there is more. The map may change between calls: an
 * entry that stays in it from the first call to the last is visited exactly once. fn must
 * not change the map.
 */
typedef void (*tide_blockmap_fn)(const struct tide_block *block, void *ctx);
bool tide_blockmap_scan(const struct tide_blockmap *map, uint64_t *cursor, size_t min_visit,
			tide_blockmap_fn fn, void *ctx);

#endif
