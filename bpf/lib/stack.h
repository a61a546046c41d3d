/* A call's stack and its key.
 *
 * Owns: the key by which equal stacks are one site. The walk itself is unwind.h. Never: touches
 * maps other than the unwinder's.
 */
#ifndef TIDE_BPF_STACK_H
#define TIDE_BPF_STACK_H

#include "lib/maps.h"
#include "lib/unwind.h"

/* Mixes one frame into a stack's key: xor, multiply, fold (the step of wyhash's short form). */
static __always_inline __u64 stack_key_mix(__u64 key, __u64 ip)
{
	key = (key ^ ip) * 0x9e3779b97f4a7c15ULL;
	return key ^ (key >> 29);
}

/* Apart, so that the verifier sees the loop once. Returns the key of a stack, never 0. */
static __noinline __u64 stack_key(const struct tide_stack *stack)
{
	__u64 key = 0;

	if (!stack)
		return 1;
	for (__u32 i = 0; i < TIDE_MAX_FRAMES && i < stack->frame_cnt; i++)
		key = stack_key_mix(key, stack->ip[i]);
	key = stack_key_mix(key, stack->end);
	return key ? key : 1;
}

/* Fills stack from the state at an allocator's return: the caller's own, its pc a return address.
 */
static __always_inline __u64 stack_walk(const struct pt_regs *regs, struct tide_stack *stack)
{
	struct tide_unwind_regs start = {
		.ip = arch_return_addr_at_return(regs),
		.sp = arch_entry_sp_at_return(regs) + sizeof(__u64),
		.bp = arch_frame_pointer(regs),
	};

	tide_unwind(&start, 0, tide_config.tgid, tide_config.max_frames, stack);
	return stack_key(stack);
}

#endif
