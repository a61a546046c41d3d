/* The parts of the text report, in the order in which they stand.
 *
 * Owns: nothing. Threads: reentrant. Memory: see page.h.
 */
#ifndef TIDE_REPORT_TEXT_H
#define TIDE_REPORT_TEXT_H

#include "report/page.h"
#include "report/report.h"

struct tide_text {
	struct tide_page page;
	const struct tide_snapshot *snap;
	const struct tide_report_opts *opts;
	uint64_t now_ns; /* CLOCK_REALTIME */
};

/* The answer: what is resident, live and held, and whether anything rose and stayed. */
void tide_text_summary(struct tide_text *text);
/* The sites that are shown, most held bytes first, and a line for the others. */
void tide_text_sites(struct tide_text *text);
void tide_text_blocks(struct tide_text *text);
/* Where the resident memory is, by kind. */
void tide_text_memory(struct tide_text *text);
/* What was observed and what was not; ends with the line "Coverage: ...". */
void tide_text_coverage(struct tide_text *text);

/* Sites that are in the list, as far as there is room: not those that --older leaves out, nor those
 * that have nothing live and never stood out.
 */
bool tide_text_lists(const struct tide_text *text, const struct tide_site_report *site);

/* These go into the paragraph: "14:02:11 (5 min ago)", "810 MB", "5 min". */
void tide_text_add_moment(struct tide_text *text, uint64_t monotonic_ns);
void tide_text_add_bytes(struct tide_text *text, uint64_t bytes);
void tide_text_add_duration(struct tide_text *text, uint64_t ns);
/* "1 block", "1,204 blocks". */
void tide_text_add_count(struct tide_text *text, uint64_t count, const char *one, const char *many);

#endif
