/* Names and lines of Go functions from .gopclntab, which no stripping removes.
 *
 * Owns: nothing; the table's bytes must outlive it, and names point into them.
 * Never: trusts the table: every offset is checked, every walk has a budget.
 * Threads: read-only once made. Memory: none.
 */
#ifndef TIDE_SYMBOLIZE_GOPCLNTAB_H
#define TIDE_SYMBOLIZE_GOPCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tide_gopclntab_part {
	const uint8_t *bytes;
	size_t len;
};

struct tide_gopclntab {
	struct tide_gopclntab_part names, units, files, values, functions;
	uint64_t text_vaddr; /* what function addresses count from */
	uint64_t function_cnt;
	uint32_t quantum;     /* least size of an instruction */
	uint32_t field_bytes; /* of an entry of the function table */
	bool text_known;      /* false: the file leaves it to relocation, and the caller to set */
};

struct tide_gopclntab_name {
	const char *function; /* NULL when unknown */
	const char *file;     /* NULL when unknown */
	uint32_t line;	      /* 0 when unknown */
};

/* Where in the table the linker states text_vaddr, since Go 1.18. */
#define TIDE_GOPCLNTAB_TEXT_OFF 24

/* 64-bit little-endian tables of Go 1.16 on. 0, or -EBADMSG for any others. */
int tide_gopclntab_init(struct tide_gopclntab *tab, const void *bytes, size_t len);
/* The function that holds vaddr, and where vaddr is in its source; false: none does. */
bool tide_gopclntab_find(const struct tide_gopclntab *tab, uint64_t vaddr,
			 struct tide_gopclntab_name *ret);

#endif
