/* /proc/PID/smaps, line by line: the resident bytes of each mapping, by kind. Pure.
 *
 * Owns: nothing. Never: reads files. Threads: reentrant. Memory: the state given.
 */
#ifndef TIDE_TARGET_SMAPS_H
#define TIDE_TARGET_SMAPS_H

#include "target/maps.h"
#include "target/residency.h"

enum tide_rss_kind {
	TIDE_RSS_HEAP,
	TIDE_RSS_STACK,
	TIDE_RSS_FILE,
	TIDE_RSS_SHMEM,
	TIDE_RSS_ANON,
	TIDE_RSS_OTHER,
};

/* path as tide_mapping_parse() gives it, not terminated. */
enum tide_rss_kind tide_rss_kind_of(const struct tide_mapping *m, const char *path,
				    size_t path_len);

struct tide_smaps {
	struct tide_mapping mapping; /* the one that the lines now read are about */
	enum tide_rss_kind kind;
	bool in_mapping;
	struct tide_rss sums; /* of all so far; peak_rss_bytes stays 0 */
};

enum tide_smaps_line {
	TIDE_SMAPS_IGNORED,
	TIDE_SMAPS_MAPPING, /* a mapping begins: state->mapping */
	TIDE_SMAPS_RSS,	    /* its resident bytes: *ret_bytes; added to the sums */
};

/* Takes one line without its newline. */
enum tide_smaps_line tide_smaps_feed(struct tide_smaps *state, const char *line,
				     uint64_t *ret_bytes);

#endif
