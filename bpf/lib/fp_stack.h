/* Call stacks by frame pointer: the first form.
 *
 *     higher addresses
 *     +----------------------+
 *     | return address       |   frame of main's caller
 *     | saved rbp        ----|--> 0 or garbage: the chain ends
 *     +----------------------+
 *     | return address       |   [rbp + 8]
 *     | saved rbp            |<-- rbp when the allocator returns (callee-saved)
 *     | locals of the caller |
 *     +----------------------+
 *     (the return address into the caller is in ip: always right)
 *
 * The immediate caller never depends on frame pointers. Everything above does: where a caller
 * keeps none, rbp holds an outer frame's pointer (a frame is skipped, which cannot be seen from
 * here) or something else (the walk stops and says so).
 */
#ifndef TIDE_BPF_FP_STACK_H
#define TIDE_BPF_FP_STACK_H

#include "lib/maps.h"

/* Frames of one thread are not farther apart than this; beyond it rbp is not a frame pointer. */
#define FP_MAX_FRAME_BYTES (64ULL << 20)

/* Mixes one frame into a stack's key: xor, multiply, fold (the step of wyhash's short form). */
static __always_inline __u64 stack_key_mix(__u64 key, __u64 ip)
{
	key = (key ^ ip) * 0x9e3779b97f4a7c15ULL;
	return key ^ (key >> 29);
}

static __always_inline bool fp_plausible(__u64 fp, __u64 above)
{
	return fp > above && fp - above < FP_MAX_FRAME_BYTES && !(fp & 7);
}

/* Fills stack from the state at an allocator's return. Returns its key, never 0. */
static __always_inline __u64 fp_stack_walk(const struct pt_regs *regs, struct tide_stack *stack)
{
	__u64 fp = arch_frame_pointer(regs), above = arch_entry_sp_at_return(regs);
	__u64 key = stack_key_mix(0, arch_return_addr_at_return(regs));
	struct arch_fp_frame frame;
	__u32 i;

	stack->ip[0] = arch_return_addr_at_return(regs);
	stack->end = TIDE_STACK_TOO_DEEP;
	for (i = 1; i < TIDE_MAX_FRAMES; i++) {
		if (i >= tide_config.max_frames)
			break;
		if (!fp) {
			stack->end = TIDE_STACK_COMPLETE;
			break;
		}
		if (!fp_plausible(fp, above)) {
			stack->end = TIDE_STACK_NO_FRAME_POINTER;
			break;
		}
		if (bpf_probe_read_user(&frame, sizeof(frame), (const void *)fp)) {
			stack->end = TIDE_STACK_UNREADABLE;
			break;
		}
		if (!frame.return_addr) {
			stack->end = TIDE_STACK_COMPLETE;
			break;
		}
		stack->ip[i] = frame.return_addr;
		key = stack_key_mix(key, frame.return_addr);
		above = fp;
		fp = frame.next_fp;
	}
	stack->frame_cnt = i;
	key ^= stack->end;
	return key ? key : 1;
}

#endif
