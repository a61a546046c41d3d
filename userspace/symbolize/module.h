/* One ELF file's names: symbol table and DWARF, by file offset.
 *
 * Owns: a Dwfl session for this file alone, at bias 0, so that where (and how often, and for how
 * long) the target has mapped it does not matter.
 * Never: searches for files except in /usr/lib/debug and, by build id, beside the file; uses
 * the network (debuginfod) without may_fetch, whatever the environment says.
 * Threads: one user at a time.
 * Memory: elfutils maps the file and its debug file; tables as in symtab.h and dwarf.h.
 */
#ifndef TIDE_SYMBOLIZE_MODULE_H
#define TIDE_SYMBOLIZE_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/dwarf.h"

struct tide_name_module;

/* fd stays the caller's and must stay open as long as the module. 0, -ENOMEM, or -ENOEXEC when
 * libdwfl cannot use the file; *ret is untouched on failure.
 */
int tide_name_module_new(const char *path, int fd, bool may_fetch, struct tide_name_module **ret);
void tide_name_module_free(struct tide_name_module **module);
/* Fills at most max_cnt (> 0) levels for the code at file_off, as tide_dwarf_find(); a function
 * that DWARF does not know is named from the symbol table. Returns their number, 0: unknown,
 * also when the file's size is no longer what it was.
 */
size_t tide_name_module_find(struct tide_name_module *module, uint64_t file_off,
			     struct tide_dwarf_level *ret, size_t max_cnt);

#endif
