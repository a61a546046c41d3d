#include "report/text.h"

#include <inttypes.h>

#include "base/human.h"
#include "base/util.h"
#include "bpf/abi/event.h"
#include "bpf/abi/stats.h"
#include "report/frame_name.h"

#define LIST_INDENT 4

static void begin_item(struct tide_text *text, bool *any)
{
	if (!*any) {
		tide_page_newline(&text->page);
		tide_page_style(&text->page, TIDE_STYLE_STRONG);
		tide_page_print(&text->page, "What was not seen");
		tide_page_style(&text->page, TIDE_STYLE_PLAIN);
		tide_page_newline(&text->page);
	}
	*any = true;
	tide_page_print(&text->page, "  - ");
}

static void end_item(struct tide_text *text)
{
	tide_page_end_paragraph(&text->page, LIST_INDENT, LIST_INDENT);
}

static void write_losses(struct tide_text *text, bool *any)
{
	const struct tide_coverage_report *coverage = &text->snap->coverage;

	if (!coverage->lost_events)
		return;
	begin_item(text, any);
	tide_text_add_count(text, coverage->lost_events, "event was lost", "events were lost");
	if (coverage->resyncs) {
		tide_page_add(&text->page,
			      " and made up for by reading the kernel's table of live blocks "
			      "again, ");
		tide_text_add_count(text, coverage->resyncs, "time", "times");
		tide_page_add(&text->page, ": what is live is exact, peaks in between may have "
					   "been higher.");
	} else {
		tide_page_add(&text->page, " and not made up for: figures may be off.");
	}
	end_item(text);
}

static void write_untracked(struct tide_text *text, bool *any)
{
	const struct tide_coverage_report *coverage = &text->snap->coverage;

	if (!coverage->untracked_blocks)
		return;
	begin_item(text, any);
	tide_text_add_count(text, coverage->untracked_blocks, "block was", "blocks were");
	tide_page_add(&text->page, " not tracked: the kernel's table of live blocks had no room "
				   "for more.");
	end_item(text);
}

/* Counted here and not taken from the snapshot: there, a walk that came as far as main() and lost
 * its way in the C library counts too.
 */
static void write_truncated_by(struct tide_text *text, uint32_t end, bool *any)
{
	static const char *const helps[] = {
#define X(id, name, help) help,
		TIDE_STACK_ENDS(X)
#undef X
	};
	uint64_t site_cnt = 0, bytes = 0;

	for (size_t i = 0; i < text->snap->site_cnt; i++) {
		const struct tide_site_report *site = &text->snap->sites[i];

		if (site->stack_end != end || !tide_site_stops_early(site))
			continue;
		site_cnt++;
		bytes += site->live_bytes;
	}
	if (!site_cnt)
		return;
	begin_item(text, any);
	tide_page_add(&text->page, "The stacks of ");
	tide_text_add_count(text, site_cnt, "site stop early, ", "sites stop early, ");
	tide_text_add_bytes(text, bytes);
	tide_page_add(&text->page, " live (the immediate caller is right): ");
	tide_page_add(&text->page, helps[end]);
	tide_page_add(&text->page, ".");
	end_item(text);
}

static void write_truncated(struct tide_text *text, bool *any)
{
	for (uint32_t end = TIDE_STACK_COMPLETE + 1; end < TIDE_STACK_END_CNT; end++)
		write_truncated_by(text, end, any);
}

/* Counters that say that something was missed and that no sentence above has said. */
static void write_counters(struct tide_text *text, bool *any)
{
	static const struct {
		enum tide_stat stat;
		const char *help;
	} missed[] = {
#define X(id, name, help) {TIDE_STAT_##id, help},
		TIDE_STATS(X)
#undef X
	};
	const uint64_t said = 1 << TIDE_STAT_HITS | 1 << TIDE_STAT_ALLOCS | 1 << TIDE_STAT_FREES |
			      1 << TIDE_STAT_FREE_UNTRACKED | 1 << TIDE_STAT_ALLOC_FAILED |
			      1 << TIDE_STAT_NESTED | 1 << TIDE_STAT_LOST_EVENTS |
			      1 << TIDE_STAT_BLOCKS_FULL | 1 << TIDE_STAT_BLOCKS_NOMEM |
			      1 << TIDE_STAT_BLOCK_REPLACED | 1 << TIDE_STAT_STACK_TRUNCATED;
	char buf[TIDE_HUMAN_SZ];

	/* The ways stack walks end are told by write_truncated(), by site. */
	for (size_t i = 0; i < TIDE_STAT_STACKS_COMPLETE; i++) {
		uint64_t count = text->snap->coverage.stats[missed[i].stat];

		if (!count || said >> missed[i].stat & 1)
			continue;
		begin_item(text, any);
		tide_page_add(&text->page, "%s %s.", tide_human_count(count, buf), missed[i].help);
		end_item(text);
	}
}

static void write_bad_records(struct tide_text *text, bool *any)
{
	if (!text->snap->coverage.bad_records)
		return;
	begin_item(text, any);
	tide_text_add_count(text, text->snap->coverage.bad_records,
			    "record was damaged and thrown away.",
			    "records were damaged and thrown away.");
	end_item(text);
}

static void write_notes(struct tide_text *text, bool *any)
{
	for (size_t i = 0; i < text->snap->coverage.note_cnt; i++) {
		begin_item(text, any);
		tide_page_add_name(&text->page, text->snap->coverage.notes[i], SIZE_MAX);
		end_item(text);
	}
}

static void add_tier(struct tide_text *text)
{
	const struct tide_coverage_report *coverage = &text->snap->coverage;

	tide_page_add(&text->page, "tier %s", coverage->tier ? coverage->tier : "?");
	if (coverage->min_bytes) {
		tide_page_add(&text->page, ", from ");
		tide_text_add_bytes(text, coverage->min_bytes);
	}
	if (coverage->sample_bytes) {
		tide_page_add(&text->page, ", one sample per ");
		tide_text_add_bytes(text, coverage->sample_bytes);
	}
}

static void add_allocators(struct tide_text *text)
{
	const struct tide_coverage_report *coverage = &text->snap->coverage;

	tide_page_add(&text->page, coverage->allocator_cnt ? "; " : "; no allocator");
	for (size_t i = 0; i < coverage->allocator_cnt; i++) {
		const struct tide_allocator_report *allocator = &coverage->allocators[i];

		tide_page_add(&text->page, "%s", i ? ", " : "");
		tide_page_add_name(&text->page, allocator->name, 32);
		tide_page_add(&text->page, " (");
		tide_page_add_name(&text->page, allocator->object, 60);
		tide_page_add(&text->page, ", ");
		tide_page_add_name(&text->page, allocator->placement, 32);
		tide_page_add(&text->page, ")");
	}
}

static void add_cost(struct tide_text *text)
{
	const struct tide_coverage_report *coverage = &text->snap->coverage;

	tide_page_add(&text->page, "; ");
	tide_text_add_count(text, coverage->probe_hits, "probe hit", "probe hits");
	if (coverage->ns_per_hit > 0)
		tide_page_add(&text->page, " of %.1f us", coverage->ns_per_hit / 1000);
	if (coverage->cpu_pct >= 0)
		tide_page_add(&text->page, ", %.1f %% of the target's CPU time", coverage->cpu_pct);
	if (coverage->kernel_map_bytes) {
		tide_page_add(&text->page, ", ");
		tide_text_add_bytes(text, coverage->kernel_map_bytes);
		tide_page_add(&text->page, " of kernel memory");
	}
}

static void write_coverage_line(struct tide_text *text)
{
	const struct tide_coverage_report *coverage = &text->snap->coverage;

	tide_page_newline(&text->page);
	tide_page_add(&text->page, "Coverage: ");
	add_tier(text);
	add_allocators(text);
	tide_page_add(&text->page, "; ");
	tide_text_add_count(text, coverage->events, "event", "events");
	tide_page_add(&text->page, coverage->lost_events ? ", some lost" : ", none lost");
	add_cost(text);
	tide_page_add(&text->page, ".");
	tide_page_end_paragraph(&text->page, 0, 2);
}

void tide_text_coverage(struct tide_text *text)
{
	bool any = false;

	write_losses(text, &any);
	write_untracked(text, &any);
	write_truncated(text, &any);
	write_counters(text, &any);
	write_bad_records(text, &any);
	write_notes(text, &any);
	write_coverage_line(text);
}
