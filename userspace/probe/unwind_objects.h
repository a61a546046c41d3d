/* Unwind tables of ELF files, in the kernel, once for all processes.
 *
 * Owns: the compiled table of each distinct file (by build id, else by device and inode) in the
 * objects map, and the rules they share. A table goes when its last reference does; what was found
 * to have none is remembered as long. Never: knows of processes or mappings.
 * Threads: one user at a time. Memory: here ~700 bytes an object; in the kernel its image (4 to 6
 * bytes a row), at most TIDE_UNWIND_MAX_OBJECTS of them.
 */
#ifndef TIDE_PROBE_UNWIND_OBJECTS_H
#define TIDE_PROBE_UNWIND_OBJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "target/ehframe.h"

struct tide_unwind_objects;
struct tide_unwind_object;

/* Where an object's bytes are. */
struct tide_unwind_source {
	const char *build_id; /* "" when none */
	uint64_t dev, inode;
	int fd;		  /* -1: data */
	const void *data; /* an image in memory: the vDSO */
	size_t data_bytes;
};

struct tide_unwind_objects_stats {
	uint64_t objects, blocks, rows; /* in the kernel now */
	uint64_t rules;
	uint64_t compiled;    /* tables made since the start */
	uint64_t compile_ns;  /* and the time that took */
	uint64_t without_cfi; /* objects that have no .eh_frame, or a broken one */
};

int tide_unwind_objects_new(int objects_fd, int rules_fd, struct tide_unwind_objects **ret);
void tide_unwind_objects_free(struct tide_unwind_objects **objects);

/* The object for a file, compiled, with one more reference. A file without usable CFI is an object
 * too, one with slot 0. 0, -ENOSPC (no slot is free), -ENOMEM or an error of bpf(2).
 */
int tide_unwind_objects_get(struct tide_unwind_objects *objects,
			    const struct tide_unwind_source *src, struct tide_unwind_object **ret);
void tide_unwind_objects_put(struct tide_unwind_objects *objects, struct tide_unwind_object *obj);
/* Puts what was got since the last flush into the objects map, and empties the slots of what was
 * let go; all at once, because each change of that map waits for an RCU grace period (some ms).
 * Before a process's table names new objects, and after it no longer names old ones. 0 or an error
 * of bpf(2).
 */
int tide_unwind_objects_flush(struct tide_unwind_objects *objects);

/* Fills base, object and page_cnt for a mapping at start of the file's file_off. */
void tide_unwind_object_map(const struct tide_unwind_object *obj, uint64_t start, uint64_t file_off,
			    struct tide_unwind_mapping *m);

void tide_unwind_objects_stats(const struct tide_unwind_objects *objects,
			       struct tide_unwind_objects_stats *ret);

#endif
