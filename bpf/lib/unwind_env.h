/* What the unwinder needs of its surroundings, once for the kernel and once for a host program.
 *
 * Owns: the unwind maps (in BPF). Never: unwinding, that is unwind.h. In a host program
 * (TIDE_UNWIND_NATIVE) the same functions are supplied by whoever includes unwind.h, so that
 * tests run the very same code over recorded stacks, under sanitizers and in a debugger.
 * Memory: rules 128 KiB and memo 32 KiB per load; the rest is allocated with each process and
 * object and freed with it (map in map).
 */
#ifndef TIDE_LIB_UNWIND_ENV_H
#define TIDE_LIB_UNWIND_ENV_H

/* The compiler must not know the value: keeps it from turning arithmetic into branches. */
#define tide_opaque(v) __asm__ volatile("" : "+r"(v))

#ifdef TIDE_UNWIND_NATIVE

#include "bpf/abi/event.h"
#include "bpf/abi/unwind.h"

#define TIDE_INLINE   static inline
#define TIDE_NOINLINE static

const void *tide_env_process(__u32 tgid);
const struct tide_unwind_map_block *tide_env_map_block(const void *process, __u32 idx);
const void *tide_env_object(__u32 slot);
const struct tide_unwind_block *tide_env_block(const void *object, __u32 idx);
const struct tide_unwind_rule *tide_env_rule(__u32 id);
__u64 *tide_env_memo(__u32 slot);
int tide_env_read(void *dst, __u32 size_bytes, __u64 addr);

#define tide_env_loop(cnt, fn, ctx)                  \
	do {                                         \
		for (__u32 i_ = 0; i_ < (cnt); i_++) \
			if ((fn)(i_, (ctx)))         \
				break;               \
	} while (0)

#else

#include "bpf/abi/event.h"
#include "bpf/abi/unwind.h"

#define TIDE_INLINE   static __always_inline
#define TIDE_NOINLINE static __noinline

/* Inner maps differ in size: BPF_F_INNER_MAP (Linux 5.10) allows it for arrays. Sizes, not types:
 * clang 14 leaves the types of an inner map without their definition in BTF.
 */
struct tide_unwind_object_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct tide_unwind_block));
};

struct tide_unwind_process_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct tide_unwind_map_block));
};

/* Key: object slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TIDE_UNWIND_MAX_OBJECTS);
	__type(key, __u32);
	__array(values, struct tide_unwind_object_map);
} tide_uw_objects __weak SEC(".maps");

/* Key: tgid as the target's own namespace of the kernel counts it (bpf_get_current_pid_tgid). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, TIDE_UNWIND_MAX_PROCS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__array(values, struct tide_unwind_process_map);
} tide_uw_procs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TIDE_UNWIND_MAX_RULES);
	__type(key, __u32);
	__type(value, struct tide_unwind_rule);
} tide_uw_rules __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << TIDE_UNWIND_LG_MEMO);
	__type(key, __u32);
	__type(value, __u64);
} tide_uw_memo __weak SEC(".maps");

TIDE_INLINE void *tide_env_process(__u32 tgid)
{
	return bpf_map_lookup_elem(&tide_uw_procs, &tgid);
}

TIDE_INLINE const struct tide_unwind_map_block *tide_env_map_block(void *process, __u32 idx)
{
	return bpf_map_lookup_elem(process, &idx);
}

TIDE_INLINE void *tide_env_object(__u32 slot)
{
	return bpf_map_lookup_elem(&tide_uw_objects, &slot);
}

TIDE_INLINE const struct tide_unwind_block *tide_env_block(void *object, __u32 idx)
{
	return bpf_map_lookup_elem(object, &idx);
}

TIDE_INLINE const struct tide_unwind_rule *tide_env_rule(__u32 id)
{
	return bpf_map_lookup_elem(&tide_uw_rules, &id);
}

TIDE_INLINE __u64 *tide_env_memo(__u32 slot)
{
	return bpf_map_lookup_elem(&tide_uw_memo, &slot);
}

TIDE_INLINE int tide_env_read(void *dst, __u32 size_bytes, __u64 addr)
{
	return bpf_probe_read_user(dst, size_bytes, (const void *)addr) ? -1 : 0;
}

#define tide_env_loop(cnt, fn, ctx) bpf_loop((cnt), (fn), (ctx), 0)

#endif

#endif
