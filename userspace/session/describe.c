/* Everything of a report that is not the retention core's: who the process is, where its memory is,
 * what could not be seen, and names for return addresses.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/util.h"
#include "session/internal.h"
#include "symbolize/debuginfod.h"

_Static_assert(TIDE_STAT_CNT <= TIDE_ARRAY_CNT(((struct tide_coverage_report *)0)->stats),
	       "every counter has a place in the report");

static int copy_text(char **ret, const char *text)
{
	if (!text || !text[0])
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int describe_process(const struct tide_session *s,
			    const struct tide_session_report_opts *opts, struct tide_snapshot *snap)
{
	struct tide_process_report *p = &snap->process;
	int err = copy_text(&p->comm, s->proc.comm);

	if (!err)
		err = copy_text(&p->exe, s->proc.exe);
	if (!err)
		err = copy_text(&p->cgroup, s->cgroup);
	p->tgid = (uint32_t)s->proc.tgid;
	p->start_realtime_ns = s->proc.start_realtime_ns;
	p->limit_known = s->limit_known;
	p->limit_bytes = s->limit_bytes;
	p->ended = s->ended || opts->status_known;
	p->status_known = opts->status_known;
	p->wait_status = opts->wait_status;
	snap->wall_offset_ns = tide_clock_wall_offset_ns();
	return err;
}

/* RSS split by kind. smaps gives the kinds; of the anonymous memory, what our blocks occupy is
 * `live`, and the rest of the regions in which blocks lie is the allocator's: freed memory that it
 * keeps when every allocation was seen, else not to be told from blocks we never saw.
 */
static void describe_memory(const struct tide_session *s, struct tide_snapshot *snap)
{
	struct tide_memory_report *m = &snap->memory;
	const struct tide_rss *rss = &s->rss;
	uint64_t regions, live = 0;
	bool all_seen =
		s->opts.from_first && !s->opts.min_bytes && !snap->coverage.untracked_blocks;

	if (!s->rss_at_ns)
		return;
	m->known = true;
	m->read_at_ns = s->rss_at_ns;
	m->rss_bytes = rss->rss_bytes;
	m->peak_rss_bytes = rss->peak_rss_bytes;
	regions = rss->heap_bytes;
	if (snap->resident_known) {
		regions += tide_residency_marked_bytes(s->residency);
		for (size_t i = 0; i < snap->site_cnt; i++)
			live += snap->sites[i].resident_bytes;
	}
	if (regions > rss->heap_bytes + rss->anon_bytes)
		regions = rss->heap_bytes + rss->anon_bytes;
	if (live > regions)
		live = regions;
	m->part_bytes[TIDE_PART_LIVE] = live;
	m->part_bytes[all_seen && snap->resident_known ? TIDE_PART_ALLOCATOR_HELD
						       : TIDE_PART_HEAP_UNTRACKED] = regions - live;
	m->part_bytes[TIDE_PART_ANON_MMAP] = rss->heap_bytes + rss->anon_bytes - regions;
	m->part_bytes[TIDE_PART_STACK] = rss->stack_bytes;
	m->part_bytes[TIDE_PART_FILE] = rss->file_bytes;
	m->part_bytes[TIDE_PART_SHMEM] = rss->shmem_bytes;
	m->part_bytes[TIDE_PART_OTHER] = rss->other_bytes;
}

static int describe_allocators(const struct tide_session *s, struct tide_coverage_report *c)
{
	c->allocators = calloc(s->allocators.cnt, sizeof(*c->allocators));
	if (!c->allocators)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->allocators.cnt; i++) {
		const struct tide_allocator *a = &s->allocators.list[i];
		const struct tide_module *m = tide_modules_get(s->mods, a->module_id);
		struct tide_allocator_report *r = &c->allocators[c->allocator_cnt++];
		int err = copy_text(&r->name, a->name);

		if (!err)
			err = copy_text(&r->object, m->path);
		if (!err)
			err = copy_text(&r->build_id, m->build_id);
		if (!err)
			err = copy_text(&r->placement, tide_probe_placement(s->probe));
		if (err)
			return err;
	}
	return 0;
}

static int describe_coverage(struct tide_session *s, struct tide_snapshot *snap)
{
	struct tide_coverage_report *c = &snap->coverage;
	struct tide_collector_status status;
	int err = tide_probe_read_stats(s->probe, c->stats);

	if (err)
		return err;
	tide_collector_status(s->collector, &status);
	c->tier = "all";
	c->min_bytes = s->opts.min_bytes;
	c->events = status.events;
	c->resyncs = status.resyncs;
	s->resync_failures = status.resync_failures;
	c->lost_events = c->stats[TIDE_STAT_LOST_EVENTS];
	c->probe_hits = c->stats[TIDE_STAT_HITS];
	c->untracked_blocks = c->stats[TIDE_STAT_BLOCKS_FULL] + c->stats[TIDE_STAT_BLOCKS_NOMEM] +
			      c->stats[TIDE_STAT_PENDING_FULL] +
			      tide_retain_blocks_full_cnt(s->retain);
	c->bad_records = tide_probe_bad_records(s->probe);
	c->kernel_map_bytes =
		tide_probe_kernel_bytes(s->probe, status.live_blocks, status.site_cnt);
	c->cpu_pct = -1;
	return describe_allocators(s, c);
}

/* ---- names ---------------------------------------------------------------------------------- */

static int copy_frame(const struct tide_symbol *sym, struct tide_frame *frame)
{
	int err = copy_text(&frame->function, sym->function);

	if (!err)
		err = copy_text(&frame->file, sym->file);
	if (!err)
		err = copy_text(&frame->module, sym->module);
	if (!err)
		err = copy_text(&frame->build_id, sym->build_id);
	frame->offset = sym->offset;
	frame->line = sym->line;
	frame->inlined = sym->inlined;
	return err;
}

static int add_frames(struct tide_session *s, uint64_t ip, struct tide_site_report *site)
{
	struct tide_symbol syms[TIDE_MAX_INLINED];
	int cnt = tide_symbolizer_resolve(s->symbolizer, ip, syms);
	struct tide_frame *frames;

	if (cnt < 0)
		return cnt;
	frames = realloc(site->frames, (site->frame_cnt + (size_t)cnt) * sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	site->frames = frames;
	for (int i = 0; i < cnt; i++) {
		struct tide_frame *frame = &frames[site->frame_cnt++];
		int err;

		memset(frame, 0, sizeof(*frame));
		err = copy_frame(&syms[i], frame);
		if (err)
			return err;
	}
	return 0;
}

static int name_site(struct tide_session *s, struct tide_site_report *site, bool wanted)
{
	struct tide_stack stack;
	int err;

	site->stack_end = TIDE_STACK_NO_ROOM;
	if (!site->id || tide_probe_read_stack(s->probe, site->id, &stack))
		return 0;
	site->stack_end = stack.end < TIDE_STACK_END_CNT ? stack.end : TIDE_STACK_UNREADABLE;
	for (uint32_t i = 0; wanted && i < stack.frame_cnt && i < TIDE_MAX_FRAMES; i++) {
		err = add_frames(s, stack.ip[i], site);
		if (err)
			return err;
	}
	return 0;
}

static int name_sites(struct tide_session *s, const struct tide_session_report_opts *opts,
		      struct tide_snapshot *snap)
{
	size_t wanted =
		s->opts.named_sites_cnt < snap->site_cnt ? s->opts.named_sites_cnt : snap->site_cnt;

	for (size_t i = 0; i < snap->site_cnt; i++) {
		struct tide_site_report *site = &snap->sites[i];
		int err = name_site(s, site, i < wanted);

		if (err)
			return err;
		if (site->stack_end != TIDE_STACK_COMPLETE) {
			snap->coverage.truncated_stacks++;
			snap->coverage.truncated_bytes += site->live_bytes;
		}
		if (opts->progress && i < wanted)
			opts->progress(i + 1, wanted, opts->progress_ctx);
	}
	return 0;
}

/* ---- notes ---------------------------------------------------------------------------------- */

static int note_counts(const struct tide_session *s, struct tide_snapshot *snap)
{
	const struct tide_coverage_report *c = &snap->coverage;
	const uint64_t *stats = c->stats;
	char a[TIDE_HUMAN_SZ], b[TIDE_HUMAN_SZ];
	int err = 0;

	if (c->lost_events)
		err = tide_snapshot_note(
			snap,
			"%s records did not fit into the ring; the kernel's live map was read again %s times, so live figures are exact, series in between are not (a larger --ring-size helps).",
			tide_human_count(c->lost_events, a), tide_human_count(c->resyncs, b));
	if (!err && s->resync_failures)
		err = tide_snapshot_note(
			snap,
			"The live map could not be read again %s times (memory): figures may be off by what was lost.",
			tide_human_count(s->resync_failures, a));
	if (!err && c->untracked_blocks)
		err = tide_snapshot_note(
			snap,
			"%s blocks were not tracked because a table was full (--max-blocks %s): they are missing here.",
			tide_human_count(c->untracked_blocks, a),
			tide_human_count(s->opts.max_blocks, b));
	if (!err && (stats[TIDE_STAT_SITES_FULL] || tide_retain_sites_full_cnt(s->retain)))
		err = tide_snapshot_note(
			snap,
			"More than %s call sites: blocks of the others are in one site without a stack (--max-sites).",
			tide_human_count(s->opts.max_sites, a));
	if (!err && stats[TIDE_STAT_PENDING_STALE])
		err = tide_snapshot_note(
			snap,
			"%s allocator calls were entered and never seen to return (longjmp, or the kernel missed the return).",
			tide_human_count(stats[TIDE_STAT_PENDING_STALE], a));
	if (!err && stats[TIDE_STAT_BLOCK_REPLACED])
		err = tide_snapshot_note(
			snap,
			"%s blocks were handed out again without a seen free: this allocator also frees by functions that are not probed.",
			tide_human_count(stats[TIDE_STAT_BLOCK_REPLACED], a));
	if (!err && c->bad_records)
		err = tide_snapshot_note(
			snap, "%s records were malformed and ignored: please report this.",
			tide_human_count(c->bad_records, a));
	return err;
}

static int note_scope(const struct tide_session *s, struct tide_snapshot *snap)
{
	char a[TIDE_HUMAN_SZ];
	int err = 0;

	if (!s->opts.from_first)
		err = tide_snapshot_note(
			snap, "Blocks allocated before the attach are not in these figures.");
	if (!err && s->opts.min_bytes)
		err = tide_snapshot_note(snap,
					 "Allocations below %s were not tracked (--min-size).",
					 tide_human_bytes(s->opts.min_bytes, a));
	if (!err)
		err = tide_snapshot_note(
			snap,
			"Memory that the program maps itself (mmap, brk) is in the RSS split but has no sites.");
	if (!err && tide_modules_incomplete(s->mods))
		err = tide_snapshot_note(
			snap,
			"Not every mapped file could be looked at (too many, or not readable): names, stacks and allocators of the others are missing.");
	if (!err && s->residency && tide_residency_truncated(s->residency))
		err = tide_snapshot_note(
			snap,
			"More memory is mapped than residency is kept for: resident bytes of blocks beyond it count as 0.");
	if (!err && s->allocators.main_is_go)
		err = tide_snapshot_note(
			snap, "This is a Go program: only its C part is seen, not Go's own heap.");
	if (!err && s->opts.debuginfod && !tide_debuginfod_usable())
		err = tide_snapshot_note(
			snap,
			"No debug files were fetched: DEBUGINFOD_URLS names no server, or libdebuginfod is not installed.");
	if (!err && s->allocators.truncated)
		err = tide_snapshot_note(
			snap, "More than %d allocators are mapped; the others were not probed.",
			TIDE_MAX_ALLOCATORS);
	if (!err && s->followed_cnt)
		err = tide_snapshot_note(
			snap,
			"The thread that probes follow ended %s times; what was allocated and freed in the moment until another one was followed is missing.",
			tide_human_count(s->followed_cnt, a));
	if (!err && s->execed)
		err = tide_snapshot_note(
			snap,
			"The process began another program (exec); the figures are those of the former one, up to that moment.");
	if (!err && (s->ended || s->execed) && snap->memory.known)
		err = tide_snapshot_note(
			snap,
			"RSS, its parts and resident bytes were read %s before the end of the session.",
			tide_human_duration(snap->end_ns - snap->memory.read_at_ns, a));
	return err;
}

int tide_describe(struct tide_session *s, const struct tide_session_report_opts *opts,
		  struct tide_snapshot *snap)
{
	int err = describe_process(s, opts, snap);

	if (!err)
		err = describe_coverage(s, snap);
	if (err)
		return err;
	describe_memory(s, snap);
	if (!s->ended && !s->execed)
		(void)tide_session_read_code(s);
	tide_symbolizer_refresh(s->symbolizer);
	err = name_sites(s, opts, snap);
	if (!err)
		err = note_counts(s, snap);
	if (!err)
		err = note_scope(s, snap);
	return err;
}
