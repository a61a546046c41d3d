/* The unwinder: return addresses of a user stack, by unwind tables and, where there are none, by
 * frame pointers.
 *
 * Owns: one walk. Never: allocates, writes anything but its result and the memo, trusts
 * a value of the target: an address is used only to read user memory, which may fail.
 * Threads: any number at once; all state is on the stack or in the result. Memory: ~150 bytes of
 * stack. Compiles as BPF (clang 14, Linux 6.1 on) and natively, see unwind_env.h.
 *
 * One step, from a frame to its caller (addresses grow upward):
 *
 *        |  ...                   |
 *  CFA ->+------------------------+ <- caller's rsp once the callee has returned
 *        |  return address        |    always at CFA - 8 on x86-64
 *        |  rbp of the caller     |    at CFA + fp_off, when the rule says it is saved
 *        |  locals                |
 *  rsp ->+------------------------+
 *
 * The rule for the current pc says what CFA is: mostly rsp + n, or rbp + n. Only rsp, rbp and the
 * pc are carried from frame to frame: compiled code bases its CFA on nothing else at a call.
 *
 * A return address may lie just behind its function, when the call was the last instruction (of
 * a noreturn function), so it is looked up at pc - 1. The pc that a signal
 * interrupted is no return address and is looked up as it is; so is the first pc, if the walk
 * starts where the program is rather than where a call will return to.
 *
 * A walk starts from the caller of an allocator: at the allocator's first instruction ip is
 * *rsp and sp is rsp + 8; at its return ip is the return address and sp is rsp.
 */
#ifndef TIDE_LIB_UNWIND_H
#define TIDE_LIB_UNWIND_H

#include "bpf/lib/unwind_env.h"

struct tide_unwind_regs {
	__u64 ip, sp, bp;
};

struct tide_unwind_walk {
	__u64 ip, sp, bp;
	__u64 exact;	  /* 1: ip is where the frame is, 0: where it goes on after a call */
	__u64 generation; /* of the process's table, 0 without one */
	__u64 start, end; /* of the mapping used last; both 0: none yet */
	__u64 base;
	__u64 object;
	__u64 page_cnt;
#ifdef TIDE_UNWIND_NATIVE
	const void *process;
#else
	void *process;
#endif
	struct tide_stack *stack;
};

/* The value of bp once it is lost: no frame starts at an odd address. */
#define TIDE_BP_LOST 1

/* A step that has not ended the walk. */
#define TIDE_STEP_ON (-1)

/* What sigreturn trampolines look like, the way gdb and libgcc know them where there is no CFI:
 * mov $15, %rax; syscall (musl's __restore_rt, glibc's has CFI).
 */
#define TIDE_SIGRETURN_MOV	0x0f0000000fc0c748ULL
#define TIDE_SIGRETURN_MOV_LAST 0x05

/* Where the kernel leaves the interrupted registers, seen from the stack pointer after the handler
 * has returned into the trampoline: there lies struct ucontext (struct rt_sigframe without its
 * first word, arch/x86/include/asm/sigframe.h), uc_mcontext 40 bytes into it
 * (include/uapi/asm-generic/ucontext.h: 8 + 8 + 24), and in it bp, sp and ip at 80, 120 and 128
 * (struct sigcontext_64, arch/x86/include/uapi/asm/sigcontext.h).
 */
#define TIDE_UCONTEXT_BP (40 + 80)
#define TIDE_UCONTEXT_SP (40 + 120)
#define TIDE_UCONTEXT_IP (40 + 128)

/* a <= b as an all-ones mask, for a, b < 2^63: searches without branches cost the same for every
 * address, and give the verifier one path.
 */
TIDE_INLINE __u64 tide_mask_le(__u64 a, __u64 b)
{
	return (__u64)((__s64)(a - b - 1) >> 63);
}

/* An index below 1 << lg, in a form that the verifier believes: without the barrier clang leaves
 * out the mask, because it knows better, and Linux 6.1 does not.
 */
TIDE_INLINE __u64 tide_index(__u64 i, int lg)
{
	tide_opaque(i);
	return i & ((1ULL << lg) - 1);
}

/* The last mapping that starts at or before pc becomes the current one; false if it does not
 * hold pc.
 */
TIDE_NOINLINE int tide_unwind_find_mapping(struct tide_unwind_walk *w, __u64 pc)
{
	const struct tide_unwind_map_block *block;
	const struct tide_unwind_mapping *m;
	__u64 i = 0, idx;

	if (pc - w->start < w->end - w->start)
		return 1;
	if (!w->process || pc >> TIDE_UNWIND_ADDR_BITS)
		return 0;

	block = tide_env_map_block(w->process, 0);
	if (!block)
		return 0;
	for (__u64 step = 1 << (TIDE_UNWIND_LG_STARTS - 1); step; step >>= 1) {
		idx = tide_index(i + step, TIDE_UNWIND_LG_STARTS);
		i += step & tide_mask_le(block->word[idx] >> 1, pc >> 1);
	}

	block = tide_env_map_block(w->process, i + 1);
	if (!block)
		return 0;
	i = 0;
	for (__u64 step = 1 << (TIDE_UNWIND_LG_MAPPINGS - 1); step; step >>= 1) {
		idx = tide_index(i + step, TIDE_UNWIND_LG_MAPPINGS);
		i += step & tide_mask_le(block->mapping[idx].start >> 1, pc >> 1);
	}
	m = &block->mapping[tide_index(i, TIDE_UNWIND_LG_MAPPINGS)];
	if (pc - m->start >= m->end - m->start)
		return 0;
	w->start = m->start;
	w->end = m->end;
	w->base = m->base;
	w->object = m->object;
	w->page_cnt = m->page_cnt;
	return 1;
}

/* The rule id for an offset within the current mapping's object, or -1 if the table changed
 * under the walk.
 */
TIDE_NOINLINE int tide_unwind_find_row(struct tide_unwind_walk *w, __u64 off)
{
	const struct tide_unwind_block *block;
	__u64 page = off >> TIDE_UNWIND_LG_PAGE;
	/* The greatest row word that a row at or before off can have. */
	__u64 key =
		(off << TIDE_UNWIND_RULE_BITS & 0xffffffff) | ((1 << TIDE_UNWIND_RULE_BITS) - 1);
	__u32 first, last, i = 0;
	__u64 row = 0;

	if (page >= w->page_cnt)
		return TIDE_RULE_NONE;
#ifdef TIDE_UNWIND_NATIVE
	const void *object;
#else
	void *object;
#endif
	object = tide_env_object(w->object);
	if (!object)
		return -1;
	block = tide_env_block(object, page >> TIDE_UNWIND_LG_BLOCK);
	if (!block)
		return -1;
	first = block->word[tide_index(page, TIDE_UNWIND_LG_BLOCK)];
	if (!first)
		return TIDE_RULE_NONE;
	last = first & ((1 << TIDE_UNWIND_LG_PAGE_BLOCKS) - 1);
	first >>= TIDE_UNWIND_LG_PAGE_BLOCKS;

	/* Which of the page's blocks: mostly there are one to four. */
	for (__u32 step = 1 << (TIDE_UNWIND_LG_PAGE_BLOCKS - 1); step; step >>= 1) {
		if (i + step > last)
			continue;
		block = tide_env_block(object, first + i + step);
		if (block && block->word[0] <= key)
			i += step;
	}
	block = tide_env_block(object, first + i);
	if (!block)
		return -1;
	for (__u64 step = 1 << (TIDE_UNWIND_LG_BLOCK - 1); step; step >>= 1) {
		__u64 idx = tide_index(row + step, TIDE_UNWIND_LG_BLOCK);

		row += step & tide_mask_le(block->word[idx], key);
	}
	return block->word[tide_index(row, TIDE_UNWIND_LG_BLOCK)] &
	       ((1 << TIDE_UNWIND_RULE_BITS) - 1);
}

/* Look-up without the memo. A negative result is -enum tide_stack_end. */
TIDE_NOINLINE int tide_unwind_find_rule_slow(struct tide_unwind_walk *w, __u64 pc)
{
	int id;

	if (!w->process)
		return TIDE_RULE_FRAME;
	if (!tide_unwind_find_mapping(w, pc))
		return -TIDE_STACK_NO_MAPPING;
	if (!w->object)
		return w->page_cnt;
	id = tide_unwind_find_row(w, pc - w->base);
	return id < 0 ? -TIDE_STACK_BAD_TABLE : id;
}

TIDE_INLINE int tide_unwind_find_rule(struct tide_unwind_walk *w)
{
	__u64 pc = w->ip - 1 + w->exact;
	__u64 hi = pc >> TIDE_UNWIND_LG_MEMO;
	__u64 want = hi << (TIDE_UNWIND_GENERATION_BITS + TIDE_UNWIND_RULE_BITS) | w->generation;
	__u64 *memo = tide_env_memo((pc ^ hi) & ((1 << TIDE_UNWIND_LG_MEMO) - 1));
	__u64 got;
	int id;

	if (!memo)
		return -TIDE_STACK_BAD_TABLE;
	got = *(volatile __u64 *)memo ^ want;
	if (got < 1 << TIDE_UNWIND_RULE_BITS && !(pc >> TIDE_UNWIND_ADDR_BITS))
		return got;

	id = tide_unwind_find_rule_slow(w, pc);
	if (id >= 0 && w->generation)
		*(volatile __u64 *)memo = want | id;
	return id;
}

/* Whether a call instruction ends at ip: e8 rel32, or ff /2 in one of its lengths. Frame pointers
 * without CFI are hearsay; this and the mapping are what speaks for them. Arithmetic, and kept so
 * by the barriers: seven conditions would be 128 paths for the verifier.
 */
TIDE_INLINE int tide_unwind_after_call(__u64 ip)
{
	__u64 code = 0, miss, found;

	if (tide_env_read(&code, sizeof(code), ip - sizeof(code)))
		return 0;
	miss = (code >> 24 & 0xff) ^ 0xe8;
	tide_opaque(miss);
	found = miss - 1;
	for (int i = 1; i < 7; i++) {
		miss = (code >> (8 * i) & 0x38ff) ^ 0x10ff;
		tide_opaque(miss);
		found |= miss - 1;
	}
	return found >> 63;
}

TIDE_NOINLINE int tide_unwind_signal(struct tide_unwind_walk *w)
{
	__u64 spip[2], bp;

	_Static_assert(TIDE_UCONTEXT_IP == TIDE_UCONTEXT_SP + 8, "read as a pair");
	if (tide_env_read(spip, sizeof(spip), w->sp + TIDE_UCONTEXT_SP) ||
	    tide_env_read(&bp, sizeof(bp), w->sp + TIDE_UCONTEXT_BP))
		return TIDE_STACK_UNREADABLE;
	w->sp = spip[0];
	w->ip = spip[1];
	w->bp = bp;
	w->exact = 1;
	return TIDE_STEP_ON;
}

/* An interrupted pc at the very first instruction of a function, or in a linkage stub: nothing is
 * pushed yet, the return address is on top. endbr64 marks the one, (bnd) jmp *GOT the other;
 * linkers write the stubs of static executables without CFI.
 */
TIDE_INLINE int tide_unwind_on_top(__u64 code)
{
	return (__u32)code == 0xfa1e0ff3 || (code & 0xffff) == 0x25ff ||
	       (code & 0xffffff) == 0x25fff2;
}

/* Code without CFI: a sigreturn trampoline, a stub, or a frame that rbp points to. */
TIDE_NOINLINE int tide_unwind_no_row(struct tide_unwind_walk *w, int broken)
{
	__u64 frame[2] = {}, code[2] = {}, sp;

	if (!tide_env_read(code, 9, w->ip) && code[0] == TIDE_SIGRETURN_MOV &&
	    code[1] == TIDE_SIGRETURN_MOV_LAST)
		return tide_unwind_signal(w);

	if (w->exact && tide_unwind_on_top(code[0])) {
		frame[0] = w->bp;
		sp = w->sp + 8;
		if (tide_env_read(&frame[1], 8, w->sp))
			return TIDE_STACK_UNREADABLE;
	} else {
		/* The ABI's mark of the outermost frame. */
		if (!w->bp)
			return TIDE_STACK_COMPLETE;
		if (w->bp == TIDE_BP_LOST)
			return TIDE_STACK_LOST_REGISTER;
		sp = w->bp + 16;
		if (w->bp & 7 || w->bp < w->sp || tide_env_read(frame, sizeof(frame), w->bp))
			return broken;
	}
	if (!tide_unwind_after_call(frame[1]))
		return broken;
	if (w->process && !tide_unwind_find_mapping(w, frame[1] - 1))
		return broken;
	w->sp = sp;
	w->bp = frame[0];
	w->ip = frame[1];
	w->exact = 0;
	return TIDE_STEP_ON;
}

/* The CFA by one of the rules that compute it. Returns 0 or an end. */
TIDE_INLINE int tide_unwind_cfa(struct tide_unwind_walk *w, const struct tide_unwind_rule *rule,
				__u64 *ret_cfa)
{
	__u64 at;

	switch (rule->cfa) {
	case TIDE_CFA_SP:
		*ret_cfa = w->sp + rule->cfa_off;
		return TIDE_STEP_ON;
	case TIDE_CFA_FP:
		*ret_cfa = w->bp + rule->cfa_off;
		return w->bp == TIDE_BP_LOST ? TIDE_STACK_LOST_REGISTER : TIDE_STEP_ON;
	case TIDE_CFA_PLT:
		*ret_cfa = w->sp + 8 + ((w->ip & 15) >= (__u64)rule->cfa_off ? 8 : 0);
		return TIDE_STEP_ON;
	case TIDE_CFA_DEREF_SP:
		at = w->sp;
		break;
	case TIDE_CFA_DEREF_FP:
		at = w->bp;
		if (at == TIDE_BP_LOST)
			return TIDE_STACK_LOST_REGISTER;
		break;
	default:
		return TIDE_STACK_UNSUPPORTED;
	}
	if (tide_env_read(&at, sizeof(at), at + rule->deref_off))
		return TIDE_STACK_UNREADABLE;
	*ret_cfa = at + rule->deref_add;
	return TIDE_STEP_ON;
}

/* The caller's registers, by CFA. */
TIDE_INLINE int tide_unwind_caller(struct tide_unwind_walk *w, const struct tide_unwind_rule *rule,
				   __u64 cfa)
{
	__u64 saved[2] = {}; /* rbp, return address */
	int failed;

	if (rule->fp == TIDE_FP_CFA && rule->fp_off == -16) {
		/* What push %rbp as the first instruction leaves: one read for both. */
		failed = tide_env_read(saved, sizeof(saved), cfa - 16);
	} else {
		failed = tide_env_read(&saved[1], 8, cfa - 8);
		saved[0] = w->bp;
		if (rule->fp == TIDE_FP_CFA)
			failed |= tide_env_read(&saved[0], 8, cfa + rule->fp_off);
		else if (rule->fp == TIDE_FP_FP)
			failed |= tide_env_read(&saved[0], 8, w->bp + rule->fp_off);
		else if (rule->fp == TIDE_FP_UNKNOWN)
			saved[0] = TIDE_BP_LOST;
	}
	if (failed)
		return TIDE_STACK_UNREADABLE;
	if (!saved[1])
		return TIDE_STACK_COMPLETE;
	w->sp = cfa;
	w->bp = saved[0];
	w->ip = saved[1];
	w->exact = 0;
	return TIDE_STEP_ON;
}

/* How a walk ends that frame pointers do not carry on. */
TIDE_INLINE int tide_unwind_broken(const struct tide_unwind_walk *w,
				   const struct tide_unwind_rule *rule)
{
	if (!w->process)
		return TIDE_STACK_NO_TABLES;
	return rule->cfa == TIDE_CFA_FRAME ? TIDE_STACK_NO_FRAME_POINTER : TIDE_STACK_NO_ROW;
}

/* From a frame to its caller. TIDE_STEP_ON, or why the walk ends (enum tide_stack_end). */
TIDE_INLINE int tide_unwind_step(struct tide_unwind_walk *w, int rule_id)
{
	const struct tide_unwind_rule *rule = tide_env_rule(rule_id);
	__u64 cfa = 0;
	int end;

	if (!rule)
		return TIDE_STACK_BAD_TABLE;
	/* No call ends in padding. The return address is a function's first byte, put there by
	 * hand as the bottom of a stack, the way makecontext() does.
	 */
	if (rule->cfa == TIDE_CFA_PADDING && !w->exact)
		return TIDE_STACK_COMPLETE;
	if (rule->cfa <= TIDE_CFA_PADDING || rule->cfa == TIDE_CFA_FRAME)
		return tide_unwind_no_row(w, tide_unwind_broken(w, rule));
	if (rule->cfa == TIDE_CFA_SIGNAL)
		return tide_unwind_signal(w);
	if (rule->cfa == TIDE_CFA_END)
		return TIDE_STACK_COMPLETE;
	if (rule->cfa == TIDE_CFA_RETURN_PROBE)
		return TIDE_STACK_RETURN_PROBE;
	end = tide_unwind_cfa(w, rule, &cfa);
	if (end != TIDE_STEP_ON)
		return end;
	return tide_unwind_caller(w, rule, cfa);
}

/* One frame: keep its address, go to its caller. The frame number is the loop's own, which the
 * verifier takes for any value; one of ours it would follow through all 127 rounds.
 */
static long tide_unwind_frame(__u32 i, void *ctx)
{
	struct tide_unwind_walk *w = ctx;
	struct tide_stack *stack = w->stack;
	int rule_id, end;

	if (i >= TIDE_MAX_FRAMES)
		return 1;
	stack->ip[i] = w->ip;
	stack->frame_cnt = i + 1;
	rule_id = tide_unwind_find_rule(w);
	end = rule_id < 0 ? -rule_id : tide_unwind_step(w, rule_id);
	if (end == TIDE_STEP_ON)
		return 0;
	stack->end = end;
	return 1;
}

/* Walks from regs, innermost frame first, max_frames at most; exact as in struct tide_unwind_walk.
 * Fills frame_cnt, end and ip[0 .. frame_cnt - 1] and leaves the rest of stack alone.
 */
TIDE_INLINE void tide_unwind(const struct tide_unwind_regs *regs, int exact, __u32 tgid,
			     __u32 max_frames, struct tide_stack *stack)
{
	const struct tide_unwind_map_block *block;
	struct tide_unwind_walk w = {
		.ip = regs->ip,
		.sp = regs->sp,
		.bp = regs->bp,
		.exact = exact,
		.stack = stack,
	};

	stack->end = TIDE_STACK_TOO_DEEP;
	stack->frame_cnt = 0;
	w.process = tide_env_process(tgid);
	if (w.process) {
		block = tide_env_map_block(w.process, 0);
		if (block)
			w.generation =
				(block->generation & ((1 << TIDE_UNWIND_GENERATION_BITS) - 1))
				<< TIDE_UNWIND_RULE_BITS;
	}
	tide_env_loop(max_frames, tide_unwind_frame, &w);
}

#endif
