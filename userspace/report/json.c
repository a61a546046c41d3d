/* Schema 1. Fields may be added; names, types and the order of what is there stay. */
#include "report/report.h"

#include <sys/wait.h>

#include "base/util.h"
#include "bpf/abi/event.h"
#include "bpf/abi/stats.h"
#include "encode/json.h"
#include "report/frame_name.h"
#include "report/wall.h"

#define SCHEMA 1

/* One document being made. failed: a part of it lacks something for want of memory. */
struct doc {
	const struct tide_snapshot *snap;
	bool failed;
};

static void put(struct doc *doc, json_t *object, const char *key, json_t *value)
{
	tide_json_put(object, key, value, &doc->failed);
}

static void put_u64(struct doc *doc, json_t *object, const char *key, uint64_t number)
{
	put(doc, object, key, tide_json_u64(number));
}

/* A number that may be unknown. */
static void put_known(struct doc *doc, json_t *object, const char *key, bool known, uint64_t number)
{
	put(doc, object, key, known ? tide_json_u64(number) : json_null());
}

static void put_text(struct doc *doc, json_t *object, const char *key, const char *bytes)
{
	put(doc, object, key, tide_json_text(bytes));
}

static void put_time(struct doc *doc, json_t *object, const char *key, uint64_t monotonic_ns)
{
	put(doc, object, key, tide_json_time(tide_wall_ns(doc->snap, monotonic_ns)));
}

static json_t *make_tool(struct doc *doc)
{
	json_t *tool = json_object();

	put_text(doc, tool, "name", "tidemark");
	put_text(doc, tool, "version", TIDE_VERSION);
	return tool;
}

static json_t *make_process(struct doc *doc)
{
	const struct tide_process_report *process = &doc->snap->process;
	bool exited = process->status_known && WIFEXITED(process->wait_status);
	bool killed = process->status_known && WIFSIGNALED(process->wait_status);
	json_t *object = json_object();

	put_u64(doc, object, "pid", process->tgid);
	put_text(doc, object, "comm", process->comm);
	put_text(doc, object, "exe", process->exe);
	put(doc, object, "start_time", tide_json_time(process->start_realtime_ns));
	put_text(doc, object, "cgroup", process->cgroup);
	put_known(doc, object, "limit_bytes", process->limit_known, process->limit_bytes);
	put(doc, object, "ended", json_boolean(process->ended));
	put_known(doc, object, "exit_code", process->ended && exited,
		  exited ? WEXITSTATUS(process->wait_status) : 0);
	put_known(doc, object, "exit_signal", process->ended && killed,
		  killed ? WTERMSIG(process->wait_status) : 0);
	return object;
}

static json_t *make_window(struct doc *doc)
{
	const struct tide_snapshot *snap = doc->snap;
	json_t *object = json_object();

	put_time(doc, object, "start", snap->start_ns);
	put_time(doc, object, "end", snap->end_ns);
	put(doc, object, "seconds", tide_json_seconds(tide_age_ns(snap, snap->start_ns)));
	put(doc, object, "hold_seconds", tide_json_seconds(snap->hold_ns));
	put(doc, object, "older_seconds",
	    snap->older_ns ? tide_json_seconds(snap->older_ns) : json_null());
	return object;
}

static json_t *make_allocators(struct doc *doc)
{
	const struct tide_coverage_report *coverage = &doc->snap->coverage;
	json_t *array = json_array();

	for (size_t i = 0; i < coverage->allocator_cnt; i++) {
		const struct tide_allocator_report *allocator = &coverage->allocators[i];
		json_t *object = json_object();

		put_text(doc, object, "name", allocator->name);
		put_text(doc, object, "object", allocator->object);
		put_text(doc, object, "build_id", allocator->build_id);
		put_text(doc, object, "placement", allocator->placement);
		tide_json_append(array, object, &doc->failed);
	}
	return array;
}

static json_t *make_overhead(struct doc *doc)
{
	const struct tide_coverage_report *coverage = &doc->snap->coverage;
	json_t *object = json_object();

	put_u64(doc, object, "probe_hits", coverage->probe_hits);
	put(doc, object, "ns_per_hit",
	    coverage->ns_per_hit > 0 ? tide_json_real(coverage->ns_per_hit) : json_null());
	put(doc, object, "cpu_pct",
	    coverage->cpu_pct >= 0 ? tide_json_real(coverage->cpu_pct) : json_null());
	return object;
}

static json_t *make_counters(struct doc *doc)
{
	const uint64_t *stats = doc->snap->coverage.stats;
	json_t *object = json_object();

	_Static_assert(TIDE_STAT_CNT <= TIDE_ARRAY_CNT(doc->snap->coverage.stats), "snapshot.h");
#define X(id, name, help) put_u64(doc, object, name, stats[TIDE_STAT_##id]);
	TIDE_STATS(X)
#undef X
	return object;
}

static json_t *make_notes(struct doc *doc)
{
	const struct tide_coverage_report *coverage = &doc->snap->coverage;
	json_t *array = json_array();

	for (size_t i = 0; i < coverage->note_cnt; i++)
		tide_json_append(array, tide_json_text(coverage->notes[i]), &doc->failed);
	return array;
}

static const char *stack_end_name(uint32_t end)
{
	static const char *const names[] = {
#define X(id, name, help) [TIDE_STACK_##id] = name,
		TIDE_STACK_ENDS(X)
#undef X
	};

	return end < TIDE_ARRAY_CNT(names) ? names[end] : NULL;
}

/* Why stacks stop early, with the sites and live bytes of each reason that occurs. */
static json_t *make_truncated(struct doc *doc)
{
	uint64_t sites[TIDE_STACK_END_CNT] = {0}, bytes[TIDE_STACK_END_CNT] = {0};
	json_t *array = json_array();

	for (size_t i = 0; i < doc->snap->site_cnt; i++) {
		const struct tide_site_report *site = &doc->snap->sites[i];

		if (site->stack_end >= TIDE_STACK_END_CNT)
			continue;
		sites[site->stack_end]++;
		bytes[site->stack_end] += site->live_bytes;
	}
	for (uint32_t end = TIDE_STACK_COMPLETE + 1; end < TIDE_STACK_END_CNT; end++) {
		json_t *object;

		if (!sites[end])
			continue;
		object = json_object();
		put_text(doc, object, "reason", stack_end_name(end));
		put_u64(doc, object, "sites", sites[end]);
		put_u64(doc, object, "bytes", bytes[end]);
		tide_json_append(array, object, &doc->failed);
	}
	return array;
}

static json_t *make_coverage(struct doc *doc)
{
	const struct tide_coverage_report *coverage = &doc->snap->coverage;
	json_t *object = json_object();

	put_text(doc, object, "tier", coverage->tier);
	put_u64(doc, object, "min_bytes", coverage->min_bytes);
	put_known(doc, object, "sample_bytes", coverage->sample_bytes, coverage->sample_bytes);
	put(doc, object, "allocators", make_allocators(doc));
	put_u64(doc, object, "events", coverage->events);
	put_u64(doc, object, "lost_events", coverage->lost_events);
	put_u64(doc, object, "resyncs", coverage->resyncs);
	put_u64(doc, object, "untracked_blocks", coverage->untracked_blocks);
	put_u64(doc, object, "truncated_stacks", coverage->truncated_stacks);
	put_u64(doc, object, "truncated_bytes", coverage->truncated_bytes);
	put(doc, object, "truncated", make_truncated(doc));
	put_u64(doc, object, "bad_records", coverage->bad_records);
	put_u64(doc, object, "kernel_map_bytes", coverage->kernel_map_bytes);
	put(doc, object, "overhead", make_overhead(doc));
	put(doc, object, "counters", make_counters(doc));
	put(doc, object, "notes", make_notes(doc));
	return object;
}

/* All kinds or, when the memory could not be read, none. */
static json_t *make_parts(struct doc *doc)
{
	const struct tide_memory_report *memory = &doc->snap->memory;
	json_t *array = json_array();

	for (int part = 0; memory->known && part < TIDE_PART_CNT; part++) {
		json_t *object = json_object();

		put_text(doc, object, "kind", tide_part_name(part));
		put_u64(doc, object, "bytes", memory->part_bytes[part]);
		tide_json_append(array, object, &doc->failed);
	}
	return array;
}

static json_t *make_memory(struct doc *doc)
{
	const struct tide_memory_report *memory = &doc->snap->memory;
	json_t *object = json_object();

	put_known(doc, object, "rss_bytes", memory->known, memory->rss_bytes);
	put_known(doc, object, "peak_rss_bytes", memory->known, memory->peak_rss_bytes);
	put(doc, object, "parts", make_parts(doc));
	if (memory->known)
		put_time(doc, object, "read_at", memory->read_at_ns);
	else
		put(doc, object, "read_at", json_null());
	return object;
}

static json_t *make_totals(struct doc *doc)
{
	const struct tide_snapshot *snap = doc->snap;
	json_t *object = json_object();

	put_u64(doc, object, "live_bytes", snap->live_bytes);
	put_u64(doc, object, "live_blocks", snap->live_blocks);
	put_u64(doc, object, "held_bytes", snap->held_bytes);
	put_known(doc, object, "reclaimable_bytes", snap->reclaimable_known,
		  snap->reclaimable_bytes);
	return object;
}

static json_t *make_ratchets(struct doc *doc, const struct tide_site_report *site)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < site->ratchet_cnt && i < TIDE_MAX_RATCHETS; i++) {
		json_t *object = json_object();

		put_time(doc, object, "at", site->ratchets[i].at_ns);
		put_u64(doc, object, "from_bytes", site->ratchets[i].from_bytes);
		put_u64(doc, object, "to_bytes", site->ratchets[i].to_bytes);
		tide_json_append(array, object, &doc->failed);
	}
	return array;
}

static json_t *make_stack(struct doc *doc, const struct tide_site_report *site)
{
	json_t *array = json_array();

	for (size_t i = 0; i < site->frame_cnt; i++) {
		const struct tide_frame *frame = &site->frames[i];
		json_t *object = json_object();

		put_text(doc, object, "function", frame->function);
		put_text(doc, object, "file", frame->file);
		put_known(doc, object, "line", frame->line, frame->line);
		put_text(doc, object, "module", frame->module);
		put_text(doc, object, "build_id", frame->build_id);
		put_u64(doc, object, "offset", frame->offset);
		put(doc, object, "inlined", json_boolean(frame->inlined));
		tide_json_append(array, object, &doc->failed);
	}
	return array;
}

static void put_site_figures(struct doc *doc, json_t *object, const struct tide_site_report *site)
{
	const struct tide_snapshot *snap = doc->snap;

	put_u64(doc, object, "live_bytes", site->live_bytes);
	put_u64(doc, object, "live_blocks", site->live_blocks);
	put_known(doc, object, "resident_bytes", snap->resident_known, site->resident_bytes);
	put_u64(doc, object, "held_bytes", site->held_bytes);
	put_u64(doc, object, "peak_bytes", site->peak_bytes);
	put_time(doc, object, "peak_at", site->peak_ns);
	put_u64(doc, object, "floor_bytes", site->floor_bytes);
	put_u64(doc, object, "allocated_bytes", site->allocated_bytes);
	put_u64(doc, object, "allocated_blocks", site->allocated_blocks);
	put_u64(doc, object, "freed_bytes", site->freed_bytes);
	put_u64(doc, object, "freed_blocks", site->freed_blocks);
	put(doc, object, "oldest_block_seconds",
	    site->oldest_birth_ns ? tide_json_seconds(tide_age_ns(snap, site->oldest_birth_ns))
				  : json_null());
	put_u64(doc, object, "shown_bytes", site->shown_bytes);
	put_u64(doc, object, "shown_blocks", site->shown_blocks);
	put_known(doc, object, "reclaimable_bytes", site->reclaimable_known,
		  site->reclaimable_bytes);
}

static json_t *make_site(struct doc *doc, const struct tide_site_report *site)
{
	const struct tide_frame *headline = tide_site_frame(site);
	json_t *object = json_object();

	put(doc, object, "id", tide_json_hex64(site->id));
	put_text(doc, object, "verdict", tide_verdict_name(site->verdict));
	put_text(doc, object, "evidence", tide_evidence_name(site->evidence));
	put_text(doc, object, "why", site->why);
	put_text(doc, object, "fix", site->fix);
	put_site_figures(doc, object, site);
	put(doc, object, "structure", json_null());
	put(doc, object, "ratchets", make_ratchets(doc, site));
	put_u64(doc, object, "ratchets_dropped", site->ratchet_dropped_cnt);
	put(doc, object, "stack", make_stack(doc, site));
	put_text(doc, object, "stack_end", stack_end_name(site->stack_end));
	put_known(doc, object, "headline", headline, headline ? headline - site->frames : 0);
	return object;
}

static json_t *make_block(struct doc *doc, const struct tide_block_report *block)
{
	json_t *object = json_object();

	put(doc, object, "address", tide_json_hex64(block->addr));
	put_u64(doc, object, "bytes", block->block_bytes);
	put_time(doc, object, "born_at", block->birth_ns);
	put(doc, object, "age_seconds", tide_json_seconds(tide_age_ns(doc->snap, block->birth_ns)));
	put(doc, object, "site", tide_json_hex64(block->site_id));
	return object;
}

/* A value with something missing is not written: the document ends there. */
static json_t *whole(struct doc *doc, json_t *value)
{
	if (!doc->failed)
		return value;
	json_decref(value);
	return NULL;
}

static void write_sites(struct doc *doc, struct tide_json_writer *writer)
{
	tide_json_begin_array(writer, "sites");
	for (size_t i = 0; i < doc->snap->site_cnt && !writer->err; i++)
		tide_json_element(writer, whole(doc, make_site(doc, &doc->snap->sites[i])));
	tide_json_end_array(writer);
}

static void write_blocks(struct doc *doc, struct tide_json_writer *writer)
{
	tide_json_begin_array(writer, "blocks");
	for (size_t i = 0; i < doc->snap->block_cnt && !writer->err; i++)
		tide_json_element(writer, whole(doc, make_block(doc, &doc->snap->blocks[i])));
	tide_json_end_array(writer);
}

int tide_report_json(FILE *out, const struct tide_snapshot *snap,
		     const struct tide_report_opts *opts)
{
	struct tide_json_writer writer;
	struct doc doc = {.snap = snap};

	tide_json_begin(&writer, out);
	tide_json_member(&writer, "schema", tide_json_u64(SCHEMA));
	tide_json_member(&writer, "tool", whole(&doc, make_tool(&doc)));
	tide_json_member(&writer, "process", whole(&doc, make_process(&doc)));
	tide_json_member(&writer, "window", whole(&doc, make_window(&doc)));
	tide_json_member(&writer, "coverage", whole(&doc, make_coverage(&doc)));
	tide_json_member(&writer, "memory", whole(&doc, make_memory(&doc)));
	tide_json_member(&writer, "totals", whole(&doc, make_totals(&doc)));
	write_sites(&doc, &writer);
	if (opts->show_blocks)
		write_blocks(&doc, &writer);
	return tide_json_end(&writer);
}
