/* What we need of an ELF file, read with pread alone and never trusted.
 *
 * Owns: nothing beyond one call. Never: trusts an offset, size or string of the file; maps it
 * (a file cut short under a mapping kills the reader); a malformed file gives -EBADMSG, never a
 * crash or a hang.
 * Threads: reentrant. Memory: symbols are read in pieces, a string table whole and only up to
 * TIDE_ELF_MAX_STRTAB_BYTES; at most TIDE_ELF_MAX_SYMBOLS of a table are looked at.
 */
#ifndef TIDE_TARGET_ELF_H
#define TIDE_TARGET_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIDE_ELF_MAX_SYMBOLS	  4000000
#define TIDE_ELF_MAX_STRTAB_BYTES (512u << 20)

struct tide_elf_info {
	bool is_64, is_x86_64, is_pie_or_dso; /* ET_DYN */
	bool has_interp;		      /* a dynamically linked executable */
	bool has_symtab, has_dynsym;
	bool is_go;	   /* has .go.buildinfo or .gopclntab */
	char soname[256];  /* "" when none */
	char build_id[65]; /* "" when none */
};

/* 0, -ENOEXEC (not ELF), -EBADMSG (malformed) or -errno. Of a 32-bit or big-endian file only
 * the first line of the info is filled.
 */
int tide_elf_read_info(int fd, struct tide_elf_info *ret);

struct tide_elf_symbol {
	uint64_t vaddr;
	uint64_t file_off; /* where a probe goes */
	uint64_t size;
};

/* Looks up defined functions by exact name: .dynsym first, then .symtab, local ones last. names[i]
 * not found leaves ret[i].file_off at 0. Returns the number found or a negative errno as above. Of
 * several versions of a name only the default one counts; symbols that are not in the file's
 * executable bytes do not count. A file of another class or byte order has none.
 */
int tide_elf_find_symbols(int fd, const char *const *names, size_t cnt,
			  struct tide_elf_symbol *ret);

/* A PT_LOAD segment. */
struct tide_elf_load {
	uint64_t vaddr, file_off, file_bytes, mem_bytes;
	bool exec;
};

/* The first max loadable segments in file order. Returns how many or a negative errno as above. */
int tide_elf_read_loads(int fd, struct tide_elf_load *ret, size_t max);

#endif
