/* Which allocators a process has, and where their functions are.
 *
 * Owns: a list of (module, function, file offset). Never: probes anything.
 * Threads: reentrant. Memory: TIDE_MAX_ALLOCATORS entries.
 *
 * An allocator is a mapped module that defines malloc and free: libc, musl, a preloaded or
 * linked replacement, a static executable with symbols. Every such module is listed (several
 * at once is normal); the dynamic loader's private malloc is not, musl's (loader and libc in
 * one file) is.
 */
#ifndef TIDE_TARGET_ALLOCATORS_H
#define TIDE_TARGET_ALLOCATORS_H

#include <stdint.h>

#include "bpf/abi/alloc_fn.h"
#include "target/maps.h"

#define TIDE_MAX_ALLOCATORS 16

struct tide_alloc_point {
	enum tide_alloc_fn fn;
	uint64_t file_off;
};

struct tide_allocator {
	uint32_t module_id;
	char name[64]; /* "glibc", "musl", "jemalloc", "tcmalloc", "mimalloc", else the file's base
			  name */
	struct tide_alloc_point
		points[TIDE_FN_CNT]; /* one per distinct file offset: aliases once */
	uint32_t point_cnt;
};

struct tide_allocators {
	struct tide_allocator list[TIDE_MAX_ALLOCATORS];
	uint32_t cnt;
	bool truncated;
	bool main_is_go;     /* the executable is a Go program */
	bool main_is_static; /* no interpreter */
	bool main_stripped;  /* static and without a symbol table: its malloc cannot be found */
};

/* Examines every module. 0 (cnt may be 0) or -errno. */
int tide_allocators_find(const struct tide_modules *mods, struct tide_allocators *ret);

#endif
