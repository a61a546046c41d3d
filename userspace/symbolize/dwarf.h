/* From an address to source: functions, inlined calls, file and line, out of DWARF.
 *
 * Owns: an address index over one Dwarf: compile units at once, the functions of a unit when
 * it is first asked for. The Dwarf must outlive it. Names returned point into the Dwarf.
 * Never: demangles; trusts the file: every walk has a budget, no recursion follows its shape.
 * Threads: one user at a time.
 * Memory: 24 bytes a range; at most TIDE_DWARF_MAX_RANGES ranges in all.
 */
#ifndef TIDE_SYMBOLIZE_DWARF_H
#define TIDE_SYMBOLIZE_DWARF_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

#define TIDE_DWARF_MAX_RANGES (4U << 20)

struct tide_dwarf;

/* One level of an address: the innermost inlined function first, the physical one last. */
struct tide_dwarf_level {
	const char *name; /* mangled for C++ and Rust; NULL when unknown */
	const char *file; /* where this level is executing; NULL when unknown */
	uint32_t line;
};

/* 0 or -ENOMEM; *ret is untouched on failure. */
int tide_dwarf_new(Dwarf *dwarf, struct tide_dwarf **ret);
void tide_dwarf_free(struct tide_dwarf **index);
/* Fills at most max_cnt (> 0) levels for addr, an address of the Dwarf. Returns their number; 0
 * when the Dwarf does not know it. A single level without a name: only the line was found.
 */
size_t tide_dwarf_find(struct tide_dwarf *index, Dwarf_Addr addr, struct tide_dwarf_level *ret,
		       size_t max_cnt);

#endif
