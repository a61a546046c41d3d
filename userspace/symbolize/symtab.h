/* The function symbols of one module, sorted by address.
 *
 * Owns: the sorted table; names point into the module's Dwfl, which must outlive it.
 * Never: demangles. Threads: one user at a time; find is read-only.
 * Memory: 24 bytes a function symbol, at most TIDE_SYMTAB_MAX of them.
 */
#ifndef TIDE_SYMBOLIZE_SYMTAB_H
#define TIDE_SYMBOLIZE_SYMTAB_H

#include <elfutils/libdwfl.h>
#include <stddef.h>
#include <stdint.h>

#define TIDE_SYMTAB_MAX (4U << 20)

struct tide_symtab_entry {
	uint64_t start;
	uint64_t size_bytes; /* 0: hand-written assembly, reaches to the next symbol */
	const char *name;
};

struct tide_symtab {
	struct tide_symtab_entry *entries; /* one an address, ascending */
	size_t cnt;
};

/* Reads .symtab, .dynsym and .gnu_debugdata, whichever there are. 0 (also when there are
 * none) or -ENOMEM.
 */
int tide_symtab_init(struct tide_symtab *tab, Dwfl_Module *mod);
void tide_symtab_done(struct tide_symtab *tab);
/* The name of the function that holds addr (in the module's Dwfl address space), or NULL. */
const char *tide_symtab_find(const struct tide_symtab *tab, uint64_t addr);

#endif
