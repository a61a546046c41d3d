/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The unwinder alone, and what it is compared with, each at the entry of the same function. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "arch/x86.h"
#include "lib/unwind.h"
#include "tests/bench/unwind/unwind_bench.h"

char LICENSE[] SEC("license") = "GPL";

/* include/uapi/linux/bpf.h; Tidemark's own vmlinux.h has what Tidemark uses. */
#define BPF_MAP_TYPE_STACK_TRACE 7
#define BPF_F_USER_STACK	 (1ULL << 8)

struct unwind_bench_vars vars;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tide_stack);
} bench_stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, TIDE_MAX_FRAMES * sizeof(__u64));
} bench_stackids SEC(".maps");

static __always_inline struct tide_stack *room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&bench_stack, &zero);
}

/* At a function's first instruction: its caller's registers. */
static __always_inline void caller_of(const struct pt_regs *ctx, struct tide_unwind_regs *ret)
{
	bpf_probe_read_user(&ret->ip, sizeof(ret->ip), (const void *)ctx->sp);
	ret->sp = ctx->sp + sizeof(ret->ip);
	ret->bp = ctx->bp;
}

SEC("uprobe")
int unwind_warm(struct pt_regs *ctx)
{
	struct tide_stack *stack = room();
	struct tide_unwind_regs regs = {};

	if (!stack)
		return 0;
	caller_of(ctx, &regs);
	tide_unwind(&regs, 0, vars.watched_tgid, TIDE_MAX_FRAMES, stack);
	vars.frame_cnt = stack->frame_cnt;
	vars.end = stack->end;
	return 0;
}

/* Generation 0 keeps the memo out: every frame is looked up in the tables. */
SEC("uprobe")
int unwind_cold(struct pt_regs *ctx)
{
	struct tide_unwind_regs regs = {};
	struct tide_unwind_walk walk = {.stack = room()};

	if (!walk.stack)
		return 0;
	caller_of(ctx, &regs);
	walk.ip = regs.ip;
	walk.sp = regs.sp;
	walk.bp = regs.bp;
	walk.process = tide_env_process(vars.watched_tgid);
	walk.stack->frame_cnt = 0;
	walk.stack->end = TIDE_STACK_TOO_DEEP;
	tide_env_loop(TIDE_MAX_FRAMES, tide_unwind_frame, &walk);
	vars.frame_cnt = walk.stack->frame_cnt;
	vars.end = walk.stack->end;
	return 0;
}

SEC("uprobe")
int stackid(struct pt_regs *ctx)
{
	bpf_get_stackid(ctx, &bench_stackids, BPF_F_USER_STACK);
	return 0;
}

/* How many frames stackid meets. */
SEC("uprobe")
int count(struct pt_regs *ctx)
{
	struct tide_stack *stack = room();
	long bytes;

	if (!stack)
		return 0;
	bytes = bpf_get_stack(ctx, stack->ip, sizeof(stack->ip), BPF_F_USER_STACK);
	vars.frame_cnt = bytes > 0 ? bytes / sizeof(__u64) : 0;
	return 0;
}
