/* Names of code that a just-in-time compiler made, from the list it writes for perf:
 * /tmp/perf-PID.map in the target's own file system, PID as the target itself sees it.
 *
 * Owns: the text as last read and an index of it. Never: trusts it; follows a link out of the
 * target's root; takes a file that belongs neither to the target's user nor to root.
 * Threads: one user at a time.
 * Memory: TIDE_PERF_MAP_MAX_BYTES of text and 16 bytes an entry, TIDE_PERF_MAP_MAX_ENTRIES of
 * them; of more, the last ones.
 */
#ifndef TIDE_SYMBOLIZE_PERF_MAP_H
#define TIDE_SYMBOLIZE_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "target/proc.h"

#define TIDE_PERF_MAP_MAX_BYTES	  (64U << 20)
#define TIDE_PERF_MAP_MAX_ENTRIES (1U << 20)

struct tide_perf_map_entry {
	uint64_t start;
	uint32_t size_bytes;
	uint32_t name_off; /* grows with the line: of two that overlap the greater is newer */
};

struct tide_perf_map {
	struct tide_perf_map_entry *entries; /* ascending */
	size_t cnt;
	char *text; /* names, terminated */
};

/* Indexes len (at most TIDE_PERF_MAP_MAX_BYTES) bytes of malloc'ed text, which it takes over, also
 * on failure. Lines "START SIZE name" in hex; others, and a last one without its newline, are
 * passed over. 0 or -ENOMEM.
 */
int tide_perf_map_parse(struct tide_perf_map *map, char *text, size_t len);
void tide_perf_map_done(struct tide_perf_map *map);
/* The name of the code at addr, or NULL. */
const char *tide_perf_map_find(const struct tide_perf_map *map, uint64_t addr);

/* A process's list as a file that grows. */
struct tide_perf_file;

/* 0 or -ENOMEM; *ret is untouched on failure. proc is used during the call only. */
int tide_perf_file_new(const struct tide_proc *proc, struct tide_perf_file **ret);
void tide_perf_file_free(struct tide_perf_file **file);
/* Opens the file anew if it is there, so that what it has gained is read when next needed. */
void tide_perf_file_refresh(struct tide_perf_file *file);
/* Reads what there is to read, then as tide_perf_map_find(). */
const char *tide_perf_file_find(struct tide_perf_file *file, uint64_t addr);

#endif
