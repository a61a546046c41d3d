/* The collector: one thread that only drains and applies.
 *
 * Owns: the draining side of a probe, and a retention core, from start to stop; nobody else may
 * touch either in between. Makes snapshots in slices between drains, so that a report never holds
 * up the feed. Never: symbols, files of /proc, output.
 * Threads: its own, plus one client thread that calls the functions below.
 * Memory: that of the core; nothing by itself.
 */
#ifndef TIDE_SESSION_COLLECTOR_H
#define TIDE_SESSION_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/probe.h"
#include "retain/retain.h"

struct tide_collector;

/* What the client may look at any time; copied under a lock. */
struct tide_collector_status {
	uint64_t events;      /* records applied */
	uint64_t lost_events; /* records lost by the ring so far */
	uint64_t resyncs;
	uint64_t resync_failures; /* re-reads that could not be done (memory) */
	uint64_t live_bytes, live_blocks;
	uint32_t site_cnt;
	bool execed;		   /* the target began another program: nothing more is tracked */
	uint32_t thread_ended_cnt; /* times the thread that probes follow has ended */
	uint32_t unmapped_cnt;	   /* times a stack led into code without tables */
};

/* Takes over probe and retain for as long as it runs. 0 or -errno. */
int tide_collector_start(struct tide_probe *probe, struct tide_retain *retain,
			 struct tide_collector **ret);
/* Ends the thread and frees the collector; probe and retain are the caller's again. */
void tide_collector_stop(struct tide_collector **collector);

/* Readable (POLLIN) when execed, thread_ended_cnt or unmapped_cnt has changed; reading the status
 * clears it. */
int tide_collector_event_fd(const struct tide_collector *collector);
void tide_collector_status(struct tide_collector *collector, struct tide_collector_status *ret);

/* Applies everything that has happened before this call, re-reads the live map when records
 * were lost, and fills snap's figures. final: probes are disabled, so repeat until nothing
 * was lost in between. Blocks until done. 0 or -errno.
 */
int tide_collector_snapshot(struct tide_collector *collector, const struct tide_snapshot_opts *opts,
			    bool final, struct tide_snapshot *snap);

#endif
