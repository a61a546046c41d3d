/* The table of sites, each with its reasons:
 *
 *        HELD     LIVE  RESIDENT  VERDICT              SITE
 *   1  810 MB   810 MB    810 MB  high-water (likely)  table_resize (batch.c:88)
 *      why   rose at 14:02:11 and never came down
 *      ...
 *      from  table_resize  batch.c:88
 *            main          batch.c:301
 *   2  4.1 MB   4.2 MB    4.1 MB  steady (likely)      read_config (config.c:40)
 *      why   in use or turning over
 *      from  main < __libc_start_main
 *
 * Whoever looks for trouble wants everything about the first sites and about those with a bad
 * verdict; the others get a line of each.
 */
#include "report/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/util.h"
#include "bpf/abi/event.h"
#include "encode/utf8.h"
#include "report/frame_name.h"
#include "report/wall.h"

/* So many sites are shown at length whatever their verdict, if they have a hundredth of what is
 * live.
 */
#define LONG_SITES 3
#define LONG_SHARE 100
/* Frames of a stack that is shown at length. */
#define SHOWN_FRAMES	     8
#define SHOWN_RATCHETS	     3
#define MAX_FUNCTION_COLUMNS 100

#define RANK_COLUMNS	2
#define DETAIL_INDENT	(RANK_COLUMNS + 2)
#define LABEL_COLUMNS	7
#define TEXT_INDENT	(DETAIL_INDENT + LABEL_COLUMNS)
#define VERDICT_COLUMNS 19 /* "high-water (proven)" */

/* Rank, two or three figures and the verdict, with two spaces between. */
static size_t row_columns(const struct tide_text *text)
{
	size_t columns = RANK_COLUMNS + 2 + 7 + 2 + 7 + 2 + VERDICT_COLUMNS + 2;

	if (text->snap->older_ns)
		columns += 7 + 2;
	return text->snap->resident_known ? columns + 8 + 2 : columns;
}

static void write_column_titles(struct tide_text *text)
{
	const struct tide_snapshot *snap = text->snap;
	struct tide_page *page = &text->page;

	tide_page_style(page, TIDE_STYLE_STRONG);
	tide_page_print(page, "%*s  %7s  %7s  ", RANK_COLUMNS, "", "HELD", "LIVE");
	if (snap->older_ns)
		tide_page_print(page, "%7s  ", "OLDER");
	if (snap->resident_known)
		tide_page_print(page, "%8s  ", "RESIDENT");
	tide_page_print(page, "%-*s  SITE", VERDICT_COLUMNS, "VERDICT");
	tide_page_style(page, TIDE_STYLE_PLAIN);
	tide_page_newline(page);
}

static enum tide_style verdict_style(enum tide_verdict verdict)
{
	switch (verdict) {
	case TIDE_VERDICT_HIGH_WATER:
		return TIDE_STYLE_ALARM;
	case TIDE_VERDICT_GROWING:
		return TIDE_STYLE_WARN;
	case TIDE_VERDICT_RELEASED:
		return TIDE_STYLE_GOOD;
	default:
		return TIDE_STYLE_PLAIN;
	}
}

static void write_row(struct tide_text *text, const struct tide_site_report *site, size_t rank)
{
	const struct tide_snapshot *snap = text->snap;
	struct tide_page *page = &text->page;
	size_t taken = row_columns(text);
	TIDE_AUTO_FREE char *label = tide_site_label(
		site, page->width > taken ? page->width - taken : 0, text->opts->short_names);
	char held[TIDE_HUMAN_SZ], buf[TIDE_HUMAN_SZ], verdict[64];

	tide_page_print(page, "%*zu  %7s  ", RANK_COLUMNS, rank,
			tide_human_bytes(site->held_bytes, held));
	tide_page_print(page, "%7s  ", tide_human_bytes(site->live_bytes, buf));
	if (snap->older_ns)
		tide_page_print(page, "%7s  ", tide_human_bytes(site->shown_bytes, buf));
	if (snap->resident_known)
		tide_page_print(page, "%8s  ", tide_human_bytes(site->resident_bytes, buf));
	snprintf(verdict, sizeof(verdict), "%s (%s)", tide_verdict_name(site->verdict),
		 tide_evidence_name(site->evidence));
	tide_page_style(page, verdict_style(site->verdict));
	tide_page_print(page, "%-*s", VERDICT_COLUMNS, verdict);
	tide_page_style(page, TIDE_STYLE_PLAIN);
	tide_page_print(page, "  %s\n", label ? label : "?");
}

static void begin_detail(struct tide_text *text, const char *label)
{
	tide_page_print(&text->page, "%*s", DETAIL_INDENT, "");
	if (*label)
		tide_page_style(&text->page, TIDE_STYLE_FAINT);
	tide_page_print(&text->page, "%-*s", LABEL_COLUMNS, label);
	if (*label)
		tide_page_style(&text->page, TIDE_STYLE_PLAIN);
}

static void end_detail(struct tide_text *text)
{
	tide_page_end_paragraph(&text->page, TEXT_INDENT, TEXT_INDENT);
}

/* A sentence about the site; names of the target may be part of it. */
static void write_sentence(struct tide_text *text, const char *label, const char *sentence)
{
	if (!sentence)
		return;
	begin_detail(text, label);
	tide_page_add_name(&text->page, sentence, SIZE_MAX);
	end_detail(text);
}

static void write_ratchets(struct tide_text *text, const struct tide_site_report *site)
{
	uint32_t cnt =
		site->ratchet_cnt < TIDE_MAX_RATCHETS ? site->ratchet_cnt : TIDE_MAX_RATCHETS;
	uint32_t first = cnt > SHOWN_RATCHETS ? cnt - SHOWN_RATCHETS : 0;
	uint64_t earlier = (uint64_t)first + site->ratchet_dropped_cnt;

	for (uint32_t i = first; i < cnt; i++) {
		begin_detail(text, "rose");
		tide_text_add_moment(text, site->ratchets[i].at_ns);
		tide_page_add(&text->page, " from ");
		tide_text_add_bytes(text, site->ratchets[i].from_bytes);
		tide_page_add(&text->page, " to ");
		tide_text_add_bytes(text, site->ratchets[i].to_bytes);
		if (i == first && earlier) {
			tide_page_add(&text->page, ", after ");
			tide_text_add_count(text, earlier, "earlier step", "earlier steps");
		}
		end_detail(text);
	}
}

/* Nothing to say of what has been level all the time. */
static void write_peak(struct tide_text *text, const struct tide_site_report *site)
{
	if (site->floor_bytes == site->peak_bytes)
		return;
	begin_detail(text, "peak");
	tide_text_add_bytes(text, site->peak_bytes);
	tide_page_add(&text->page, " at ");
	tide_text_add_moment(text, site->peak_ns);
	/* A floor is one of a whole hold time; before that there is none to speak of. */
	if (text->snap->end_ns - text->snap->start_ns >= text->snap->hold_ns) {
		tide_page_add(&text->page, "; never beneath ");
		tide_text_add_bytes(text, site->floor_bytes);
		tide_page_add(&text->page, " in the last ");
		tide_text_add_duration(text, text->snap->hold_ns);
	}
	end_detail(text);
}

static void write_live(struct tide_text *text, const struct tide_site_report *site)
{
	begin_detail(text, "live");
	tide_text_add_count(text, site->live_blocks, "block", "blocks");
	if (site->oldest_birth_ns) {
		tide_page_add(&text->page,
			      site->live_blocks == 1 ? ", born " : ", the oldest born ");
		tide_text_add_moment(text, site->oldest_birth_ns);
	}
	end_detail(text);
}

static void write_total(struct tide_text *text, const struct tide_site_report *site)
{
	begin_detail(text, "total");
	tide_page_add(&text->page, "allocated ");
	tide_text_add_bytes(text, site->allocated_bytes);
	tide_page_add(&text->page, " in ");
	tide_text_add_count(text, site->allocated_blocks, "block, ", "blocks, ");
	if (site->freed_blocks) {
		tide_page_add(&text->page, "freed ");
		tide_text_add_bytes(text, site->freed_bytes);
		tide_page_add(&text->page, " in ");
		tide_text_add_count(text, site->freed_blocks, "block", "blocks");
	} else {
		tide_page_add(&text->page, "freed none");
	}
	end_detail(text);
}

static const char *stack_end_text(uint32_t end)
{
	static const char *const helps[] = {
#define X(id, name, help) [TIDE_STACK_##id] = help,
		TIDE_STACK_ENDS(X)
#undef X
	};

	return end < TIDE_ARRAY_CNT(helps) ? helps[end] : "for an unknown reason";
}

/* The frames of a stack that are shown: the first ones and the outermost of them. */
struct shown {
	size_t cnt;	  /* frames in question */
	size_t left_out;  /* of their middle */
	size_t functions; /* columns of the widest function and place */
	size_t places;
};

static bool is_shown(const struct shown *shown, size_t i)
{
	return !shown->left_out || i + 1 < SHOWN_FRAMES || i + 1 == shown->cnt;
}

static size_t max(size_t a, size_t b)
{
	return a > b ? a : b;
}

static void measure(const struct tide_text *text, struct shown *shown,
		    const struct tide_frame *frame)
{
	TIDE_AUTO_FREE char *function = tide_frame_function(frame, text->opts->short_names);
	TIDE_AUTO_FREE char *place = tide_frame_place(frame);

	if (function)
		shown->functions = max(shown->functions, tide_utf8_columns(function));
	if (place)
		shown->places =
			max(shown->places,
			    tide_utf8_columns(place) + (frame->inlined ? strlen(", inlined") : 0));
}

static struct shown choose_frames(const struct tide_text *text, const struct tide_site_report *site)
{
	size_t room = text->page.width > TEXT_INDENT ? text->page.width - TEXT_INDENT : 0;
	struct shown shown = {.cnt = site->frame_cnt};

	if (!text->opts->full_stacks) {
		shown.cnt = tide_site_own_frames(site);
		shown.left_out = shown.cnt > SHOWN_FRAMES ? shown.cnt - SHOWN_FRAMES : 0;
	}
	for (size_t i = 0; i < shown.cnt; i++)
		if (is_shown(&shown, i))
			measure(text, &shown, &site->frames[i]);
	if (shown.functions > MAX_FUNCTION_COLUMNS)
		shown.functions = MAX_FUNCTION_COLUMNS;
	if (room < shown.functions + shown.places + 2)
		shown.functions = room > 2 * shown.places ? room - shown.places - 2 : room / 2;
	return shown;
}

static void write_frame(struct tide_text *text, const struct tide_frame *frame, size_t columns)
{
	TIDE_AUTO_FREE char *function = tide_frame_function(frame, text->opts->short_names);
	TIDE_AUTO_FREE char *place = tide_frame_place(frame);
	TIDE_AUTO_FREE char *cut = function ? tide_utf8_cut_middle(function, columns) : NULL;
	size_t pad;

	if (!cut || !place) {
		text->page.err = text->page.err ? text->page.err : -ENOMEM;
		return;
	}
	pad = *place ? columns - tide_utf8_columns(cut) + 2 : 0;
	tide_page_print(&text->page, "%s%*s%s%s\n", cut, (int)pad, "", place,
			frame->inlined ? ", inlined" : "");
}

static void write_stack_end(struct tide_text *text, const struct tide_site_report *site,
			    const char *label)
{
	if (!tide_site_stops_early(site))
		return;
	begin_detail(text, label);
	tide_page_add(&text->page, "(%s; %s)",
		      site->frame_cnt ? "the stack stops here" : "no stack",
		      stack_end_text(site->stack_end));
	end_detail(text);
}

static void write_stack(struct tide_text *text, const struct tide_site_report *site)
{
	struct shown shown = choose_frames(text, site);
	const char *label = "from";

	for (size_t i = 0; i < shown.cnt; i++) {
		if (!is_shown(&shown, i))
			continue;
		if (i + 1 == shown.cnt && shown.left_out) {
			begin_detail(text, "");
			tide_page_print(&text->page, "... %zu more\n", shown.left_out);
		}
		begin_detail(text, label);
		write_frame(text, &site->frames[i], shown.functions);
		label = "";
	}
	write_stack_end(text, site, label);
}

/* "from  main < start": who called the function that names the site. */
static void write_callers(struct tide_text *text, const struct tide_site_report *site)
{
	const struct tide_frame *own = tide_site_frame(site);
	size_t first = own ? own - site->frames + 1 : 0, used = TEXT_INDENT;
	size_t end = text->opts->full_stacks ? site->frame_cnt : tide_site_own_frames(site);
	bool stops = tide_site_stops_early(site);

	if (!site->frame_cnt)
		write_stack_end(text, site, "from");
	if (!site->frame_cnt || (first >= end && !stops))
		return;
	begin_detail(text, "from");
	for (size_t i = first; i < end; i++) {
		TIDE_AUTO_FREE char *function =
			tide_frame_function(&site->frames[i], text->opts->short_names);
		TIDE_AUTO_FREE char *cut = function ? tide_utf8_cut_middle(function, 32) : NULL;
		size_t columns = cut ? tide_utf8_columns(cut) + 3 : 0;

		/* Room for " < ..." must be left. */
		if (i > first && used + columns + 6 > text->page.width) {
			tide_page_print(&text->page, " < ...");
			stops = false;
			break;
		}
		tide_page_print(&text->page, "%s%s", i > first ? " < " : "", cut ? cut : "?");
		used += columns;
	}
	if (stops)
		tide_page_print(&text->page, "%s(the stack stops early)", first < end ? " " : "");
	tide_page_newline(&text->page);
}

static bool is_shown_long(const struct tide_text *text, const struct tide_site_report *site,
			  size_t rank)
{
	if (text->opts->full_stacks || site->verdict == TIDE_VERDICT_HIGH_WATER ||
	    site->verdict == TIDE_VERDICT_GROWING)
		return true;
	return rank <= LONG_SITES && site->live_bytes >= text->snap->live_bytes / LONG_SHARE;
}

static void write_site(struct tide_text *text, const struct tide_site_report *site, size_t rank)
{
	write_row(text, site, rank);
	write_sentence(text, "why", site->why);
	write_sentence(text, "fix", site->fix);
	if (is_shown_long(text, site, rank)) {
		write_ratchets(text, site);
		write_peak(text, site);
		write_live(text, site);
		write_total(text, site);
		write_stack(text, site);
	} else {
		write_callers(text, site);
	}
}

bool tide_text_lists(const struct tide_text *text, const struct tide_site_report *site)
{
	if (text->snap->older_ns)
		return site->shown_blocks;
	return site->live_blocks || site->verdict != TIDE_VERDICT_STEADY;
}

struct site_sum {
	uint64_t site_cnt, held_bytes, live_bytes;
};

static void write_others(struct tide_text *text, const struct site_sum *others, size_t shown_cnt)
{
	if (!others->site_cnt)
		return;
	tide_page_newline(&text->page);
	tide_page_print(&text->page, "%*s", DETAIL_INDENT, "");
	tide_text_add_count(text, others->site_cnt, "further site holds ", "further sites hold ");
	tide_text_add_bytes(text, others->held_bytes);
	tide_page_add(&text->page, " and %s ", others->site_cnt == 1 ? "has" : "have");
	tide_text_add_bytes(text, others->live_bytes);
	tide_page_add(&text->page, " live (--top %" PRIu64 " shows %s).",
		      (uint64_t)shown_cnt + others->site_cnt,
		      others->site_cnt == 1 ? "it" : "them");
	tide_page_end_paragraph(&text->page, DETAIL_INDENT, DETAIL_INDENT);
}

static void write_filter(struct tide_text *text)
{
	if (!text->snap->older_ns)
		return;
	tide_page_newline(&text->page);
	tide_page_print(&text->page, "%*s", DETAIL_INDENT, "");
	tide_page_add(&text->page, "Only sites with live blocks older than ");
	tide_text_add_duration(text, text->snap->older_ns);
	tide_page_add(&text->page, " are listed; OLDER counts those blocks.");
	tide_page_end_paragraph(&text->page, DETAIL_INDENT, DETAIL_INDENT);
}

static void write_idle(struct tide_text *text, uint64_t idle_cnt)
{
	if (!idle_cnt || text->snap->older_ns)
		return;
	tide_page_newline(&text->page);
	tide_page_print(&text->page, "%*s", DETAIL_INDENT, "");
	tide_text_add_count(text, idle_cnt, "site has", "sites have");
	tide_page_add(&text->page, " nothing live now and never stood out.");
	tide_page_end_paragraph(&text->page, DETAIL_INDENT, DETAIL_INDENT);
}

void tide_text_sites(struct tide_text *text)
{
	const struct tide_snapshot *snap = text->snap;
	struct site_sum others = {0};
	size_t shown_cnt = 0, idle_cnt = 0;

	write_filter(text);
	for (size_t i = 0; i < snap->site_cnt; i++) {
		const struct tide_site_report *site = &snap->sites[i];

		if (!tide_text_lists(text, site)) {
			idle_cnt++;
			continue;
		}
		if (shown_cnt >= text->opts->top_cnt) {
			others.site_cnt++;
			others.held_bytes += site->held_bytes;
			others.live_bytes += site->live_bytes;
			continue;
		}
		tide_page_newline(&text->page);
		if (!shown_cnt++)
			write_column_titles(text);
		write_site(text, site, shown_cnt);
	}
	write_others(text, &others, shown_cnt);
	write_idle(text, idle_cnt);
}
