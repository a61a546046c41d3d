#include "session/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "encode/utf8.h"
#include "session/internal.h"

#define OPEN_TRIES   5
#define FOLLOW_TRIES 3
#define MEMORY_SHARE 50 /* a look at memory takes at most this part of the time */

/* ---- opening -------------------------------------------------------------------------------- */

static int proc_failed(pid_t tgid, enum tide_proc_problem problem, const struct tide_proc *proc,
		       int err, struct tide_failure *fail)
{
	switch (problem) {
	case TIDE_PROC_GONE:
		return tide_fail(
			fail, TIDE_EXIT_TARGET, -ESRCH,
			"no process %d: it has ended or never was; `ps -e` lists what runs", tgid);
	case TIDE_PROC_IS_THREAD:
		return tide_fail(
			fail, TIDE_EXIT_TARGET, -EINVAL,
			"%d is a thread of process %d: attach to %d, all its threads are watched",
			tgid, proc->tgid, proc->tgid);
	case TIDE_PROC_KERNEL:
		return tide_fail(fail, TIDE_EXIT_TARGET, -EINVAL,
				 "%d is a kernel thread: it has no allocator of its own to watch",
				 tgid);
	case TIDE_PROC_ZOMBIE:
		return tide_fail(
			fail, TIDE_EXIT_TARGET, -ESRCH,
			"process %d has ended and waits for its parent to notice: its memory is gone",
			tgid);
	case TIDE_PROC_DENIED:
		return tide_fail(
			fail, TIDE_EXIT_DENIED, -EPERM,
			"not permitted to look at process %d: run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE",
			tgid);
	default:
		return tide_fail(fail, TIDE_EXIT_FAILED, -err, "cannot open process %d: %s", tgid,
				 strerror(err));
	}
}

static int no_allocator(const struct tide_session *s, struct tide_failure *fail)
{
	const struct tide_allocators *a = &s->allocators;
	TIDE_AUTO_FREE char *comm = tide_utf8_printable(s->proc.comm);
	const char *why = "no mapped file defines malloc and free";

	if (a->main_is_go)
		why = "it is a Go program without libc; Go's own heap is not watched by this version";
	else if (a->main_stripped)
		why = "it is a static executable without a symbol table; run it unstripped";
	return tide_fail(fail, TIDE_EXIT_TARGET, -ENOENT,
			 "no allocator found in process %d (%s): %s", s->proc.tgid,
			 comm ? comm : "?", why);
}

static int identify(struct tide_session *s, pid_t tgid, struct tide_failure *fail)
{
	int err = 0;
	enum tide_proc_problem problem = tide_proc_open(tgid, &s->proc, &err);

	if (problem != TIDE_PROC_OK)
		return proc_failed(tgid, problem, &s->proc, err, fail);
	s->proc_open = true;
	err = tide_modules_new(&s->mods);
	if (!err)
		err = tide_modules_update(s->mods, &s->proc);
	if (err >= 0)
		err = tide_allocators_find(s->mods, &s->allocators);
	if (err == -ESRCH)
		return proc_failed(tgid, TIDE_PROC_GONE, &s->proc, 0, fail);
	if (err == -EPERM || err == -EACCES)
		return proc_failed(tgid, TIDE_PROC_DENIED, &s->proc, 0, fail);
	if (err < 0)
		return tide_fail(fail, TIDE_EXIT_FAILED, err,
				 "cannot read the mappings of process %d: %s", tgid,
				 strerror(-err));
	return s->allocators.cnt ? 0 : no_allocator(s, fail);
}

static int attach_all(struct tide_session *s, struct tide_failure *fail)
{
	pid_t tid;
	int err = tide_proc_live_tid(s->proc.tgid, &tid);

	if (err)
		return proc_failed(s->proc.tgid, TIDE_PROC_GONE, &s->proc, 0, fail);
	for (uint32_t i = 0; i < s->allocators.cnt; i++) {
		const struct tide_allocator *a = &s->allocators.list[i];
		const struct tide_module *m = tide_modules_get(s->mods, a->module_id);

		err = tide_probe_attach(s->probe, tid, m->fd, a, fail);
		if (err)
			return err;
	}
	return 0;
}

static int load_probe(struct tide_session *s, struct tide_failure *fail)
{
	struct tide_proc_stat stat = {0};
	struct tide_probe_opts opts = {
		.tgid = s->proc.tgid,
		.stop_on_exec = s->opts.from_first,
		.single = s->opts.single_uprobes,
		.min_bytes = s->opts.min_bytes,
		.ring_bytes = s->opts.ring_bytes,
		.max_blocks = s->opts.max_blocks,
		.max_sites = s->opts.max_sites,
		.max_frames = s->opts.max_frames,
	};

	if (!tide_proc_read_stat(s->proc.tgid, &stat))
		opts.leader_ended = stat.state == 'Z';
	return tide_probe_load(&opts, &s->probe, fail);
}

static int start_collecting(struct tide_session *s, struct tide_failure *fail)
{
	struct tide_retain_opts opts = {
		.start_ns = tide_clock_monotonic_ns(),
		.hold_ns = s->opts.hold_ns,
		.max_sites = s->opts.max_sites,
		.max_blocks = s->opts.max_blocks,
		.from_first = s->opts.from_first,
	};
	int err = tide_retain_new(&opts, &s->retain);

	if (!err)
		err = tide_symbolizer_new(s->mods, &s->symbolizer);
	if (!err)
		err = tide_symbolizer_use_perf_map(s->symbolizer, &s->proc);
	if (!err && s->opts.debuginfod)
		tide_symbolizer_use_debuginfod(s->symbolizer);
	if (!err)
		err = tide_collector_start(s->probe, s->retain, &s->collector);
	if (err)
		return tide_fail(fail, TIDE_EXIT_FAILED, err, "cannot start collecting: %s",
				 strerror(-err));
	s->start_ns = opts.start_ns;
	s->start_realtime_ns = tide_clock_realtime_ns();
	return 0;
}

/* True when the process still runs the program that we examined: exec replaces every mapping, so
 * the allocator's file is mapped at the same place only if none has happened.
 */
static bool same_program(const struct tide_session *s)
{
	struct tide_collector_status status;
	char path[64];
	struct stat st;
	const struct tide_module *m = tide_modules_get(s->mods, s->allocators.list[0].module_id);
	TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {0};

	tide_collector_status(s->collector, &status);
	if (status.execed)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", s->proc.tgid);
	if (stat(path, &st) || tide_maps_read(s->proc.tgid, &maps))
		return false;
	for (size_t i = 0; i < maps.cnt; i++) {
		uint64_t off;

		if (!maps.mappings[i].exec || maps.mappings[i].inode != m->inode)
			continue;
		return tide_modules_find(s->mods, maps.mappings[i].start, &off) != NULL;
	}
	return false;
}

/* Names come from the target: nothing of them may reach a terminal as it is. */
static void make_title(struct tide_session *s)
{
	TIDE_AUTO_FREE char *comm = tide_utf8_printable(s->proc.comm);
	int len = snprintf(s->title, sizeof(s->title), "%s (pid %d), allocator ", comm ? comm : "?",
			   s->proc.tgid);

	for (uint32_t i = 0; i < s->allocators.cnt && len > 0 && (size_t)len < sizeof(s->title);
	     i++) {
		TIDE_AUTO_FREE char *name = tide_utf8_printable(s->allocators.list[i].name);

		len += snprintf(s->title + len, sizeof(s->title) - (size_t)len, "%s%s",
				i ? ", " : "", name ? name : "?");
	}
}

static int open_once(struct tide_session *s, pid_t tgid, struct tide_failure *fail)
{
	int err = identify(s, tgid, fail);

	if (!err)
		err = load_probe(s, fail);
	if (!err)
		err = attach_all(s, fail);
	if (!err)
		err = start_collecting(s, fail);
	if (err)
		return err;
	err = tide_session_read_code(s);
	if (err)
		tide_warn("stacks go by frame pointers only: no unwind tables (%s)",
			  strerror(-err));
	tide_probe_enable(s->probe, true);
	if (!tide_proc_alive(&s->proc))
		return proc_failed(tgid, TIDE_PROC_GONE, &s->proc, 0, fail);
	if (!same_program(s))
		return -EAGAIN;
	tide_proc_cgroup(&s->proc, &s->cgroup, &s->limit_known, &s->limit_bytes);
	(void)tide_proc_cpu_ns(&s->proc, &s->cpu_ns_at_start);
	(void)tide_session_read_memory(s);
	make_title(s);
	return 0;
}

int tide_session_open(pid_t tgid, const struct tide_session_opts *opts, struct tide_session **ret,
		      struct tide_failure *fail)
{
	uint64_t start_ticks = 0;

	for (int i = 0; i < OPEN_TRIES; i++) {
		TIDE_CLEANUP(tide_session_free) struct tide_session *s = calloc(1, sizeof(*s));
		int err;

		if (!s)
			return tide_fail(fail, TIDE_EXIT_FAILED, -ENOMEM, "out of memory");
		s->opts = *opts;
		err = open_once(s, tgid, fail);
		if (start_ticks && s->proc_open && s->proc.start_ticks != start_ticks)
			return tide_fail(
				fail, TIDE_EXIT_TARGET, -ESRCH,
				"process %d ended, and another one has its number now: not touched",
				tgid);
		if (!err) {
			*ret = TIDE_TAKE_PTR(s);
			return 0;
		}
		if (err != -EAGAIN)
			return err;
		start_ticks = s->proc.start_ticks;
		tide_debug("process %d began another program while probes were placed: again",
			   tgid);
	}
	return tide_fail(
		fail, TIDE_EXIT_TARGET, -EAGAIN,
		"process %d keeps starting other programs (exec); attach when it has settled",
		tgid);
}

void tide_session_free(struct tide_session **session)
{
	struct tide_session *s = *session;

	if (!s)
		return;
	if (s->probe) {
		tide_probe_stop_on_exec(s->probe, false);
		tide_probe_enable(s->probe, false);
	}
	tide_collector_stop(&s->collector);
	tide_probe_free(&s->probe);
	tide_retain_free(&s->retain);
	tide_symbolizer_free(&s->symbolizer);
	tide_modules_free(&s->mods);
	if (s->proc_open)
		tide_proc_close(&s->proc);
	tide_residency_free(&s->residency);
	free(s->cgroup);
	free(s);
	*session = NULL;
}

int tide_session_pidfd(const struct tide_session *s)
{
	return s->proc.pidfd;
}

int tide_session_event_fd(const struct tide_session *s)
{
	return tide_collector_event_fd(s->collector);
}

const char *tide_session_title(const struct tide_session *s)
{
	return s->title;
}

/* ---- watching ------------------------------------------------------------------------------- */

int tide_session_read_code(struct tide_session *s)
{
	TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {0};
	int err = tide_maps_read(s->proc.tgid, &maps);

	if (!err)
		err = tide_modules_update(s->mods, &s->proc);
	return err < 0 ? err : tide_probe_update_code(s->probe, &maps, s->mods);
}

int tide_session_read_memory(struct tide_session *s)
{
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *residency = NULL;
	uint64_t begin_ns = tide_clock_monotonic_ns();
	struct tide_collector_status status;
	struct tide_rss rss;
	int err = tide_residency_read(&s->proc, &residency, &rss);

	if (err)
		return err;
	/* A process on its way out has lost its mappings already: not worth keeping. */
	if (!rss.rss_bytes && s->rss.rss_bytes)
		return -ESRCH;
	s->rss = rss;
	s->rss_at_ns = tide_clock_monotonic_ns();
	s->rss_cost_ns = s->rss_at_ns - begin_ns;
	tide_collector_status(s->collector, &status);
	s->live_at_read_bytes = status.live_bytes;
	(void)tide_proc_cpu_ns(&s->proc, &s->cpu_ns);
	tide_residency_free(&s->residency);
	s->residency = TIDE_TAKE_PTR(residency);
	return 0;
}

/* Single uprobes were opened for a thread that has ended: the rest of the process is seen again
 * only through another one. What happened in between is lost, and the report says so. The new
 * thread may be on its way out as well.
 */
static void follow_thread(struct tide_session *s)
{
	struct tide_failure fail;

	for (int i = 0; i < FOLLOW_TRIES; i++) {
		size_t old_cnt = tide_probe_link_cnt(s->probe);

		if (!attach_all(s, &fail)) {
			tide_debug("the followed thread ended: probes follow another thread now");
			tide_probe_drop_first(s->probe, old_cnt);
			return;
		}
		tide_probe_drop_first(s->probe, old_cnt);
	}
	tide_warn("a thread that was followed ended, and no other one can be: %s", fail.text);
}

static bool has_ended(const struct tide_session *s)
{
	struct pollfd fd = {.fd = s->proc.pidfd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

void tide_session_poll(struct tide_session *s, struct tide_session_status *ret)
{
	uint64_t now_ns = tide_clock_monotonic_ns();
	struct tide_collector_status status;

	s->ended = s->ended || has_ended(s);
	tide_collector_status(s->collector, &status);
	s->execed = status.execed;
	if (status.thread_ended_cnt != s->followed_cnt && !s->ended && !s->disabled) {
		s->followed_cnt = status.thread_ended_cnt;
		follow_thread(s);
	}
	/* Modules are looked at while they are mapped: a dlclose must not cost a name. */
	if (!s->ended && !s->execed &&
	    (status.site_cnt != s->known_site_cnt ||
	     status.unmapped_cnt != s->known_unmapped_cnt)) {
		s->known_site_cnt = status.site_cnt;
		s->known_unmapped_cnt = status.unmapped_cnt;
		(void)tide_session_read_code(s);
	}
	if (!s->ended && !s->execed && now_ns - s->rss_at_ns >= MEMORY_SHARE * s->rss_cost_ns)
		(void)tide_session_read_memory(s);
	ret->elapsed_ns = now_ns - s->start_ns;
	ret->events = status.events;
	ret->lost_events = status.lost_events;
	ret->live_bytes = status.live_bytes;
	ret->live_blocks = status.live_blocks;
	ret->rss_bytes = s->rss.rss_bytes;
	ret->execed = s->execed;
	ret->ended = s->ended;
}

/* ---- reporting ------------------------------------------------------------------------------ */

/* After the end only the last look at memory is left. It says nothing of blocks that came later, so
 * it is used only while live bytes have stayed about the same.
 */
static bool residency_fits(const struct tide_session *s, uint64_t now_bytes)
{
	uint64_t then_bytes = s->live_at_read_bytes;

	if (!s->ended && !s->execed)
		return true;
	return (now_bytes > then_bytes ? now_bytes - then_bytes : then_bytes - now_bytes) <=
	       now_bytes / 10;
}

static uint64_t resident_of(uint64_t addr, uint64_t bytes, void *ctx)
{
	return tide_residency_bytes(addr, bytes, ctx);
}

static int snapshot_failed(int err, struct tide_failure *fail)
{
	return tide_fail(fail, TIDE_EXIT_FAILED, err, "cannot make the report: %s", strerror(-err));
}

int tide_session_report(struct tide_session *s, const struct tide_session_report_opts *opts,
			struct tide_snapshot **ret, struct tide_failure *fail)
{
	TIDE_CLEANUP(tide_snapshot_free) struct tide_snapshot *snap = NULL;
	struct tide_snapshot_opts snap_opts = {
		.older_ns = s->opts.older_ns,
		.show_blocks_cnt = s->opts.show_blocks_cnt,
	};
	struct tide_session_status status;
	int err;

	tide_session_poll(s, &status);
	if (!s->ended && !s->execed)
		(void)tide_session_read_memory(s);
	if (s->residency) {
		snap_opts.resident = resident_of;
		snap_opts.resident_ctx = s->residency;
	}
	if (opts->final) {
		tide_probe_stop_on_exec(s->probe, false);
		tide_probe_enable(s->probe, false);
		snap_opts.now_ns = tide_clock_monotonic_ns(); /* the detach is not watching */
		tide_probe_detach(s->probe);
		s->disabled = true;
	}
	err = tide_snapshot_new(&snap);
	if (!err)
		err = tide_collector_snapshot(s->collector, &snap_opts, opts->final, snap);
	if (!err && !residency_fits(s, snap->live_bytes))
		snap->resident_known = false;
	if (!err)
		err = tide_describe(s, opts, snap);
	if (err)
		return snapshot_failed(err, fail);
	*ret = TIDE_TAKE_PTR(snap);
	return 0;
}
