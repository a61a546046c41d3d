/* Return addresses to names, with elfutils' libdwfl.
 *
 * Owns: one Dwfl session a module over its open descriptor, made when first needed; a cache by
 * return address. Never: reads the target's memory; runs on the draining thread; touches the
 * network (debuginfod) unless told to.
 * Threads: one user at a time.
 * Memory: the cache holds at most 65536 addresses (then its oldest half is dropped), the names
 * TIDE_STRINGS_MAX_BYTES (later names are unknown); per module see symtab.h and dwarf.h.
 */
#ifndef TIDE_SYMBOLIZE_SYMBOLIZE_H
#define TIDE_SYMBOLIZE_SYMBOLIZE_H

#include <stddef.h>
#include <stdint.h>

#include "target/maps.h"
#include "target/proc.h"

struct tide_symbolizer;

/* One resolved name; strings belong to the symbolizer and live until it is freed. */
struct tide_symbol {
	const char *function; /* demangled; NULL when unknown */
	const char *file;     /* NULL when unknown */
	const char *module;   /* path as the target sees it; NULL when the address is in no file */
	const char *build_id; /* NULL when none */
	uint64_t offset;      /* file offset of the address, or the address itself without module */
	uint32_t line;
	bool inlined; /* inlined into the following symbol */
};

#define TIDE_MAX_INLINED 32

/* mods must outlive the symbolizer; new modules found by tide_modules_update() are used. */
int tide_symbolizer_new(struct tide_modules *mods, struct tide_symbolizer **ret);
void tide_symbolizer_free(struct tide_symbolizer **sym);
/* Names code that is in no file from the list its compiler keeps for perf (perf_map.h). proc is
 * used during the call only. 0 or -ENOMEM.
 */
int tide_symbolizer_use_perf_map(struct tide_symbolizer *sym, const struct tide_proc *proc);
/* From here on debug files that are not on this machine are fetched (debuginfod.h). */
void tide_symbolizer_use_debuginfod(struct tide_symbolizer *sym);
/* To be called before each report: looks whether that list has grown. */
void tide_symbolizer_refresh(struct tide_symbolizer *sym);
/* Names for a return address: the code before it (address - 1) is what called. Fills at most
 * TIDE_MAX_INLINED symbols, innermost inlined function first, the physical one last. Returns
 * their number (at least 1: an unknown address gives one symbol with NULL names) or -ENOMEM.
 */
int tide_symbolizer_resolve(struct tide_symbolizer *sym, uint64_t return_addr,
			    struct tide_symbol *ret);
/* C++ (Itanium) and Rust (legacy and v0) names to readable ones, Rust's hash suffix dropped; any
 * other name is copied. malloc'ed; NULL only when out of memory. Pure.
 */
char *tide_demangle(const char *name);

#endif
