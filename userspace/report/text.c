/* The text report is read by someone tired who wants to know what holds the memory and whether
 * to worry. So the answer stands first, in sentences; then the sites; then where the resident
 * memory is; and last, what was not seen.
 */
#include "report/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/human.h"
#include "base/util.h"
#include "report/frame_name.h"
#include "report/wall.h"

#define SUMMARY_INDENT 2
#define NAME_COLUMNS   48
#define LABEL_COLUMNS  48

void tide_text_add_bytes(struct tide_text *text, uint64_t bytes)
{
	char buf[TIDE_HUMAN_SZ];

	tide_page_add_figure(&text->page, tide_human_bytes(bytes, buf));
}

void tide_text_add_duration(struct tide_text *text, uint64_t ns)
{
	char buf[TIDE_HUMAN_SZ];

	tide_page_add_figure(&text->page, tide_human_duration(ns, buf));
}

void tide_text_add_count(struct tide_text *text, uint64_t count, const char *one, const char *many)
{
	char buf[TIDE_HUMAN_SZ];

	tide_page_add_figure(&text->page, tide_human_count(count, buf));
	tide_page_add_figure(&text->page, " ");
	tide_page_add(&text->page, "%s", count == 1 ? one : many);
}

void tide_text_add_moment(struct tide_text *text, uint64_t monotonic_ns)
{
	uint64_t then_ns = tide_wall_ns(text->snap, monotonic_ns);
	char buf[TIDE_HUMAN_SZ];

	tide_page_add_figure(&text->page, tide_human_time(then_ns, text->now_ns, buf));
	if (then_ns >= text->now_ns || text->now_ns - then_ns < TIDE_NS_PER_SEC)
		return;
	tide_page_add(&text->page, " (");
	tide_text_add_duration(text, text->now_ns - then_ns);
	tide_page_add_figure(&text->page, " ago)");
}

static void begin_sentence(struct tide_text *text)
{
	tide_page_print(&text->page, "%*s", SUMMARY_INDENT, "");
}

static void end_sentence(struct tide_text *text)
{
	tide_page_end_paragraph(&text->page, SUMMARY_INDENT, SUMMARY_INDENT);
}

static void write_title(struct tide_text *text)
{
	const struct tide_snapshot *snap = text->snap;
	char buf[TIDE_HUMAN_SZ];

	tide_page_style(&text->page, TIDE_STYLE_STRONG);
	tide_page_add(&text->page, "tidemark: ");
	tide_page_add_name(&text->page, snap->process.comm, NAME_COLUMNS);
	tide_page_add(&text->page, " (pid %u%s), watched for ", snap->process.tgid,
		      snap->process.ended ? ", ended" : "");
	tide_text_add_duration(text, tide_age_ns(snap, snap->start_ns));
	tide_page_add(&text->page, ", report of %s",
		      tide_human_time(tide_wall_ns(snap, snap->end_ns), text->now_ns, buf));
	tide_page_end_paragraph(&text->page, 0, SUMMARY_INDENT);
	tide_page_style(&text->page, TIDE_STYLE_PLAIN);
}

static void write_end(struct tide_text *text)
{
	const struct tide_process_report *process = &text->snap->process;
	int status = process->wait_status;

	if (!process->ended)
		return;
	begin_sentence(text);
	if (!process->status_known)
		tide_page_add(&text->page, "The process has ended; how is not known.");
	else if (WIFSIGNALED(status))
		tide_page_add(&text->page, "The process was killed by signal %d (%s).",
			      WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		tide_page_add(&text->page, "The process has ended with exit status %d.",
			      WEXITSTATUS(status));
	end_sentence(text);
}

/* True when no more than a tenth of the limit is left. */
static bool add_limit(struct tide_text *text, uint64_t rss_bytes)
{
	uint64_t limit_bytes = text->snap->process.limit_bytes;

	if (!text->snap->process.limit_known)
		return false;
	tide_page_add(&text->page, " of a limit of ");
	tide_text_add_bytes(text, limit_bytes);
	tide_page_add(&text->page, ", ");
	tide_text_add_bytes(text, rss_bytes < limit_bytes ? limit_bytes - rss_bytes
							  : rss_bytes - limit_bytes);
	tide_page_add(&text->page, rss_bytes < limit_bytes ? " below it" : " above it");
	return rss_bytes >= limit_bytes - limit_bytes / 10;
}

/* True when the figures call for attention. */
static bool add_resident(struct tide_text *text)
{
	const struct tide_memory_report *memory = &text->snap->memory;
	bool near_limit;

	tide_text_add_bytes(text, memory->rss_bytes);
	tide_page_add(&text->page, " resident");
	if (memory->peak_rss_bytes > memory->rss_bytes) {
		tide_page_add(&text->page, " (peak ");
		tide_text_add_bytes(text, memory->peak_rss_bytes);
		tide_page_add(&text->page, ")");
	}
	near_limit = add_limit(text, memory->rss_bytes);
	if (text->snap->process.ended) {
		tide_page_add(&text->page, ", when it was last read at ");
		tide_text_add_moment(text, memory->read_at_ns);
	}
	tide_page_add(&text->page, ".");
	return near_limit;
}

static void write_resident(struct tide_text *text)
{
	bool alarming = false;

	begin_sentence(text);
	if (text->snap->memory.known)
		alarming = add_resident(text);
	else if (text->snap->process.ended)
		tide_page_add(&text->page,
			      "It had ended before its resident memory could be read.");
	else
		tide_page_add(&text->page, "Its resident memory could not be read.");
	if (alarming)
		tide_page_style(&text->page, TIDE_STYLE_WARN);
	end_sentence(text);
	if (alarming)
		tide_page_style(&text->page, TIDE_STYLE_PLAIN);
}

static void add_nothing_live(struct tide_text *text)
{
	if (!text->snap->coverage.allocator_cnt)
		tide_page_add(&text->page,
			      "No allocator was found in it, so no block could be tracked.");
	else if (!text->snap->coverage.events)
		tide_page_add(&text->page,
			      "It allocated and freed nothing that could be seen in this time.");
	else
		tide_page_add(&text->page, "No tracked block is live: all were freed again.");
}

static void add_held(struct tide_text *text)
{
	const struct tide_snapshot *snap = text->snap;

	if (!snap->held_bytes) {
		tide_page_add(&text->page, "none");
	} else if (snap->held_bytes == snap->live_bytes) {
		tide_page_add(&text->page, "all");
	} else {
		tide_text_add_bytes(text, snap->held_bytes);
	}
	tide_page_add(&text->page, " of it held for ");
	tide_text_add_duration(text, snap->hold_ns);
	tide_page_add(&text->page, " or longer.");
}

/* Live memory that takes no room is worth a word: nobody needs to hunt for it. */
static void add_untouched(struct tide_text *text)
{
	const struct tide_snapshot *snap = text->snap;
	uint64_t resident_bytes = 0;

	if (!snap->resident_known)
		return;
	for (size_t i = 0; i < snap->site_cnt; i++)
		resident_bytes += snap->sites[i].resident_bytes;
	if (resident_bytes >= snap->live_bytes - snap->live_bytes / 10)
		return;
	tide_page_add(&text->page, " Only ");
	tide_text_add_bytes(text, resident_bytes);
	tide_page_add(&text->page,
		      " of what is live is in RAM: the rest was never touched or is swapped out.");
}

static void write_live(struct tide_text *text)
{
	const struct tide_snapshot *snap = text->snap;

	begin_sentence(text);
	if (!snap->live_blocks) {
		add_nothing_live(text);
		end_sentence(text);
		return;
	}
	tide_text_add_bytes(text, snap->live_bytes);
	tide_page_add(&text->page, " live in ");
	tide_text_add_count(text, snap->live_blocks, "tracked block, ", "tracked blocks, ");
	add_held(text);
	add_untouched(text);
	if (snap->reclaimable_known) {
		tide_page_add(&text->page, " ");
		tide_text_add_bytes(text, snap->reclaimable_bytes);
		tide_page_add(&text->page, " of it could come back.");
	}
	end_sentence(text);
}

struct verdict_sum {
	uint64_t site_cnt, live_bytes, held_bytes;
	const struct tide_site_report *first;
};

static struct verdict_sum sum_verdict(const struct tide_snapshot *snap, enum tide_verdict verdict)
{
	struct verdict_sum sum = {0};

	for (size_t i = 0; i < snap->site_cnt; i++) {
		const struct tide_site_report *site = &snap->sites[i];

		if (site->verdict != verdict)
			continue;
		sum.first = sum.site_cnt++ ? sum.first : site;
		sum.live_bytes += site->live_bytes;
		sum.held_bytes += site->held_bytes;
	}
	return sum;
}

/* "2 sites keep growing: 11 MB live, 9 MB held; the first is table_resize (batch.c:88)." */
static void write_verdict(struct tide_text *text, const struct verdict_sum *sum,
			  enum tide_style style, const char *one, const char *many)
{
	TIDE_AUTO_FREE char *label = NULL;

	if (!sum->site_cnt)
		return;
	label = tide_site_label(sum->first, LABEL_COLUMNS, text->opts->short_names);
	begin_sentence(text);
	tide_page_style(&text->page, style);
	tide_text_add_count(text, sum->site_cnt, one, many);
	tide_text_add_bytes(text, sum->live_bytes);
	tide_page_add(&text->page, " live, ");
	if (sum->held_bytes == sum->live_bytes)
		tide_page_add(&text->page, "all");
	else
		tide_text_add_bytes(text, sum->held_bytes);
	tide_page_add(&text->page, " held%s%s.",
		      sum->site_cnt == 1 ? ", from " : "; first of them ", label ? label : "?");
	end_sentence(text);
	tide_page_style(&text->page, TIDE_STYLE_PLAIN);
}

static void write_no_verdict(struct tide_text *text)
{
	const struct tide_snapshot *snap = text->snap;

	if (!snap->site_cnt)
		return;
	begin_sentence(text);
	if (tide_age_ns(snap, snap->start_ns) < snap->hold_ns) {
		tide_page_add(&text->page, "Too early to say what stays: it was watched for ");
		tide_text_add_duration(text, tide_age_ns(snap, snap->start_ns));
		tide_page_add(&text->page, ", and held means ");
		tide_text_add_duration(text, snap->hold_ns);
		tide_page_add(&text->page, ".");
	} else {
		tide_page_add(&text->page, "No site rose and stayed up, and none keeps growing.");
	}
	end_sentence(text);
}

void tide_text_summary(struct tide_text *text)
{
	struct verdict_sum high = sum_verdict(text->snap, TIDE_VERDICT_HIGH_WATER);
	struct verdict_sum growing = sum_verdict(text->snap, TIDE_VERDICT_GROWING);

	write_title(text);
	tide_page_newline(&text->page);
	write_end(text);
	write_resident(text);
	write_live(text);
	write_verdict(text, &high, TIDE_STYLE_ALARM,
		      "site rose and never came down: ", "sites rose and never came down: ");
	write_verdict(text, &growing, TIDE_STYLE_WARN,
		      "site keeps growing: ", "sites keep growing: ");
	if (!high.site_cnt && !growing.site_cnt)
		write_no_verdict(text);
}

int tide_report_text(FILE *out, const struct tide_snapshot *snap,
		     const struct tide_report_opts *opts)
{
	struct tide_text text = {
		.snap = snap,
		.opts = opts,
		.now_ns = opts->now_realtime_ns ? opts->now_realtime_ns
						: tide_wall_ns(snap, snap->end_ns),
	};

	tide_page_init(&text.page, out, opts->width, opts->colour);
	tide_text_summary(&text);
	tide_text_sites(&text);
	if (opts->show_blocks)
		tide_text_blocks(&text);
	tide_text_memory(&text);
	tide_text_coverage(&text);
	return tide_page_done(&text.page);
}
