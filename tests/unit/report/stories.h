/* Snapshots built by hand, and their comparison with what tests/golden holds.
 *
 * The moment is fixed: 2026-11-22 14:07:12 UTC, ten hours after the machine was started.
 * UPDATE_GOLDEN=1 writes the files instead of comparing; read the difference before it is kept.
 */
#ifndef TIDE_TESTS_UNIT_REPORT_STORIES_H
#define TIDE_TESTS_UNIT_REPORT_STORIES_H

#include "harness/test.h"

#include <errno.h>
#include <signal.h>

#include "base/util.h"
#include "bpf/abi/event.h"
#include "bpf/abi/stats.h"
#include "report/report.h"

#define KB	(1024ULL)
#define MB	(1024 * KB)
#define GB	(1024 * MB)
#define SEC	TIDE_NS_PER_SEC
#define MIN	(60 * SEC)
#define NOW_NS	(10 * 60 * MIN)
#define WALL_NS 1795356432000000000ULL

#define BUILD_ID "53d9b8c1e0a24fb68cbbb9f3a0f54a7d0f3e1a22"

struct frame_spec {
	const char *function, *file, *module;
	uint64_t offset;
	uint32_t line;
	bool inlined;
};

static inline char *copy(const char *text)
{
	char *copied = text ? strdup(text) : NULL;

	assert_true(!text || copied);
	return copied;
}

static inline void set_frames(struct tide_site_report *site, const struct frame_spec *specs,
			      size_t cnt)
{
	site->frames = calloc(cnt, sizeof(*site->frames));
	assert_non_null(site->frames);
	site->frame_cnt = cnt;
	for (size_t i = 0; i < cnt; i++)
		site->frames[i] = (struct tide_frame){
			.function = copy(specs[i].function),
			.file = copy(specs[i].file),
			.module = copy(specs[i].module),
			.build_id = copy(specs[i].module ? BUILD_ID : NULL),
			.offset = specs[i].offset,
			.line = specs[i].line,
			.inlined = specs[i].inlined,
		};
}

#define FRAME(function, file, line, module, offset)         \
	{                                                   \
		function, file, module, offset, line, false \
	}
#define INLINED(function, file, line, module, offset)      \
	{                                                  \
		function, file, module, offset, line, true \
	}
#define BARE(function, module, offset)                   \
	{                                                \
		function, NULL, module, offset, 0, false \
	}
#define SET_FRAMES(site, ...)                                      \
	set_frames(site, (const struct frame_spec[]){__VA_ARGS__}, \
		   TIDE_ARRAY_CNT(((const struct frame_spec[]){__VA_ARGS__})))

#define BATCHD	"/usr/local/bin/batchd"
#define LIBC	"/usr/lib/x86_64-linux-gnu/libc.so.6"
#define BATCH_C "/src/batchd/batch.c"

/* A process that was watched for 31 minutes and is well. */
static inline struct tide_snapshot *new_snapshot(size_t site_cnt)
{
	struct tide_snapshot *snap = NULL;

	assert_ok(tide_snapshot_new(&snap));
	snap->process = (struct tide_process_report){
		.tgid = 4242,
		.comm = copy("batchd"),
		.exe = copy(BATCHD),
		.cgroup = copy("/system.slice/batchd.service"),
		.start_realtime_ns = WALL_NS - 120 * MIN,
	};
	snap->start_ns = NOW_NS - 31 * MIN;
	snap->end_ns = NOW_NS;
	snap->hold_ns = 5 * MIN;
	snap->wall_offset_ns = WALL_NS - NOW_NS;
	snap->coverage.tier = "all";
	snap->coverage.cpu_pct = -1;
	snap->sites = calloc(site_cnt + 1, sizeof(*snap->sites));
	assert_non_null(snap->sites);
	snap->site_cnt = site_cnt;
	return snap;
}

static inline void set_glibc(struct tide_snapshot *snap)
{
	struct tide_coverage_report *coverage = &snap->coverage;

	coverage->allocators = calloc(1, sizeof(*coverage->allocators));
	assert_non_null(coverage->allocators);
	coverage->allocator_cnt = 1;
	coverage->allocators[0] = (struct tide_allocator_report){
		.name = copy("glibc"),
		.object = copy(LIBC),
		.build_id = copy(BUILD_ID),
		.placement = copy("entry+return"),
	};
	coverage->events = 1234567;
	coverage->probe_hits = 2469134;
	coverage->ns_per_hit = 1850;
	coverage->cpu_pct = 0.9;
	coverage->stats[TIDE_STAT_HITS] = 2469134;
	coverage->stats[TIDE_STAT_ALLOCS] = 617600;
	coverage->stats[TIDE_STAT_FREES] = 616967;
}

static inline void set_memory(struct tide_snapshot *snap)
{
	uint64_t *parts = snap->memory.part_bytes;

	snap->memory.known = true;
	snap->memory.read_at_ns = NOW_NS;
	snap->memory.rss_bytes = 960 * MB;
	snap->memory.peak_rss_bytes = 971 * MB;
	parts[TIDE_PART_LIVE] = 823 * MB;
	parts[TIDE_PART_HEAP_UNTRACKED] = 120 * MB;
	parts[TIDE_PART_FILE] = 9 * MB;
	parts[TIDE_PART_STACK] = 7 * MB + 512 * KB;
	parts[TIDE_PART_OTHER] = 512 * KB;
	snap->process.limit_known = true;
	snap->process.limit_bytes = 1229 * MB;
	snap->resident_known = true;
}

/* A site with blocks of one age. */
static inline void set_live(struct tide_site_report *site, uint64_t bytes, uint64_t blocks,
			    uint64_t age_ns)
{
	site->live_bytes = site->shown_bytes = site->resident_bytes = bytes;
	site->live_blocks = site->shown_blocks = blocks;
	site->held_bytes = age_ns >= 5 * MIN ? bytes : 0;
	site->peak_bytes = bytes;
	site->peak_ns = site->oldest_birth_ns = NOW_NS - age_ns;
	site->floor_bytes = bytes;
	site->allocated_bytes = bytes;
	site->allocated_blocks = blocks;
}

static inline void sum_up(struct tide_snapshot *snap)
{
	for (size_t i = 0; i < snap->site_cnt; i++) {
		snap->live_bytes += snap->sites[i].live_bytes;
		snap->live_blocks += snap->sites[i].live_blocks;
		snap->held_bytes += snap->sites[i].held_bytes;
	}
}

static inline void set_table_site(struct tide_site_report *site)
{
	site->id = 0xc0ffee0012345678;
	site->verdict = TIDE_VERDICT_HIGH_WATER;
	site->why = copy("rose from 135 MB to 810 MB in one step 5 min 1 s ago and has not come "
			 "down since; nothing was freed there for 5 min 1 s");
	set_live(site, 810 * MB, 1, 5 * MIN + SEC);
	site->allocated_bytes = 4315 * MB;
	site->allocated_blocks = 1204;
	site->freed_bytes = 3505 * MB;
	site->freed_blocks = 1203;
	site->ratchets[0] = (struct tide_ratchet){NOW_NS - 5 * MIN - SEC, 135 * MB, 810 * MB};
	site->ratchet_cnt = 1;
	SET_FRAMES(site, FRAME("table_resize", BATCH_C, 88, BATCHD, 0x1a2f),
		   INLINED("table_grow", BATCH_C, 101, BATCHD, 0x1b10),
		   FRAME("table_insert", BATCH_C, 120, BATCHD, 0x1b10),
		   FRAME("load_cycle", BATCH_C, 233, BATCHD, 0x1c44),
		   FRAME("main", BATCH_C, 301, BATCHD, 0x1d02),
		   BARE("__libc_start_call_main", LIBC, 0x2724a),
		   BARE("__libc_start_main", LIBC, 0x27305), BARE("_start", BATCHD, 0x1131));
}

static inline void set_growing_site(struct tide_site_report *site)
{
	site->id = 2;
	site->verdict = TIDE_VERDICT_GROWING;
	site->why = copy("its floor rose in each of the last 6 windows of 5 min, from 3.1 MB to "
			 "11 MB over 30 min, and is still rising");
	set_live(site, 11 * MB, 1100, 28 * MIN);
	site->held_bytes = 9 * MB;
	site->resident_bytes = 10 * MB + 500 * KB;
	site->peak_ns = NOW_NS - 4 * SEC;
	site->floor_bytes = 10 * MB;
	for (uint32_t i = 0; i < 5; i++)
		site->ratchets[i] = (struct tide_ratchet){NOW_NS - (26 - 5 * i) * MIN, (3 + i) * MB,
							  (4 + i) * MB};
	site->ratchet_cnt = 5;
	site->ratchet_dropped_cnt = 2;
	SET_FRAMES(
		site,
		BARE("operator new(unsigned long)", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		     0xb3bcc),
		FRAME("void std::vector<session*, std::allocator<session*> >::"
		      "_M_realloc_insert<session*>(__gnu_cxx::__normal_iterator<session**, "
		      "std::vector<session*, std::allocator<session*> > >, session*&&)",
		      "/usr/include/c++/12/bits/vector.tcc", 440, BATCHD, 0x2a10),
		FRAME("session_pool::add(session*)", "/src/batchd/session.cc", 61, BATCHD, 0x2b00),
		FRAME("accept_loop(int)", "/src/batchd/server.cc", 145, BATCHD, 0x2c18));
	site->stack_end = TIDE_STACK_NO_FRAME_POINTER;
}

static inline void set_steady_site(struct tide_site_report *site, uint64_t id, uint64_t bytes,
				   const char *function)
{
	site->id = id;
	site->verdict = TIDE_VERDICT_STEADY;
	site->why = copy("level: never above what it needs now");
	set_live(site, bytes, bytes / 512 + 1, 30 * MIN);
	SET_FRAMES(site, FRAME(function, "/src/batchd/config.c", 40, BATCHD, 0x3000),
		   FRAME("config_load", "/src/batchd/config.c", 12, BATCHD, 0x3100),
		   FRAME("main", BATCH_C, 290, BATCHD, 0x1cf0));
}

/* The story of DESIGN section 1. */
static inline struct tide_snapshot *story(void)
{
	struct tide_snapshot *snap = new_snapshot(7);

	set_glibc(snap);
	set_memory(snap);
	set_table_site(&snap->sites[0]);
	set_growing_site(&snap->sites[1]);
	set_steady_site(&snap->sites[2], 3, 1300 * KB, "config_parse");
	set_steady_site(&snap->sites[3], 4, 600 * KB, "config_copy");
	set_steady_site(&snap->sites[4], 5, 80 * KB, "config_index");
	set_steady_site(&snap->sites[5], 6, 30 * KB, "config_name");
	set_steady_site(&snap->sites[6], 7, 0, "config_free");
	snap->sites[6].live_blocks = snap->sites[6].shown_blocks = 0;
	snap->sites[4].verdict = TIDE_VERDICT_RELEASED;
	free(snap->sites[4].why);
	snap->sites[4].why = copy("came down from a peak of 200 MB 12 min ago to 80 KB");
	sum_up(snap);
	assert_ok(tide_snapshot_note(snap,
				     "Blocks that were allocated before the attach, %s ago, "
				     "are not known; they show as heap-untracked.",
				     "31 min"));
	return snap;
}

/* Killed while it was watched, before its memory could be read. */
static inline struct tide_snapshot *killed(void)
{
	struct tide_snapshot *snap = new_snapshot(1);

	set_glibc(snap);
	set_table_site(&snap->sites[0]);
	sum_up(snap);
	snap->process.ended = true;
	snap->process.status_known = true;
	snap->process.wait_status = SIGKILL;
	return snap;
}

/* Everything that can be missed was missed. */
static inline struct tide_snapshot *losses(void)
{
	struct tide_snapshot *snap = new_snapshot(1);
	struct tide_coverage_report *coverage = &snap->coverage;

	set_glibc(snap);
	set_steady_site(&snap->sites[0], 9, 5 * MB, "read_all");
	set_live(&snap->sites[0], 5 * MB, 10241, 11 * SEC);
	free(snap->sites[0].frames[2].function);
	snap->sites[0].frames[2].function = copy("config_reload");
	snap->sites[0].stack_end = TIDE_STACK_UNREADABLE;
	sum_up(snap);
	snap->start_ns = NOW_NS - 12 * SEC;
	coverage->lost_events = 1234;
	coverage->resyncs = 3;
	coverage->untracked_blocks = 70;
	coverage->truncated_stacks = 1;
	coverage->truncated_bytes = 5 * MB;
	coverage->bad_records = 1;
	coverage->ns_per_hit = 0;
	coverage->cpu_pct = -1;
	coverage->kernel_map_bytes = 48 * MB;
	coverage->stats[TIDE_STAT_PENDING_FULL] = 17;
	coverage->stats[TIDE_STAT_LOST_EVENTS] = 1234;
	return snap;
}

/* Names that would drive the terminal, are no UTF-8, pose as others, or never end. */
static inline struct tide_snapshot *hostile(void)
{
	struct tide_snapshot *snap = new_snapshot(2);
	char endless[3000];

	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	set_glibc(snap);
	set_table_site(&snap->sites[0]);
	free(snap->sites[0].frames[0].function);
	free(snap->sites[0].frames[0].file);
	snap->sites[0].frames[0].function = copy("\033]0;owned\a\033[2J\xff\xfe"
						 "evil");
	snap->sites[0].frames[0].file = copy("/src/\xe2\x80\xae"
					     "c.hctab\n\r.c");
	set_live(&snap->sites[1], 10, 1, 30 * MIN);
	snap->sites[1].id = UINT64_MAX;
	snap->sites[1].why = copy("100 %s %n \033[31m");
	SET_FRAMES(&snap->sites[1], FRAME(endless,
					  "gr\xc3\xb6\xc3\x9f"
					  "e.c",
					  1, "/bin/a", 1));
	free(snap->process.comm);
	snap->process.comm = copy("\x1b[5mblink");
	sum_up(snap);
	return snap;
}

/* Nothing to follow in it. */
static inline struct tide_snapshot *empty(void)
{
	struct tide_snapshot *snap = new_snapshot(0);

	set_memory(snap);
	memset(snap->memory.part_bytes, 0, sizeof(snap->memory.part_bytes));
	snap->memory.part_bytes[TIDE_PART_ANON_MMAP] = 960 * MB;
	snap->process.limit_bytes = 900 * MB;
	assert_ok(tide_snapshot_note(snap, "No glibc or musl is mapped, and the program brings no "
					   "malloc of its own."));
	return snap;
}

/* A stripped program. */
static inline struct tide_snapshot *nameless(void)
{
	struct tide_snapshot *snap = new_snapshot(2);

	set_glibc(snap);
	set_memory(snap);
	snap->sites[0].verdict = TIDE_VERDICT_STEADY;
	snap->sites[0].id = 1;
	snap->sites[0].why = copy("level: not below 3 MB for 5 min, not above 3 MB ever");
	set_live(&snap->sites[0], 3 * MB, 3, 20 * MIN);
	SET_FRAMES(&snap->sites[0], BARE(NULL, "/opt/app/lib/libengine.so.2", 0x41f30),
		   BARE(NULL, "/opt/app/bin/server", 0x8c21), BARE(NULL, NULL, 0x7f12aa001040));
	snap->sites[1].verdict = TIDE_VERDICT_STEADY;
	snap->sites[1].why = copy("small: never above 100 B");
	set_live(&snap->sites[1], 100, 1, 10 * SEC);
	snap->sites[1].stack_end = TIDE_STACK_NO_ROOM;
	sum_up(snap);
	return snap;
}

/* With --show-allocs and --older. */
static inline struct tide_snapshot *blocks(void)
{
	struct tide_snapshot *snap = story();

	snap->older_ns = 2 * MIN;
	snap->sites[1].shown_bytes = 8 * MB;
	snap->sites[1].shown_blocks = 800;
	snap->sites[2].shown_bytes = snap->sites[2].shown_blocks = 0;
	snap->blocks = calloc(3, sizeof(*snap->blocks));
	assert_non_null(snap->blocks);
	snap->block_cnt = 3;
	snap->blocks[0] = (struct tide_block_report){0x7f12c0000010, 810 * MB,
						     NOW_NS - 5 * MIN - SEC, 0xc0ffee0012345678};
	snap->blocks[1] =
		(struct tide_block_report){0x55d0c0aa3010, 600 * KB, NOW_NS - 30 * MIN, 4};
	snap->blocks[2] = (struct tide_block_report){0x55d0c0bb4010, 10 * KB, NOW_NS - 28 * MIN, 2};
	return snap;
}

static inline struct tide_report_opts default_opts(void)
{
	return (struct tide_report_opts){
		.now_realtime_ns = WALL_NS,
		.top_cnt = 10,
		.width = 100,
	};
}

typedef int (*report_fn)(FILE *, const struct tide_snapshot *, const struct tide_report_opts *);

/* The report as a string, to be freed. */
static inline char *report_of(report_fn report, const struct tide_snapshot *snap,
			      const struct tide_report_opts *opts)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_ok(report(out, snap, opts));
	assert_int_equal(fclose(out), 0);
	return text;
}

static inline char *read_golden(const char *path)
{
	TIDE_AUTO_FILE FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t sz = 0;

	if (!file)
		return copy("");
	if (getdelim(&text, &sz, '\0', file) < 0 && !text)
		return copy("");
	return text;
}

static inline void assert_golden(const char *name, const char *text)
{
	const char *update = getenv("UPDATE_GOLDEN");
	TIDE_AUTO_FREE char *expected = NULL, *path = NULL;

	assert_true(asprintf(&path, "tests/golden/%s", name) > 0);
	if (update && !strcmp(update, "1")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_true(fputs(text, file) >= 0);
		assert_int_equal(fclose(file), 0);
		return;
	}
	expected = read_golden(path);
	if (strcmp(text, expected))
		fail_msg("%s differs. The report is now:\n%s", path, text);
}

#endif
