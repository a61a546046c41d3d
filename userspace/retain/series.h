/* The tide of one site: its live bytes through time, in memory that does not grow.
 *
 * Owns: least/greatest/last live bytes at several resolutions, peak, ratchets. Fed with every
 * change of the live bytes; intervals without a change cost nothing until the next call, and
 * what comes out does not depend on how often tide_series_advance() is called.
 * Never: blocks, verdicts, clocks. Threads: one user at a time. Memory: sizeof(struct
 * tide_series), about 1.6 KB, however long it runs; nothing is allocated.
 */
#ifndef TIDE_RETAIN_SERIES_H
#define TIDE_RETAIN_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "retain/snapshot.h"

/* Changes of the floor beneath the greater of these are noise. */
#define TIDE_NOISE_BYTES 65536ULL
#define TIDE_NOISE_PART	 20 /* one part in 20: 5 % */

/* All intervals are multiples of a slot, the hold time / 16. */
#define TIDE_SLOTS_PER_HOLD 16
#define TIDE_FINE_CNT	    (TIDE_SLOTS_PER_HOLD + 1)
#define TIDE_CELL_CNT	    40 /* even: full, pairs are merged */

/* Rings of window floors, X(id, slots an entry, entries). */
#define TIDE_RINGS(X)     \
	X(QUARTER, 4, 28) \
	X(DOUBLE, 32, 24) \
	X(LONG, 256, 24)

enum tide_ring {
#define X(id, slots, len) TIDE_RING_##id,
	TIDE_RINGS(X)
#undef X
		TIDE_RING_CNT,
};

#define TIDE_RING_LEN(id, slots, len) +(len)
#define TIDE_RING_CELLS		      (0 TIDE_RINGS(TIDE_RING_LEN))

/* What all series of a core share. */
struct tide_series_cfg {
	uint64_t start_ns;
	uint64_t hold_ns;
	uint64_t slot_ns;
	uint64_t dip_ns; /* a replacement's dip may last as long */
	/* From here on the process had been level for a hold time; 0: not yet. */
	uint64_t settled_ns;
	bool from_first; /* nothing allocated yet is no level */
};

/* One interval of the coarse series, in units of 2^shift bytes. */
struct tide_cell {
	uint32_t min, max, last;
};

struct tide_series {
	uint64_t first_ns; /* of the first change */
	uint64_t last_ns;  /* time never goes back beneath it */
	uint64_t first_slot, slot;
	uint64_t level; /* live bytes, the dip of a replacement aside */
	uint64_t slot_min, slot_max;
	uint64_t slot_leave_ns;	   /* when the level last left slot_min; 0: it is there */
	uint64_t slot_leave_bytes; /* and where it went */
	bool dip; /* a large block went: the next change says whether it is replaced */
	uint64_t dip_level, dip_bytes, dip_since_ns;

	uint64_t peak_bytes, peak_ns;
	/* Up (half the peak and more) and down again (a quarter and less). */
	bool high;
	uint32_t swing_cnt;
	uint64_t high_since_ns, longest_high_ns, last_swing_ns;

	/* The established floor, see ratchet.c. */
	uint64_t base_bytes, base_since_ns;
	bool low; /* the floor is beneath the base, since low_since_ns */
	uint64_t low_bytes, low_since_ns;
	bool chained; /* the last rise was a ratchet, or the continuation of one */
	uint64_t rise_first_ns, rise_step_bytes; /* of the last ratchet */
	uint64_t settled_ns;
	struct tide_ratchet ratchets[TIDE_MAX_RATCHETS];
	bool one_step[TIDE_MAX_RATCHETS]; /* one block carried it */
	uint32_t ratchet_cnt, ratchet_dropped_cnt;

	uint64_t fine_min[TIDE_FINE_CNT];
	uint64_t fine_leave_ns[TIDE_FINE_CNT];
	uint64_t fine_leave_bytes[TIDE_FINE_CNT];
	uint64_t ring_acc[TIDE_RING_CNT];
	uint32_t ring[TIDE_RING_CELLS];
	uint64_t cell_slots, cell_acc_min, cell_acc_max;
	struct tide_cell cells[TIDE_CELL_CNT];
	uint32_t shift;
};

void tide_series_cfg_init(struct tide_series_cfg *cfg, uint64_t start_ns, uint64_t hold_ns);
/* Begins a series whose live bytes were 0 until now_ns. */
void tide_series_init(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t now_ns);

/* The live bytes are now live_bytes, after a block came or went. */
void tide_series_add(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t ts_ns,
		     uint64_t live_bytes, uint64_t block_bytes);
void tide_series_sub(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t ts_ns,
		     uint64_t live_bytes, uint64_t block_bytes);
/* The same after several blocks came and went at once (a re-read). */
void tide_series_set(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t ts_ns,
		     uint64_t live_bytes);
/* Closes all slots that ended by now_ns. */
void tide_series_advance(struct tide_series *s, const struct tide_series_cfg *cfg, uint64_t now_ns);

/* Least level within the last hold time (the running slot and 16 before it). */
uint64_t tide_series_floor(const struct tide_series *s);
/* Entries a ring has, and its i-th newest. */
size_t tide_series_ring_cnt(const struct tide_series *s, enum tide_ring ring);
uint64_t tide_series_ring_min(const struct tide_series *s, enum tide_ring ring, size_t i);
/* Closed intervals of the coarse series. */
size_t tide_series_cell_cnt(const struct tide_series *s);
/* Copies the coarse series, the running interval last, oldest first. ret has room for
 * TIDE_CELL_CNT + 1; returns how many there are.
 */
size_t tide_series_points(const struct tide_series *s, const struct tide_series_cfg *cfg,
			  struct tide_tide_point *ret);

/* ratchet.c: to be called with each slot that closes, after it is in the fine ring. */
void tide_ratchet_step(struct tide_series *s, const struct tide_series_cfg *cfg);

/* The ratchets that explain the present floor, taken together; the others were undone. */
struct tide_rise {
	uint32_t cnt; /* 0: there are none */
	uint64_t from_bytes, to_bytes;
	uint64_t last_ns;
	struct tide_ratchet main; /* the greatest */
	bool main_one_step;
	uint64_t reached_ns; /* when the floor had come to about where it is now */
};

void tide_rise_read(const struct tide_series *s, const struct tide_series_cfg *cfg,
		    struct tide_rise *ret);

static inline uint64_t tide_noise(uint64_t bytes)
{
	uint64_t part = bytes / TIDE_NOISE_PART;

	return part > TIDE_NOISE_BYTES ? part : TIDE_NOISE_BYTES;
}

static inline uint64_t tide_slot_end_ns(const struct tide_series *s,
					const struct tide_series_cfg *cfg)
{
	return cfg->start_ns + (s->slot + 1) * cfg->slot_ns;
}

#endif
