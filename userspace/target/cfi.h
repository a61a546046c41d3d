/* Call-frame information of .eh_frame, entry by entry (DWARF 5, 6.4; LSB 5.0, 10.6).
 *
 * Owns: nothing; it points into the caller's copy of the section. Never: reads outside it, takes
 * more than linear time. Threads: pure. Memory: about 2 KiB of stack.
 *
 * Why not libdw, which reads the same: its dwarf_cfi_addrframe() executes a function's program from
 * the start for every row, so time is quadratic in the length of a function, which a hostile
 * file chooses. One pass here gives all rows. A test compares the two, row by row.
 */
#ifndef TIDE_TARGET_CFI_H
#define TIDE_TARGET_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/unwind.h"

struct tide_cfi_section {
	const uint8_t *data;
	size_t size;
	uint64_t vaddr; /* of data[0] */
};

/* A function's entry. */
struct tide_cfi_fde {
	uint64_t start, end; /* of its code, ELF virtual addresses */
	uint32_t off;	     /* of its first instruction in the section */
	uint32_t instr_bytes;
	uint32_t cie_off;
};

/* Reads the entry at *off and moves *off behind it. 1: *ret is a function; 0: something else (a
 * CIE, the terminator, a function in a form we skip, which counts in *skipped); -ENODATA: the
 * section's end; -EBADMSG: nothing more can be read.
 */
int tide_cfi_next(const struct tide_cfi_section *s, size_t *off, struct tide_cfi_fde *ret,
		  uint64_t *skipped);

/* Called for every row of a function, ascending: from vaddr on rule holds. Not 0 stops. */
typedef int (*tide_cfi_row_fn)(void *arg, uint64_t vaddr, const struct tide_unwind_rule *rule);

/* Executes a function's program. 0, -EBADMSG, or what row returned. */
int tide_cfi_run(const struct tide_cfi_section *s, const struct tide_cfi_fde *fde,
		 tide_cfi_row_fn row, void *arg);

#endif
