/* The immutable result that goes upwards: all a report or a store ever sees.
 *
 * Owns: every figure, name and sentence of one report about one process. The retention core
 * fills the figures, the session adds process, memory, coverage and resolved frames; from then
 * on nobody changes it. It stays valid after the process has gone.
 * Never: file descriptors, pointers into live tables, libbpf.
 * Threads: may be handed to another thread whole.
 * Memory: bounded by max_sites and the frames of each stack.
 *
 * Times: *_ns fields are CLOCK_MONOTONIC nanoseconds; add wall_offset_ns for CLOCK_REALTIME.
 * Strings are owned by the snapshot, UTF-8 is not guaranteed (they come from the target).
 */
#ifndef TIDE_RETAIN_SNAPSHOT_H
#define TIDE_RETAIN_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Verdicts, in the order in which a reader wants them. */
#define TIDE_VERDICTS(X)                                                          \
	X(HIGH_WATER, "high-water", "rose, the need went away, the bytes stayed") \
	X(GROWING, "growing", "its floor rises window after window")              \
	X(STEADY, "steady", "in use or turning over")                             \
	X(RELEASED, "released", "came back down")

enum tide_verdict {
#define X(id, name, help) TIDE_VERDICT_##id,
	TIDE_VERDICTS(X)
#undef X
		TIDE_VERDICT_CNT,
};

enum tide_evidence {
	TIDE_EVIDENCE_LIKELY, /* from the series only */
	TIDE_EVIDENCE_PROVEN, /* occupancy or residency was read */
};

/* Kinds of resident memory (DESIGN 6). */
#define TIDE_PARTS(X)                                                                      \
	X(LIVE, "live", "blocks that are tracked")                                         \
	X(ALLOCATOR_HELD, "allocator-held", "freed by the program, kept by its allocator") \
	X(HEAP_UNTRACKED, "heap-untracked", "in an allocator's region, not tracked")       \
	X(GO_HEAP, "go-heap", "Go's own heap")                                             \
	X(ANON_MMAP, "anon-mmap", "other anonymous mappings")                              \
	X(STACK, "stack", "thread stacks")                                                 \
	X(FILE, "file", "mapped files")                                                    \
	X(SHMEM, "shmem", "shared memory")                                                 \
	X(OTHER, "other", "everything else")

enum tide_part {
#define X(id, name, help) TIDE_PART_##id,
	TIDE_PARTS(X)
#undef X
		TIDE_PART_CNT,
};

/* One name of a stack; a return address gives several where functions were inlined. */
struct tide_frame {
	char *function;	 /* demangled; NULL when unknown */
	char *file;	 /* NULL when unknown */
	char *module;	 /* path as the target sees it; NULL when unknown */
	char *build_id;	 /* lower-case hex; NULL when unknown */
	uint64_t offset; /* file offset in module, or the address when module is NULL */
	uint32_t line;	 /* 0 when unknown */
	bool inlined;	 /* inlined into the next frame */
};

/* A moment at which the floor stepped up and stayed up. */
struct tide_ratchet {
	uint64_t at_ns;
	uint64_t from_bytes;
	uint64_t to_bytes;
};

#define TIDE_MAX_RATCHETS 8

/* One interval of a series: the least, the greatest and the last live bytes in it. */
struct tide_tide_point {
	uint64_t at_ns; /* start of the interval */
	uint64_t min_bytes;
	uint64_t max_bytes;
	uint64_t last_bytes;
};

struct tide_site_report {
	uint64_t id; /* the stack key: stable within a session */
	enum tide_verdict verdict;
	enum tide_evidence evidence;
	char *why; /* one sentence, no final newline */
	char *fix; /* NULL when there is no advice */
	uint64_t live_bytes;
	uint64_t live_blocks;
	uint64_t resident_bytes; /* valid when snapshot.resident_known */
	uint64_t held_bytes;	 /* in blocks older than the hold time */
	uint64_t peak_bytes;
	uint64_t peak_ns;
	uint64_t floor_bytes; /* least live bytes in the last hold time */
	uint64_t allocated_bytes;
	uint64_t allocated_blocks;
	uint64_t freed_bytes;
	uint64_t freed_blocks;
	uint64_t oldest_birth_ns; /* 0: no live block */
	uint64_t shown_bytes;	  /* live bytes that pass the --older filter; == live without it */
	uint64_t shown_blocks;
	bool reclaimable_known;
	uint64_t reclaimable_bytes;
	struct tide_ratchet ratchets[TIDE_MAX_RATCHETS]; /* oldest first */
	uint32_t ratchet_cnt;
	uint32_t ratchet_dropped_cnt; /* older ones that were not kept */
	uint32_t stack_end;	      /* enum tide_stack_end (bpf/abi/event.h) */
	struct tide_frame *frames;    /* innermost first, allocator function excluded */
	size_t frame_cnt;
	struct tide_tide_point *points; /* coarse series, oldest first; may be NULL */
	size_t point_cnt;
};

/* One block, for --show-allocs; sorted by size, the largest first. */
struct tide_block_report {
	uint64_t addr;
	uint64_t block_bytes;
	uint64_t birth_ns;
	uint64_t site_id;
};

struct tide_allocator_report {
	char *name;	 /* "glibc", "musl", or the file's name */
	char *object;	 /* path as the target sees it */
	char *build_id;	 /* NULL when it has none */
	char *placement; /* "entry+return" */
};

struct tide_process_report {
	uint32_t tgid;
	char *comm;
	char *exe;
	char *cgroup;		    /* NULL when unknown */
	uint64_t start_realtime_ns; /* CLOCK_REALTIME */
	bool limit_known;
	uint64_t limit_bytes; /* the least memory limit of its cgroup and the ancestors */
	bool ended;	      /* the process had ended when the report was made */
	int wait_status;      /* as waitpid gives it; only when ended and status_known */
	bool status_known;
};

struct tide_memory_report {
	bool known; /* false: the process was gone before it could be read */
	uint64_t read_at_ns;
	uint64_t rss_bytes;
	uint64_t peak_rss_bytes;
	uint64_t part_bytes[TIDE_PART_CNT]; /* add up to rss_bytes */
};

struct tide_coverage_report {
	const char *tier; /* "all" */
	uint64_t min_bytes;
	uint64_t sample_bytes; /* 0: not sampled */
	struct tide_allocator_report *allocators;
	size_t allocator_cnt;
	uint64_t events;	   /* records drained */
	uint64_t lost_events;	   /* records the ring had no room for */
	uint64_t resyncs;	   /* times the live map was read again */
	uint64_t untracked_blocks; /* blocks that found no room in the live map */
	uint64_t truncated_stacks; /* sites whose stack stopped early */
	uint64_t truncated_bytes;  /* live bytes of those sites */
	uint64_t probe_hits;
	double ns_per_hit;  /* 0: not calibrated */
	double cpu_pct;	    /* of the target's CPU time; negative: unknown */
	uint64_t stats[32]; /* by enum tide_stat (bpf/abi/stats.h) */
	uint64_t bad_records;
	uint64_t kernel_map_bytes; /* estimate of kernel memory in our maps */
	char **notes;		   /* full sentences, what could not be seen and why */
	size_t note_cnt;
};

struct tide_snapshot {
	struct tide_process_report process;
	uint64_t start_ns, end_ns, hold_ns;
	int64_t wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t older_ns;	/* --older filter; 0: none */
	struct tide_coverage_report coverage;
	struct tide_memory_report memory;
	uint64_t live_bytes, live_blocks, held_bytes;
	bool reclaimable_known;
	uint64_t reclaimable_bytes;
	bool resident_known;
	struct tide_site_report *sites; /* most held bytes first, then live, then id */
	size_t site_cnt;
	struct tide_block_report *blocks; /* only with --show-allocs */
	size_t block_cnt;
};

/* Makes an empty snapshot. 0 or -ENOMEM; *ret is untouched on failure. */
int tide_snapshot_new(struct tide_snapshot **ret);
/* Accepts NULL and half-built snapshots; sets *snap to NULL. */
void tide_snapshot_free(struct tide_snapshot **snap);
/* Appends a note, printf-like. 0 or -ENOMEM. */
int tide_snapshot_note(struct tide_snapshot *snap, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

const char *tide_verdict_name(enum tide_verdict verdict);
const char *tide_evidence_name(enum tide_evidence evidence);
const char *tide_part_name(enum tide_part part);

#endif
