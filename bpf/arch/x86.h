/* x86-64: where a function's arguments, result and return address are.
 *
 * Owns: every use of a register name in bpf/. System V ABI: arguments in rdi rsi rdx rcx,
 * result in rax; the call instruction pushed the return address, so at a function's first
 * instruction it is at the top of the stack.
 */
#ifndef TIDE_BPF_ARCH_X86_H
#define TIDE_BPF_ARCH_X86_H

static __always_inline __u64 arch_arg(const struct pt_regs *regs, int n)
{
	switch (n) {
	case 0:
		return regs->di;
	case 1:
		return regs->si;
	case 2:
		return regs->dx;
	default:
		return regs->cx;
	}
}

static __always_inline __u64 arch_result(const struct pt_regs *regs)
{
	return regs->ax;
}

/* The stack pointer as it was at the function's entry, which identifies a call together with
 * its thread. In a return probe the return address has been popped already.
 */
static __always_inline __u64 arch_entry_sp(const struct pt_regs *regs)
{
	return regs->sp;
}

static __always_inline __u64 arch_entry_sp_at_return(const struct pt_regs *regs)
{
	return regs->sp - 8;
}

/* In a return probe the kernel has put the original return address into ip
 * (kernel/events/uprobes.c, handle_trampoline) although the stack slot held its trampoline.
 */
static __always_inline __u64 arch_return_addr_at_return(const struct pt_regs *regs)
{
	return regs->ip;
}

/* rbp is callee-saved: at the return it is the caller's, as at the entry. */
static __always_inline __u64 arch_frame_pointer(const struct pt_regs *regs)
{
	return regs->bp;
}

/* A frame of a frame-pointer chain: the caller's frame pointer, then the return address. */
struct arch_fp_frame {
	__u64 next_fp;
	__u64 return_addr;
};

#endif
