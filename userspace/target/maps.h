/* The mappings of a process, and the files behind its executable ones.
 *
 * Owns: parsed lines of /proc/PID/maps, and one open descriptor per distinct mapped ELF file,
 * so that probes and names still find it after an upgrade, an unlink or the process's end.
 * Never: writes; follows a path outside the target's own root.
 * Threads: one user at a time. Memory: at most TIDE_MAX_MAPPINGS lines, TIDE_MAX_MODULES files;
 * reaching a bound is flagged in the object.
 */
#ifndef TIDE_TARGET_MAPS_H
#define TIDE_TARGET_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/proc.h"

#define TIDE_MAX_MAPPINGS 65536
#define TIDE_MAX_MODULES  4096

struct tide_mapping {
	uint64_t start, end; /* [start, end) */
	uint64_t file_off;
	uint64_t inode; /* 0: not a file */
	uint32_t dev_major, dev_minor;
	bool read, write, exec, shared, deleted;
	uint32_t path_off; /* into tide_maps.paths; the path without " (deleted)" */
};

/* Parses one line of /proc/PID/maps without its newline. Pure. On success ret_path points
 * into line (empty when there is none). 0 or -EINVAL.
 */
int tide_mapping_parse(const char *line, struct tide_mapping *ret, const char **ret_path,
		       size_t *ret_path_len);

struct tide_maps {
	struct tide_mapping *mappings; /* ascending */
	size_t cnt;
	char *paths;
	size_t paths_sz;
	bool truncated; /* TIDE_MAX_MAPPINGS was reached */
};

/* Reads all mappings. 0 or -errno (-ESRCH when the process has gone). */
int tide_maps_read(pid_t tgid, struct tide_maps *ret);
void tide_maps_done(struct tide_maps *maps);
const char *tide_mapping_path(const struct tide_maps *maps, const struct tide_mapping *m);
/* The mapping that holds addr, or NULL. */
const struct tide_mapping *tide_maps_find(const struct tide_maps *maps, uint64_t addr);

/* ---- The module table (modules.c; module_open.c opens the files) ----
 *
 * A module is a file that the process has mapped executable and that begins as an ELF file does,
 * or the vDSO. One per (dev, inode). Mapped files that are no ELF file (code caches) are left out.
 */
struct tide_module {
	char *path; /* as the target sees it; "[vdso]" for the vDSO */
	int fd;	    /* O_RDONLY|O_CLOEXEC, -1 when it could not be opened, and for the vDSO */
	uint64_t dev, inode; /* of the maps line; dev as makedev() */
	char build_id[65];   /* lower-case hex, "" when none */
	bool deleted;
	uint32_t id; /* stable index within the module table */
};

/* An executable range of a module's file in the target. Ranges are kept after the module is
 * unmapped, newest first, so that a stack taken before a dlclose still resolves.
 */
struct tide_range {
	uint64_t start, end, file_off;
	uint32_t module_id;
};

#define TIDE_MAX_OLD_RANGES 4096

struct tide_modules;

int tide_modules_new(struct tide_modules **ret);
void tide_modules_free(struct tide_modules **mods);
/* Adds what the process has mapped executable now. Files are opened through proc's root, checked
 * by device and inode, else through /proc/PID/map_files (which also finds deleted ones).
 * Returns the number of new modules or -errno; on failure the ranges are as before. Modules and
 * their ids never go away; pointers to modules stay valid for the table's life, pointers to
 * ranges until the next update.
 */
int tide_modules_update(struct tide_modules *mods, const struct tide_proc *proc);
size_t tide_modules_cnt(const struct tide_modules *mods);
/* NULL when there is no such id. */
const struct tide_module *tide_modules_get(const struct tide_modules *mods, uint32_t id);
/* The module that is the process's executable (/proc/PID/exe). 0 or -ENOENT. */
int tide_modules_main(const struct tide_modules *mods, uint32_t *ret_id);
/* True once TIDE_MAX_MODULES or TIDE_MAX_MAPPINGS was reached, or a file could not be opened. */
bool tide_modules_incomplete(const struct tide_modules *mods);
/* The range that holds addr, or NULL; *ret_file_off is the offset of addr in the file. */
const struct tide_range *tide_modules_find(const struct tide_modules *mods, uint64_t addr,
					   uint64_t *ret_file_off);
/* Load bias of a module in the target: run-time address - ELF virtual address. 0 or -ENOENT. */
int tide_modules_bias(const struct tide_modules *mods, uint32_t id, uint64_t *ret_bias);
/* Lowest address of the module's image when last mapped, for dwfl. 0 or -ENOENT. */
int tide_modules_base(const struct tide_modules *mods, uint32_t id, uint64_t *ret_addr);

#endif
