/* The malloc family: entry and return probes keep the live map, the site totals and the feed.
 *
 * The live map is the truth. Its entry for an address is written only while the address belongs
 * to the thread that writes it:
 *
 *   thread A                                  thread B
 *   free(X) entry: X leaves the map
 *   ... the allocator takes X back ...
 *                                             malloc() returns X: X enters the map
 *
 * A free is taken at its entry (afterwards the address may be anybody's) and an allocation at its
 * return. realloc is both, so it takes its old block out at the entry and keeps it with
 * the thread; at the return it either accounts it as freed or, when realloc failed, puts it
 * back. Whoever gets the old address in between enters it unharmed:
 *
 *   realloc(X) entry: X leaves the map
 *   ... moves the bytes to Y, frees X ...     malloc() returns X: X enters the map
 *   return Y: Y enters the map; X is not touched any more
 *
 * The ring is a feed of these changes. Records of two threads may be in another order than the
 * changes, so a block is known by (address, birth): see userspace/retain/retain.h. The record
 * of an allocation is always before that of the same block's free, because the program learns
 * the address only after the return probe.
 *
 * Nesting. An allocator function may call another (calloc calling malloc, reallocarray jumping to
 * realloc). Only the outermost call counts. A call is known by its thread and the stack
 * pointer at its entry: deeper calls have a lower one, a tail call has the same one, and a
 * higher one means that the return of the earlier call was never seen (longjmp, a missed probe).
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "abi/alloc_fn.h"
#include "arch/x86.h"
#include "lib/emit.h"
#include "lib/stack.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline struct tide_thread *thread_get(bool create)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid(), zero = 0;
	struct tide_thread *thread;
	const void *fresh;

	thread = bpf_map_lookup_elem(&tide_threads, &tid);
	if (thread || !create)
		return thread;
	fresh = bpf_map_lookup_elem(&tide_zero_thread, &zero);
	if (!fresh || bpf_map_update_elem(&tide_threads, &tid, fresh, BPF_ANY)) {
		stat_add(TIDE_STAT_PENDING_FULL);
		return 0;
	}
	return bpf_map_lookup_elem(&tide_threads, &tid);
}

/* A tracked block has gone: totals and feed. The map entry was removed by the caller, which
 * holds its copy.
 */
static __always_inline void block_freed(__u64 addr, const struct tide_live_block *block,
					__u64 ts_ns)
{
	struct tide_site_totals *totals;

	totals = bpf_map_lookup_elem(&tide_sites, &block->stack_key);
	if (totals) {
		__sync_fetch_and_add(&totals->free_cnt, 1);
		__sync_fetch_and_add(&totals->free_bytes, block->block_bytes);
	}
	stat_add(TIDE_STAT_FREES);
	emit_block(TIDE_REC_FREE, addr, block, ts_ns);
}

/* Puts a block into the live map. An entry that is there already is a block whose free we did
 * not see (some allocators free by functions of their own): it is accounted first.
 */
static __always_inline int live_insert(__u64 addr, const struct tide_live_block *block)
{
	/* int, not the helper's long: until Linux 6.4 map operations that the verifier calls
	 * directly return an int, and the upper half of the register is zero.
	 */
	struct tide_live_block *known, gone;
	int err;

	err = (int)bpf_map_update_elem(&tide_live, &addr, block, BPF_NOEXIST);
	if (err == -17 /* EEXIST */) {
		known = bpf_map_lookup_elem(&tide_live, &addr);
		if (known) {
			gone = *known;
			stat_add(TIDE_STAT_BLOCK_REPLACED);
			block_freed(addr, &gone, block->birth_ns);
		}
		err = (int)bpf_map_update_elem(&tide_live, &addr, block, BPF_ANY);
	}
	if (err == -7 /* E2BIG */)
		stat_add(TIDE_STAT_BLOCKS_FULL);
	else if (err)
		stat_add(TIDE_STAT_BLOCKS_NOMEM);
	return err;
}

/* Makes sure that the stack has a site; returns the key to charge, 0 when there is no room. */
static __always_inline __u64 site_for(const struct tide_stack *stack, __u64 key)
{
	static const struct tide_site_totals none;

	if (bpf_map_lookup_elem(&tide_sites, &key))
		return key;
	if (bpf_map_update_elem(&tide_stacks, &key, stack, BPF_ANY) ||
	    (int)bpf_map_update_elem(&tide_sites, &key, &none, BPF_NOEXIST) == -7 /* E2BIG */) {
		stat_add(TIDE_STAT_SITES_FULL);
		return 0;
	}
	return key;
}

/* A stack leads into code that userspace does not know yet (a dlopen, most likely). Said once until
 * it has looked.
 */
static __always_inline void ask_for_tables(void)
{
	__u64 ids = bpf_get_current_pid_tgid();

	if (tide_shared.unmapped_told)
		return;
	tide_shared.unmapped_told = 1;
	emit_life(TIDE_REC_UNMAPPED, ids >> 32, (__u32)ids);
}

static __always_inline void block_allocated(const struct pt_regs *regs, struct tide_thread *thread,
					    __u64 addr)
{
	struct tide_live_block block = {.block_bytes = thread->bytes};
	struct tide_site_totals *totals;
	__u64 key;

	key = stack_walk(regs, &thread->stack);
	stat_add(TIDE_STAT_OF_END(thread->stack.end));
	if (thread->stack.end != TIDE_STACK_COMPLETE)
		stat_add(TIDE_STAT_STACK_TRUNCATED);
	if (thread->stack.end == TIDE_STACK_NO_MAPPING)
		ask_for_tables();
	block.stack_key = site_for(&thread->stack, key);
	block.birth_ns = bpf_ktime_get_ns();
	if (live_insert(addr, &block))
		return;
	totals = bpf_map_lookup_elem(&tide_sites, &block.stack_key);
	if (totals) {
		__sync_fetch_and_add(&totals->alloc_cnt, 1);
		__sync_fetch_and_add(&totals->alloc_bytes, block.block_bytes);
	}
	stat_add(TIDE_STAT_ALLOCS);
	emit_block(TIDE_REC_ALLOC, addr, &block, block.birth_ns);
}

/* realloc: takes the old block out of the live map into the thread's keeping. */
static __always_inline void old_block_take(struct tide_thread *thread, __u64 addr)
{
	struct tide_live_block *known;

	if (!addr)
		return;
	known = bpf_map_lookup_elem(&tide_live, &addr);
	if (!known)
		return;
	thread->old = *known;
	thread->old_addr = addr;
	bpf_map_delete_elem(&tide_live, &addr);
}

/* realloc failed (or its return was never seen): the old block lives on. */
static __always_inline void old_block_restore(struct tide_thread *thread)
{
	struct tide_live_block block;
	__u64 addr = thread->old_addr;

	if (!addr)
		return;
	block = thread->old;
	thread->old_addr = 0;
	if (!live_insert(addr, &block))
		emit_block(TIDE_REC_RESTORE, addr, &block, bpf_ktime_get_ns());
}

static __always_inline void old_block_free(struct tide_thread *thread)
{
	struct tide_live_block block;
	__u64 addr = thread->old_addr;

	if (!addr)
		return;
	block = thread->old;
	thread->old_addr = 0;
	block_freed(addr, &block, bpf_ktime_get_ns());
}

/* Begins a call of an allocating function. Returns the thread when it is an outermost call. */
static __always_inline struct tide_thread *call_begin(const struct pt_regs *regs, __u32 fn,
						      __u64 bytes)
{
	__u64 sp = arch_entry_sp(regs);
	struct tide_thread *thread;

	thread = thread_get(true);
	if (!thread)
		return 0;
	if (thread->entry_sp && sp < thread->entry_sp) {
		stat_add(TIDE_STAT_NESTED);
		return 0;
	}
	/* The same stack pointer and another function is a tail call: it takes over, and with it
	 * the old block of a realloc. Anything else is a call whose return was not seen.
	 */
	if (thread->entry_sp && (sp > thread->entry_sp || thread->fn == fn)) {
		stat_add(TIDE_STAT_PENDING_STALE);
		old_block_restore(thread);
	}
	thread->entry_sp = sp;
	thread->bytes = bytes;
	thread->fn = fn;
	thread->skip = bytes < tide_config.min_bytes;
	return thread;
}

static __always_inline void call_end(const struct pt_regs *regs, struct tide_thread *thread,
				     __u64 addr)
{
	bool resize = thread->fn == TIDE_FN_REALLOC || thread->fn == TIDE_FN_REALLOCARRAY;

	thread->entry_sp = 0;
	if (addr) {
		old_block_free(thread);
		if (!thread->skip)
			block_allocated(regs, thread, addr);
	} else if (resize && !thread->bytes) {
		/* glibc: realloc(p, 0) frees and returns NULL. */
		old_block_free(thread);
	} else {
		stat_add(TIDE_STAT_ALLOC_FAILED);
		old_block_restore(thread);
	}
}

/* The thread when this return belongs to the outermost call that is being followed. */
static __always_inline struct tide_thread *call_returning(const struct pt_regs *regs)
{
	struct tide_thread *thread;

	stat_add(TIDE_STAT_HITS);
	thread = thread_get(false);
	if (!thread || !thread->entry_sp || thread->entry_sp != arch_entry_sp_at_return(regs))
		return 0;
	return thread;
}

/* count * size; on overflow the call fails by itself, so any value will do. The barrier keeps
 * clang from using a 128-bit multiplication, which BPF does not have.
 */
static __always_inline __u64 mul_bytes(__u64 count, __u64 size)
{
	__u64 bytes = count * size;

	barrier_var(bytes);
	if (count && bytes / count != size)
		return ~0ULL;
	return bytes;
}

/* What an allocating function was called with: where it is depends on the function's shape. */
struct call_args {
	__u64 bytes;
	__u64 old_addr;	 /* realloc's block, 0 for the others */
	__u64 result_at; /* posix_memalign's place for the result, 0 for the others */
};

static __always_inline struct call_args read_args(const struct pt_regs *regs, __u32 fn)
{
	__u64 first = arch_arg(regs, 0), second = arch_arg(regs, 1), third = arch_arg(regs, 2);

	switch (fn) {
	case TIDE_FN_CALLOC:
		return (struct call_args){.bytes = mul_bytes(first, second)};
	case TIDE_FN_ALIGNED_ALLOC:
	case TIDE_FN_MEMALIGN:
		return (struct call_args){.bytes = second};
	case TIDE_FN_POSIX_MEMALIGN:
		return (struct call_args){.bytes = third, .result_at = first};
	case TIDE_FN_REALLOC:
		return (struct call_args){.bytes = second, .old_addr = first};
	case TIDE_FN_REALLOCARRAY:
		return (struct call_args){.bytes = mul_bytes(second, third), .old_addr = first};
	default:
		return (struct call_args){.bytes = first};
	}
}

static __always_inline void enter_alloc(const struct pt_regs *regs, __u32 fn)
{
	struct call_args args = read_args(regs, fn);
	struct tide_thread *thread = call_begin(regs, fn, args.bytes);

	if (!thread)
		return;
	thread->result_at = args.result_at;
	old_block_take(thread, args.old_addr);
}

static __always_inline void enter_free(__u64 addr)
{
	struct tide_live_block *known, block;

	if (!addr)
		return;
	known = bpf_map_lookup_elem(&tide_live, &addr);
	if (!known) {
		stat_add(TIDE_STAT_FREE_UNTRACKED);
		return;
	}
	block = *known; /* before the delete: the entry may be reused at once */
	if (!bpf_map_delete_elem(&tide_live, &addr))
		block_freed(addr, &block, bpf_ktime_get_ns());
}

/* One program for all entries and one for all returns: each program is one link where the kernel
 * has multi-uprobes, and every link costs a grace period (about 0.1 s) when it is removed.
 * Their attach type is set at load (userspace/probe/loader.c).
 */
SEC("uprobe")
int tide_enter(struct pt_regs *ctx)
{
	__u32 fn = (__u32)bpf_get_attach_cookie(ctx);

	stat_add(TIDE_STAT_HITS);
	if (!tide_shared.enabled)
		return 0;
	if (fn == TIDE_FN_FREE || fn == TIDE_FN_CFREE)
		enter_free(arch_arg(ctx, 0));
	else
		enter_alloc(ctx, fn);
	return 0;
}

SEC("uretprobe")
int tide_leave(struct pt_regs *ctx)
{
	struct tide_thread *thread = call_returning(ctx);
	__u64 addr = arch_result(ctx);

	if (!thread)
		return 0;
	if (thread->fn == TIDE_FN_POSIX_MEMALIGN) {
		bool ok = !(__u32)addr;

		addr = 0;
		if (ok && bpf_probe_read_user(&addr, sizeof(addr), (const void *)thread->result_at))
			stat_add(TIDE_STAT_RESULT_UNREADABLE);
	}
	call_end(ctx, thread, addr);
	return 0;
}
