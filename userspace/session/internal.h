/* What the files of session/ share and nobody else sees. */
#ifndef TIDE_SESSION_INTERNAL_H
#define TIDE_SESSION_INTERNAL_H

#include "probe/probe.h"
#include "retain/retain.h"
#include "session/collector.h"
#include "session/session.h"
#include "symbolize/symbolize.h"
#include "target/allocators.h"
#include "target/maps.h"
#include "target/proc.h"
#include "target/residency.h"

struct tide_session {
	struct tide_session_opts opts;
	struct tide_proc proc;
	bool proc_open;
	struct tide_modules *mods;
	struct tide_allocators allocators;
	struct tide_probe *probe;
	struct tide_retain *retain;
	struct tide_collector *collector;
	struct tide_symbolizer *symbolizer;
	uint64_t start_ns, start_realtime_ns;
	char title[256];
	uint32_t known_site_cnt; /* when the modules were last looked at */
	uint32_t known_unmapped_cnt;
	bool ended, execed, disabled;
	uint64_t resync_failures; /* as of the report that is being made */
	uint32_t followed_cnt;	  /* ends of followed threads that were answered */
	char *cgroup;
	bool limit_known;
	uint64_t limit_bytes;
	/* the last whole look at memory; residency also serves a report after the end */
	struct tide_residency *residency;
	struct tide_rss rss;
	uint64_t rss_at_ns;	     /* 0: never */
	uint64_t live_at_read_bytes; /* live bytes at that moment */
	uint64_t rss_cost_ns;
	uint64_t cpu_ns_at_start, cpu_ns;
};

/* Reads memory and residency now and keeps both in the session. 0 or -errno. */
int tide_session_read_memory(struct tide_session *session);

/* Looks at what is mapped: modules for names, tables for stacks. 0 or -errno. */
int tide_session_read_code(struct tide_session *session);

/* Parts of describe.c: everything of a snapshot that is not the retention core's. */
int tide_describe(struct tide_session *session, const struct tide_session_report_opts *opts,
		  struct tide_snapshot *snap);

#endif
