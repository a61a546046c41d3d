/* From an ELF file's .eh_frame to an unwind table.
 *
 * Owns: nothing beyond one call. Never: trusts the file; a malformed one gives an error, in time
 * and memory linear in its .eh_frame. Reads with pread, so that a file cut short meanwhile is an
 * error and no signal. Threads: reentrant, but for the rule set. Memory: the section (at most
 * TIDE_EHFRAME_MAX_BYTES), 32 bytes a function, and the image.
 */
#ifndef TIDE_TARGET_EHFRAME_H
#define TIDE_TARGET_EHFRAME_H

#include <stddef.h>
#include <stdint.h>

#include "target/unwind_image.h"

#define TIDE_EHFRAME_MAX_BYTES (256U << 20)

/* Executable segments; linkers make one or two. */
#define TIDE_EHFRAME_MAX_EXEC 16

struct tide_ehframe_segment {
	uint64_t file_off, file_bytes, vaddr;
};

struct tide_ehframe_info {
	struct tide_ehframe_segment exec[TIDE_EHFRAME_MAX_EXEC];
	size_t exec_cnt;
	uint64_t fde_cnt;
	uint64_t skipped_cnt;	  /* functions whose entry could not be read */
	uint64_t unsupported_cnt; /* rows with a rule of a form we do not evaluate */
	uint64_t lost_fp_cnt;	  /* rows after which rbp is unknown */
};

/* Compiles an ELF file, or one that lies in memory (the vDSO). 0, -ENOEXEC (not an ELF file for
 * x86-64), -ENODATA (no .eh_frame in it; info->exec is valid), -EBADMSG (malformed), -EFBIG,
 * -ENOMEM or -errno. info is always written.
 */
int tide_ehframe_compile_fd(int fd, struct tide_unwind_rules *rules, struct tide_unwind_image *ret,
			    struct tide_ehframe_info *info);
int tide_ehframe_compile_mem(const void *data, size_t size, struct tide_unwind_rules *rules,
			     struct tide_unwind_image *ret, struct tide_ehframe_info *info);

/* The ELF virtual address of what an executable mapping of file offset file_off has there. 0 or
 * -ENOENT.
 */
int tide_ehframe_vaddr(const struct tide_ehframe_info *info, uint64_t file_off,
		       uint64_t *ret_vaddr);

#endif
