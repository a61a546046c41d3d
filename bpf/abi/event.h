/* What travels from the kernel to the collector, and what lies in the shared maps.
 *
 * Owns: the layout of every record and map value that both sides see. Fixed-width
 * types only, explicit padding, sizes asserted; no libc header, and of the kernel's only
 * <linux/types.h> (in BPF programs vmlinux.h, included before, brings the same types).
 * Never: behaviour. Append new record types at the end: the numbers are the ABI.
 */
#ifndef TIDE_ABI_EVENT_H
#define TIDE_ABI_EVENT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Record types, each with its struct below. */
enum tide_rec_type {
	TIDE_REC_ALLOC = 1,   /* struct tide_rec_block: a block became live */
	TIDE_REC_FREE = 2,    /* struct tide_rec_block: a tracked block was freed */
	TIDE_REC_RESTORE = 3, /* struct tide_rec_block: realloc failed, its old block lives on */
	TIDE_REC_FENCE = 4,   /* struct tide_rec_fence: all earlier records are before this one */
	TIDE_REC_EXEC = 5,    /* struct tide_rec_life: the target began another program */
	TIDE_REC_THREAD =
		6, /* struct tide_rec_life: the thread that probes follow ended, others live */
	TIDE_REC_UNMAPPED =
		7, /* struct tide_rec_life: a stack led into code that has no tables yet */
};

/* Every record begins with this. ts_ns is CLOCK_MONOTONIC (bpf_ktime_get_ns). */
struct tide_rec_hdr {
	__u32 type;	  /* enum tide_rec_type */
	__u32 size_bytes; /* of the whole record, header included */
	__u64 ts_ns;
};

/* One block. birth_ns is the block's identity together with addr: an address is reused,
 * an (address, birth) pair is not. For TIDE_REC_ALLOC birth_ns == hdr.ts_ns.
 */
struct tide_rec_block {
	struct tide_rec_hdr hdr;
	__u64 addr;
	__u64 block_bytes; /* as requested by the program */
	__u64 birth_ns;
	__u64 stack_key; /* key in the stacks and sites maps; 0: no room for its stack */
};

struct tide_rec_fence {
	struct tide_rec_hdr hdr;
	__u64 seq;
};

struct tide_rec_life {
	struct tide_rec_hdr hdr;
	__u32 tgid;
	__u32 tid;
};

/* Value of the live map; its key is the block's address (u64). */
struct tide_live_block {
	__u64 block_bytes;
	__u64 birth_ns;
	__u64 stack_key;
};

/* Value of the sites map; its key is the stack key (u64). Totals since the attach. */
struct tide_site_totals {
	__u64 alloc_cnt;
	__u64 alloc_bytes;
	__u64 free_cnt;
	__u64 free_bytes;
};

/* Deepest stack that is kept: bcc memleak's figure, and perf's default limit. */
#define TIDE_MAX_FRAMES 127

/* Why a stack walk ended. Only TIDE_STACK_COMPLETE means that nothing is missing. */
#define TIDE_STACK_ENDS(X)                                                                        \
	X(COMPLETE, "complete", "the walk reached the outermost frame")                           \
	X(NO_FRAME_POINTER, "no frame pointer", "the caller keeps no frame-pointer chain")        \
	X(UNREADABLE, "unreadable", "a frame lies in memory that could not be read")              \
	X(TOO_DEEP, "too deep", "more frames than are kept")                                      \
	X(NO_ROOM, "no room", "the stack table is full: raise --max-sites")                       \
	X(NO_TABLES, "no tables", "the process had no unwind tables yet, nor frame pointers")     \
	X(NO_MAPPING, "no mapping", "a return address outside all executable mappings known")     \
	X(NO_ROW, "no row", "code of a file without unwind information, nor frame pointer")       \
	X(UNSUPPORTED, "unsupported", "unwind information in a form that is not evaluated")       \
	X(LOST_REGISTER, "lost register", "a frame needs rbp, which an inner frame did not keep") \
	X(RETURN_PROBE, "return probe", "a return address that a return probe has replaced")      \
	X(BAD_TABLE, "bad table", "the unwind tables changed during the walk, or are wrong")

enum tide_stack_end {
#define X(id, name, help) TIDE_STACK_##id,
	TIDE_STACK_ENDS(X)
#undef X
		TIDE_STACK_END_CNT,
};

/* Value of the stacks map; innermost return address first. */
struct tide_stack {
	__u32 frame_cnt;
	__u32 end; /* enum tide_stack_end */
	__u64 ip[TIDE_MAX_FRAMES];
};

/* Value of the threads map; its key is the thread id (u32). What a thread is doing in an allocator,
 * and room to gather its stack.
 */
struct tide_thread {
	__u64 entry_sp; /* 0: in no allocator call */
	__u64 bytes;
	__u64 result_at; /* posix_memalign: where the result goes */
	__u64 old_addr;	 /* realloc: the block taken out of the live map, 0 when none */
	struct tide_live_block old;
	__u32 fn;   /* enum tide_alloc_fn */
	__u32 skip; /* below min_bytes */
	struct tide_stack stack;
};

_Static_assert(sizeof(struct tide_thread) == 64 + sizeof(struct tide_stack), "ABI");
_Static_assert(sizeof(struct tide_rec_hdr) == 16, "ABI");
_Static_assert(sizeof(struct tide_rec_block) == 48, "ABI");
_Static_assert(sizeof(struct tide_rec_fence) == 24, "ABI");
_Static_assert(sizeof(struct tide_rec_life) == 24, "ABI");
_Static_assert(sizeof(struct tide_live_block) == 24, "ABI");
_Static_assert(sizeof(struct tide_site_totals) == 32, "ABI");
_Static_assert(sizeof(struct tide_stack) == 8 + 8 * TIDE_MAX_FRAMES, "ABI");

#endif
