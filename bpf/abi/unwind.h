/* Unwind tables: the layout that userspace compiles and the in-kernel unwinder reads.
 *
 * Owns: rows, rules, the page directory of an object, the mapping table of a process, and the
 * limits that tie them together. Fixed-width types only. Never: behaviour.
 *
 * Three look-ups lead from a program counter to a rule:
 *
 *   process (tgid)              object (slot)                     all objects
 *   +----------------------+    +---------------------------+     +-------------------+
 *   | block 0: start[127]  |    | directory blocks          |     | rules[16384]      |
 *   |          generation  |    |  one word per 64 KiB page:|     |  CFA = rsp + 48   |
 *   | block 1: mapping[32] |--->|  first block, block count |     |  rbp at CFA - 16  |
 *   | block 2: mapping[32] |    | row blocks, 256 rows each:|---->|  ...              |
 *   | ...                  |    |  low 16 pc bits, rule id  |     |                   |
 *   +----------------------+    +---------------------------+     +-------------------+
 *    sorted by start            rows of a page sorted by pc        shared, never removed
 *
 * A row is four bytes: an object has a few hundred distinct rules (701 in librustc_driver, the
 * most we met) and tens of thousands of rows. Every page begins with a row for its first
 * byte, so a look-up never continues in the page before. Blocks are the unit the
 * kernel hands out: the search inside one needs no helper call and no branch.
 */
#ifndef TIDE_ABI_UNWIND_H
#define TIDE_ABI_UNWIND_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* User addresses are below 2^47 (Documentation/arch/x86/x86_64/mm.rst, 4-level tables; with
 * five levels only on an mmap hint above it).
 */
#define TIDE_UNWIND_ADDR_BITS 47

/* ---- rules ---- */

/* How the canonical frame address (CFA) is found: the caller's rsp after the return. */
enum tide_unwind_cfa {
	TIDE_CFA_NONE,	       /* no row here: code without CFI */
	TIDE_CFA_PADDING,      /* the few bytes between two functions: no call ends here */
	TIDE_CFA_SP,	       /* rsp + cfa_off */
	TIDE_CFA_FP,	       /* rbp + cfa_off */
	TIDE_CFA_DEREF_SP,     /* *(rsp + deref_off) + deref_add */
	TIDE_CFA_DEREF_FP,     /* *(rbp + deref_off) + deref_add */
	TIDE_CFA_PLT,	       /* rsp + 8 + ((rip & 15) >= cfa_off ? 8 : 0) */
	TIDE_CFA_SIGNAL,       /* a signal frame: registers come from its ucontext */
	TIDE_CFA_END,	       /* return address undefined: the outermost frame */
	TIDE_CFA_UNSUPPORTED,  /* CFI says something the other kinds cannot express */
	TIDE_CFA_FRAME,	       /* generated code: push %rbp; mov %rsp,%rbp assumed */
	TIDE_CFA_RETURN_PROBE, /* the kernel's return-probe trampoline */
	TIDE_CFA_CNT,
};

/* Where the caller's rbp is. */
enum tide_unwind_fp {
	TIDE_FP_SAME,	/* still in rbp */
	TIDE_FP_CFA,	/* at CFA + fp_off */
	TIDE_FP_FP,	/* at rbp + fp_off (functions that realign their stack) */
	TIDE_FP_UNKNOWN /* lost, or saved in a way we do not follow */
};

struct tide_unwind_rule {
	__u8 cfa; /* enum tide_unwind_cfa */
	__u8 fp;  /* enum tide_unwind_fp */
	__s16 fp_off;
	union {
		__s32 cfa_off;
		struct {
			__s16 deref_off;
			__s16 deref_add;
		};
	};
};

/* Rules with fixed ids; the others follow in order of first use. */
enum tide_unwind_rule_id {
	TIDE_RULE_NONE,
	TIDE_RULE_PADDING,
	TIDE_RULE_END,
	TIDE_RULE_SIGNAL,
	TIDE_RULE_UNSUPPORTED,
	TIDE_RULE_FRAME,
	TIDE_RULE_RETURN_PROBE,
	TIDE_RULE_FIRST_FREE,
};

#define TIDE_UNWIND_LG_RULES  14
#define TIDE_UNWIND_MAX_RULES (1 << TIDE_UNWIND_LG_RULES)

/* ---- objects ---- */

#define TIDE_UNWIND_LG_PAGE	   16 /* a page of code: what the pc half of a row spans */
#define TIDE_UNWIND_LG_BLOCK	   8  /* words (rows, or directory entries) in a block */
#define TIDE_UNWIND_BLOCK_WORDS	   (1 << TIDE_UNWIND_LG_BLOCK)
#define TIDE_UNWIND_LG_PAGE_BLOCKS 8 /* row blocks of one page, at most */

/* A directory word is first_block << 8 | block_cnt - 1, or 0 for a page without rows (block 0 is
 * always a directory block). A row is (pc & 0xffff) << 16 | rule id. Unused words at the
 * end of a row block repeat its last row.
 */
struct tide_unwind_block {
	__u32 word[TIDE_UNWIND_BLOCK_WORDS];
};

#define TIDE_UNWIND_MAX_BLOCKS (1 << (32 - TIDE_UNWIND_LG_PAGE_BLOCKS))

/* Objects known at once on the host; slot 0 is never used, it means "no table". */
#define TIDE_UNWIND_MAX_OBJECTS 8192

/* ---- processes ---- */

/* One executable mapping. pc - base is the offset from the first page of the object's
 * directory. With object 0 one rule holds for all its code: TIDE_RULE_FRAME (anonymous, JIT),
 * TIDE_RULE_NONE (a file without CFI) or TIDE_RULE_RETURN_PROBE.
 */
struct tide_unwind_mapping {
	__u64 start, end; /* [start, end) */
	__u64 base;
	__u32 object; /* slot */
	union {
		__u32 page_cnt; /* of the object's directory */
		__u32 rule;	/* with object 0 */
	};
};

#define TIDE_UNWIND_LG_MAPPINGS 5 /* mappings in a block */
#define TIDE_UNWIND_LG_STARTS	7 /* words in block 0 */
#define TIDE_UNWIND_MAX_STARTS	((1 << TIDE_UNWIND_LG_STARTS) - 1)
#define TIDE_UNWIND_MAX_MAPPINGS \
	(TIDE_UNWIND_MAX_STARTS << TIDE_UNWIND_LG_MAPPINGS) /* executable ones */

/* Block 0 has the first address of every further block, unused ones ~0, and the generation:
 * different for every version of every process's table, top bit set so that the search over
 * all 128 words never ends on it.
 */
struct tide_unwind_map_block {
	union {
		struct tide_unwind_mapping mapping[1 << TIDE_UNWIND_LG_MAPPINGS];
		struct {
			__u64 start[TIDE_UNWIND_MAX_STARTS];
			__u64 generation;
		};
		__u64 word[1 << TIDE_UNWIND_LG_STARTS];
	};
};

#define TIDE_UNWIND_GENERATION_MARK (1ULL << 63)

/* Processes unwound at once. */
#define TIDE_UNWIND_MAX_PROCS 4096

/* ---- memo ---- */

/* Direct-mapped memo of earlier look-ups. One word, so that concurrent writers cannot
 * tear an entry: pc >> 12 (35 bits) | generation (13 bits) | rule id (16 bits); the slot number is
 * (pc ^ pc >> 12) & 4095, so slot and word together hold the whole pc. 0 is empty: generations
 * are never 0. When they wrap, userspace clears the memo (twice a cycle, so that an entry written
 * by a program that was already running at a clearing is gone before its number comes back).
 */
#define TIDE_UNWIND_LG_MEMO	    12
#define TIDE_UNWIND_GENERATION_BITS 13
#define TIDE_UNWIND_RULE_BITS	    16

_Static_assert(sizeof(struct tide_unwind_rule) == 8, "ABI");
_Static_assert(sizeof(struct tide_unwind_block) == 1024, "ABI");
_Static_assert(sizeof(struct tide_unwind_mapping) == 32, "ABI");
_Static_assert(sizeof(struct tide_unwind_map_block) == 1024, "ABI");
_Static_assert((1 << TIDE_UNWIND_LG_PAGE) <=
		       (1 << (TIDE_UNWIND_LG_BLOCK + TIDE_UNWIND_LG_PAGE_BLOCKS)),
	       "a row for every byte of a page fits into its blocks");
_Static_assert(TIDE_UNWIND_LG_PAGE + TIDE_UNWIND_RULE_BITS == 32, "a row is one 32-bit word");
_Static_assert(TIDE_UNWIND_LG_RULES <= TIDE_UNWIND_RULE_BITS, "a rule id fits into a row");
_Static_assert(TIDE_UNWIND_ADDR_BITS - TIDE_UNWIND_LG_MEMO + TIDE_UNWIND_GENERATION_BITS +
			       TIDE_UNWIND_RULE_BITS ==
		       64,
	       "a memo entry is one 64-bit word");

#endif
