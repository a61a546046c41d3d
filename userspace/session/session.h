/* One process being watched: wires target, probe, collector, retention core and names together.
 *
 * Owns: everything of one session, from identification to the final snapshot. Never: parses
 * options, prints, decides when a report is due (that is the caller's).
 * Threads: one client thread; the collector's is inside.
 * Memory: the bounds in tide_session_opts.
 */
#ifndef TIDE_SESSION_SESSION_H
#define TIDE_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"
#include "retain/snapshot.h"

struct tide_session;

struct tide_session_opts {
	uint64_t hold_ns;
	uint64_t older_ns;
	uint64_t min_bytes;
	uint64_t ring_bytes;
	uint32_t max_blocks;
	uint32_t max_sites;
	uint32_t max_frames;
	size_t show_blocks_cnt; /* --show-allocs */
	size_t named_sites_cnt; /* names are looked up for the first n sites of a report */
	bool single_uprobes;
	bool debuginfod; /* debug files that are missing may be fetched */
	bool from_first; /* the process has not made an allocation yet (run) */
};

/* Identifies the process, finds its allocators, places every probe and begins to track. 0, or
 * -errno with *fail.
 */
int tide_session_open(pid_t tgid, const struct tide_session_opts *opts, struct tide_session **ret,
		      struct tide_failure *fail);
void tide_session_free(struct tide_session **session);

/* Readable (POLLIN) once the process has ended. */
int tide_session_pidfd(const struct tide_session *session);
/* Readable (POLLIN) when tide_session_poll() has something new to say before its time. */
int tide_session_event_fd(const struct tide_session *session);
/* One line for "watching ...": name, pid, allocators. */
const char *tide_session_title(const struct tide_session *session);

struct tide_session_status {
	uint64_t elapsed_ns;
	uint64_t events, lost_events;
	uint64_t live_bytes, live_blocks;
	uint64_t rss_bytes; /* 0: unknown */
	bool execed;	    /* the process began another program: the session is over */
	bool ended;	    /* the process has ended */
};

/* To be called about every second: keeps the module table and the memory figures fresh, follows
 * the process when its main thread ends. Fills *ret.
 */
void tide_session_poll(struct tide_session *session, struct tide_session_status *ret);

/* A report as of now. final: probes are removed first, and nothing is tracked afterwards; a report
 * can still be made, once. progress (may be NULL) is called now and then while names are
 * looked up.
 */
typedef void (*tide_progress_fn)(size_t done_cnt, size_t total_cnt, void *ctx);
struct tide_session_report_opts {
	bool final;
	tide_progress_fn progress;
	void *progress_ctx;
	int wait_status; /* of a child that has ended, with status_known */
	bool status_known;
};
int tide_session_report(struct tide_session *session, const struct tide_session_report_opts *opts,
			struct tide_snapshot **ret, struct tide_failure *fail);

#endif
