/* The few kernel types that Tidemark's BPF programs use.
 *
 * Owns: fixed-width types, the UAPI constants of BPF maps and helpers, pt_regs, and the parts
 * of kernel structs that we read. Structs marked CO-RE are relocated at load time by field
 * name, so their layout here does not matter; `make check` holds each field against the
 * running kernel's BTF. A dump of all of vmlinux would be three megabytes of what we never use.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
enum { false, true };

/* include/uapi/linux/bpf.h: the numbers are ABI. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_HASH_OF_MAPS = 13,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_INNER_MAP = 4096 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

struct bpf_pidns_info {
	__u32 pid;
	__u32 tgid;
};

/* arch/x86/include/asm/ptrace.h, struct pt_regs: what a uprobe program gets as its context.
 * Fixed layout (the context is not relocated); checked against BTF offset by offset.
 */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads of the group that have not begun to exit */
};

struct task_struct {
	int pid;
	int tgid;
	struct signal_struct *signal;
};

#pragma clang attribute pop

#endif
