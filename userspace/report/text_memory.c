#include "report/text.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/human.h"
#include "base/util.h"
#include "report/frame_name.h"
#include "report/wall.h"

static const char *part_help(enum tide_part part)
{
	static const char *const helps[] = {
#define X(id, name, help) [TIDE_PART_##id] = help,
		TIDE_PARTS(X)
#undef X
	};

	return helps[part];
}

/* The greatest part that is smaller than last (or equal and listed after it). */
static int next_part(const struct tide_memory_report *memory, int last)
{
	int best = -1;

	for (int part = 0; part < TIDE_PART_CNT; part++) {
		uint64_t bytes = memory->part_bytes[part];

		if (!bytes)
			continue;
		if (last >= 0 && (bytes > memory->part_bytes[last] ||
				  (bytes == memory->part_bytes[last] && part <= last)))
			continue;
		if (best < 0 || bytes > memory->part_bytes[best])
			best = part;
	}
	return best;
}

static void write_title(struct tide_text *text, const char *title)
{
	tide_page_newline(&text->page);
	tide_page_style(&text->page, TIDE_STYLE_STRONG);
	tide_page_print(&text->page, "%s", title);
	tide_page_style(&text->page, TIDE_STYLE_PLAIN);
	tide_page_newline(&text->page);
}

void tide_text_memory(struct tide_text *text)
{
	const struct tide_memory_report *memory = &text->snap->memory;
	char buf[TIDE_HUMAN_SZ];

	if (!memory->known || !memory->rss_bytes)
		return;
	write_title(text, "Where the resident memory is");
	for (int part = next_part(memory, -1); part >= 0; part = next_part(memory, part)) {
		double pct = 100.0 * memory->part_bytes[part] / memory->rss_bytes;
		char share[16];

		snprintf(share, sizeof(share), pct < 0.5 ? "<1" : "%.0f", pct);
		tide_page_print(&text->page, "    %7s  %3s %%  %-14s  ",
				tide_human_bytes(memory->part_bytes[part], buf), share,
				tide_part_name(part));
		tide_page_add(&text->page, "%s", part_help(part));
		tide_page_end_paragraph(&text->page, 35, 35);
	}
}

/* The place of a site in the list above, 0 when it is not shown there. */
static size_t rank_of(const struct tide_text *text, const struct tide_site_report *site)
{
	const struct tide_snapshot *snap = text->snap;
	size_t rank = 0;

	for (size_t i = 0; i < snap->site_cnt; i++) {
		if (tide_text_lists(text, &snap->sites[i]))
			rank++;
		if (&snap->sites[i] == site)
			return rank <= text->opts->top_cnt ? rank : 0;
	}
	return 0;
}

static const struct tide_site_report *find_site(const struct tide_snapshot *snap, uint64_t id)
{
	for (size_t i = 0; i < snap->site_cnt; i++)
		if (snap->sites[i].id == id)
			return &snap->sites[i];
	return NULL;
}

static void write_block(struct tide_text *text, const struct tide_block_report *block)
{
	/* Indent, size, address and rank with what separates them; the longest moment. */
	const size_t taken = 4 + 7 + 2 + 14 + 2 + 7 + 2, moment_columns = 36;
	const struct tide_site_report *site = find_site(text->snap, block->site_id);
	size_t rank = site ? rank_of(text, site) : 0;
	size_t room = text->page.width > taken + moment_columns
			      ? text->page.width - taken - moment_columns
			      : 0;
	TIDE_AUTO_FREE char *label =
		site ? tide_site_label(site, room, text->opts->short_names) : NULL;
	char buf[TIDE_HUMAN_SZ], rank_text[32] = "";

	if (rank)
		snprintf(rank_text, sizeof(rank_text), "site %zu", rank);
	tide_page_print(&text->page, "    %7s  0x%012" PRIx64 "  %-7s  ",
			tide_human_bytes(block->block_bytes, buf), block->addr, rank_text);
	tide_page_add(&text->page, "born ");
	tide_text_add_moment(text, block->birth_ns);
	if (label)
		tide_page_add(&text->page, ", %s", label);
	tide_page_end_paragraph(&text->page, taken, taken);
}

void tide_text_blocks(struct tide_text *text)
{
	write_title(text, "Largest live blocks");
	if (!text->snap->block_cnt)
		tide_page_print(&text->page, "    none\n");
	for (size_t i = 0; i < text->snap->block_cnt; i++)
		write_block(text, &text->snap->blocks[i]);
}
