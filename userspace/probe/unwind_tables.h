/* Keeps the in-kernel unwinder's tables in step with the processes it is used for.
 *
 * Owns: the processes map (one sorted table of executable mappings each), the references of each
 * process to its objects, the generations, and the memo's clearing. Never: reads /proc; the
 * caller says what is mapped.
 * Threads: one user at a time, not the draining thread: a new object is compiled here (node: 0.1 s)
 * and replacing a table waits for an RCU grace period.
 * Memory: 32 bytes a mapping here and in the kernel.
 */
#ifndef TIDE_PROBE_UNWIND_TABLES_H
#define TIDE_PROBE_UNWIND_TABLES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/unwind_objects.h"

struct tide_unwind_tables;

/* The maps of bpf/lib/unwind_env.h; descriptors stay the caller's. */
struct tide_unwind_maps {
	int objects_fd, procs_fd, rules_fd, memo_fd;
};

enum tide_unwind_area_kind {
	TIDE_AREA_FILE,		/* src says which */
	TIDE_AREA_IMAGE,	/* the same, for the vDSO */
	TIDE_AREA_GENERATED,	/* anonymous: a JIT's, by frame pointers */
	TIDE_AREA_RETURN_PROBE, /* "[uprobes]" */
	TIDE_AREA_OPAQUE,	/* a file that could not be opened: by frame pointers */
};

/* An executable mapping, a line of /proc/PID/maps. */
struct tide_unwind_area {
	uint64_t start, end, file_off;
	enum tide_unwind_area_kind kind;
	struct tide_unwind_source src;
};

struct tide_unwind_tables_stats {
	struct tide_unwind_objects_stats objects;
	uint64_t procs;
	uint64_t mappings_dropped; /* beyond TIDE_UNWIND_MAX_MAPPINGS, in the last update */
	uint64_t updates;	   /* tables written */
};

int tide_unwind_tables_new(const struct tide_unwind_maps *maps, struct tide_unwind_tables **ret);
/* Also takes every process out of the maps. */
void tide_unwind_tables_free(struct tide_unwind_tables **tables);

/* What tgid has mapped executable now, in any order. Objects that are new to it are compiled, or
 * shared if another process has them; those it no longer maps are let go. When nothing has changed
 * the kernel's table stays. On failure the old table does. 0, -ENOSPC (too many processes or
 * objects), -ENOMEM or an error of bpf(2).
 */
int tide_unwind_tables_update(struct tide_unwind_tables *tables, pid_t tgid,
			      const struct tide_unwind_area *areas, size_t cnt);
/* The process has gone. */
void tide_unwind_tables_remove(struct tide_unwind_tables *tables, pid_t tgid);

void tide_unwind_tables_stats(const struct tide_unwind_tables *tables,
			      struct tide_unwind_tables_stats *ret);

#endif
