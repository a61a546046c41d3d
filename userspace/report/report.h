/* Reports: a snapshot in, text out.
 *
 * Owns: wording and layout. Never: reads a process, a map or a clock; changes the snapshot.
 * Threads: reentrant. Memory: both are streamed, JSON a site at a time.
 */
#ifndef TIDE_REPORT_REPORT_H
#define TIDE_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "retain/snapshot.h"

struct tide_report_opts {
	uint64_t now_realtime_ns; /* for "how long ago" */
	size_t top_cnt;		  /* sites in the text report; JSON has all of them */
	uint32_t width;		  /* columns; 0: do not cut */
	bool colour;
	bool show_blocks;
	bool full_stacks; /* text: every frame, not only the first few */
	bool short_names; /* text: without template arguments */
};

/* Formats by name ("text", "json"). NULL when there is none of that name. */
struct tide_report_format {
	const char *name;
	int (*write)(FILE *out, const struct tide_snapshot *snap,
		     const struct tide_report_opts *opts);
};
const struct tide_report_format *tide_report_format_find(const char *name);
/* "text, json": what exists, for messages. */
const char *tide_report_format_names(void);

/* Each writes one whole report. 0 or -errno of the stream. */
int tide_report_text(FILE *out, const struct tide_snapshot *snap,
		     const struct tide_report_opts *opts);
int tide_report_json(FILE *out, const struct tide_snapshot *snap,
		     const struct tide_report_opts *opts);

#endif
