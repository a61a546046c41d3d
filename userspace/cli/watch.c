/* The watch loop of attach, run and demo: waits, shows one status line, writes reports.
 *
 * SIGINT and SIGTERM end a session with its report. They are blocked from before the first probe
 * and taken from a descriptor, so that none arrives half-way through anything; a second one while
 * the last report is made ends Tidemark at once (the kernel then removes the probes).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/cmd.h"
#include "report/report.h"
#include "session/spawn.h"

#define STATUS_EVERY_NS	      TIDE_NS_PER_SEC
#define STATUS_PLAIN_EVERY_NS (10 * TIDE_NS_PER_SEC)

struct loop {
	struct tide_watch *watch;
	const struct tide_options *opts;
	struct tide_session *session;
	FILE *out;
	bool out_owned;
	int signal_fd;
	bool terminal; /* stderr is one */
	bool line_shown;
	uint64_t next_status_ns, next_plain_ns, next_report_ns, end_ns;
	uint64_t written_cnt;
	bool stop, child_ended, child_gone, execed;
	int wait_status;
};

int tide_signals_block(struct tide_failure *fail)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return tide_fail(fail, TIDE_EXIT_FAILED, -errno, "cannot block signals: %s",
				 strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* A second Ctrl-C while the last report is made: let it kill us. */
static void signals_unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int open_signals(struct loop *l, struct tide_failure *fail)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signal_fd < 0)
		return tide_fail(fail, TIDE_EXIT_FAILED, -errno, "cannot wait for signals: %s",
				 strerror(errno));
	return 0;
}

/* The file is opened before anything is attached, so that a report is never made in vain; what is
 * in it is dropped only when there is something new to say.
 */
static int open_output(struct loop *l, struct tide_failure *fail)
{
	const char *path = l->opts->output;
	int fd;

	if (!path) {
		l->out = stdout;
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return tide_fail(
			fail, TIDE_EXIT_FAILED, -errno,
			"cannot write the report to '%s': %s; name another file with --output",
			path, strerror(errno));
	l->out = fdopen(fd, "w");
	if (!l->out) {
		close(fd);
		return tide_fail(fail, TIDE_EXIT_FAILED, -ENOMEM, "out of memory");
	}
	l->out_owned = true;
	return 0;
}

/* ---- the status line ------------------------------------------------------------------------ */

static void status_clear(struct loop *l)
{
	if (l->line_shown)
		fputs("\r\033[K", stderr);
	l->line_shown = false;
}

static void status_show(struct loop *l, const struct tide_session_status *st, uint64_t now_ns)
{
	char elapsed[TIDE_HUMAN_SZ], events[TIDE_HUMAN_SZ], live[TIDE_HUMAN_SZ],
		blocks[TIDE_HUMAN_SZ], rss[TIDE_HUMAN_SZ], lost[TIDE_HUMAN_SZ];

	if (l->opts->quiet || (!l->terminal && now_ns < l->next_plain_ns))
		return;
	l->next_plain_ns = now_ns + STATUS_PLAIN_EVERY_NS;
	fprintf(stderr, "%s%s watched, %s events, %s live in %s blocks, RSS %s, %s%s%s",
		l->terminal ? "\r" : "", tide_human_duration(st->elapsed_ns, elapsed),
		tide_human_count(st->events, events), tide_human_bytes(st->live_bytes, live),
		tide_human_count(st->live_blocks, blocks), tide_human_bytes(st->rss_bytes, rss),
		st->lost_events ? tide_human_count(st->lost_events, lost) : "none", " lost",
		l->terminal ? "\033[K" : "\n");
	fflush(stderr);
	l->line_shown = l->terminal;
}

static void progress_show(size_t done_cnt, size_t total_cnt, void *ctx)
{
	struct loop *l = ctx;

	if (!l->terminal || l->opts->quiet || done_cnt % 256)
		return;
	fprintf(stderr, "\rnaming call sites: %zu of %zu\033[K", done_cnt, total_cnt);
	l->line_shown = true;
}

/* ---- reports -------------------------------------------------------------------------------- */

static uint32_t out_width(const struct loop *l)
{
	struct winsize size;

	if (!isatty(fileno(l->out)) || ioctl(fileno(l->out), TIOCGWINSZ, &size) || !size.ws_col)
		return 0;
	return size.ws_col;
}

static int write_report(struct loop *l, const struct tide_snapshot *snap, struct tide_failure *fail)
{
	const struct tide_report_format *format = tide_report_format_find(l->opts->format);
	struct tide_report_opts opts = {
		.now_realtime_ns = tide_clock_realtime_ns(),
		.top_cnt = l->opts->top_cnt,
		.width = out_width(l),
		.colour = isatty(fileno(l->out)) && !getenv("NO_COLOR"),
		.show_blocks = l->opts->session.show_blocks_cnt > 0,
		.full_stacks = l->opts->full_stacks,
		.short_names = l->opts->short_names,
	};
	int err;

	if (l->out_owned && !l->written_cnt && ftruncate(fileno(l->out), 0))
		tide_debug("'%s' cannot be cut to zero: %s, going on", l->opts->output,
			   strerror(errno));
	err = format->write(l->out, snap, &opts);
	if (!err && fflush(l->out))
		err = -errno;
	if (err)
		return tide_fail(fail, TIDE_EXIT_FAILED, err, "cannot write the report%s%s: %s",
				 l->opts->output ? " to " : "",
				 l->opts->output ? l->opts->output : "", strerror(-err));
	l->written_cnt++;
	return 0;
}

static int report(struct loop *l, bool final, struct tide_failure *fail)
{
	TIDE_CLEANUP(tide_snapshot_free) struct tide_snapshot *snap = NULL;
	struct tide_session_report_opts opts = {
		.final = final,
		.progress = progress_show,
		.progress_ctx = l,
		.wait_status = l->wait_status,
		.status_known = l->child_ended,
	};
	int err = tide_session_report(l->session, &opts, &snap, fail);

	status_clear(l);
	return err ? err : write_report(l, snap, fail);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static int timeout_ms(const struct loop *l, uint64_t now_ns)
{
	uint64_t next_ns = l->next_status_ns;

	if (l->next_report_ns && l->next_report_ns < next_ns)
		next_ns = l->next_report_ns;
	if (l->end_ns && l->end_ns < next_ns)
		next_ns = l->end_ns;
	return next_ns > now_ns ? (int)((next_ns - now_ns) / TIDE_NS_PER_MS) + 1 : 0;
}

static void wait_for_something(struct loop *l)
{
	struct pollfd fds[] = {
		{.fd = l->signal_fd, .events = POLLIN},
		{.fd = tide_session_pidfd(l->session), .events = POLLIN},
		{.fd = tide_session_event_fd(l->session), .events = POLLIN},
	};
	struct signalfd_siginfo info;

	if (poll(fds, TIDE_ARRAY_CNT(fds), timeout_ms(l, tide_clock_monotonic_ns())) <= 0)
		return;
	if (fds[0].revents && read(l->signal_fd, &info, sizeof(info)) == sizeof(info))
		l->stop = true;
	if (fds[1].revents || fds[2].revents)
		l->next_status_ns = 0;
}

static void reap_child(struct loop *l)
{
	int status;

	if (!l->watch->our_child || waitpid(l->watch->tgid, &status, WNOHANG) != l->watch->tgid)
		return;
	l->child_ended = true;
	l->wait_status = status;
}

/* Looks at the session when a look is due. True while the session goes on. */
static bool look(struct loop *l, uint64_t now_ns)
{
	struct tide_session_status status;

	if (now_ns >= l->next_status_ns) {
		tide_session_poll(l->session, &status);
		status_show(l, &status, now_ns);
		l->next_status_ns = now_ns + STATUS_EVERY_NS;
		l->execed = status.execed;
		if (status.ended)
			reap_child(l);
		if (status.ended || status.execed)
			return false;
	}
	return !l->stop && !(l->end_ns && now_ns >= l->end_ns);
}

static int watch_session(struct loop *l, struct tide_failure *fail)
{
	uint64_t now_ns = tide_clock_monotonic_ns();
	int err;

	l->next_status_ns = now_ns + STATUS_EVERY_NS;
	l->next_plain_ns = now_ns + STATUS_PLAIN_EVERY_NS;
	if (l->opts->interval_ns)
		l->next_report_ns = now_ns + l->opts->interval_ns;
	if (l->opts->for_ns && !l->end_ns) /* once: an exec that is followed does not begin anew */
		l->end_ns = now_ns + l->opts->for_ns;
	while (look(l, now_ns)) {
		if (l->next_report_ns && now_ns >= l->next_report_ns) {
			bool last = l->opts->count && l->written_cnt + 1 >= l->opts->count;

			if (last)
				break;
			err = report(l, false, fail);
			if (err)
				return err;
			l->next_report_ns += l->opts->interval_ns;
		}
		wait_for_something(l);
		now_ns = tide_clock_monotonic_ns();
	}
	return 0;
}

static void child_kill(struct loop *l)
{
	l->child_gone = true;
	kill(l->watch->tgid, SIGKILL);
	while (waitpid(l->watch->tgid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

static int session_begin(struct loop *l, struct tide_failure *fail)
{
	int err = tide_session_open(l->watch->tgid, &l->opts->session, &l->session, fail);

	if (err) {
		if (l->watch->our_child)
			child_kill(l);
		return err;
	}
	fprintf(stderr, "watching %s\n", tide_session_title(l->session));
	fflush(stderr);
	if (l->watch->our_child)
		(void)tide_spawn_release(l->watch->tgid);
	return 0;
}

/* Our command began another program (`env`, `sh -c`): its memory of before is gone, so the session
 * begins anew with the program that the user meant.
 */
static int follow_exec(struct loop *l, struct tide_failure *fail)
{
	int err;

	status_clear(l);
	tide_session_free(&l->session);
	err = tide_spawn_catch_exec(l->watch->tgid, fail);
	l->child_gone = err; /* ended, or it ends with our hold on it */
	return err;
}

static int sessions(struct loop *l, struct tide_failure *fail)
{
	int err;

	for (;;) {
		err = session_begin(l, fail);
		if (!err)
			err = watch_session(l, fail);
		if (err)
			return err;
		if (!l->execed || !l->watch->our_child || l->stop)
			break;
		l->execed = false;
		err = follow_exec(l, fail);
		if (err)
			return err;
	}
	signals_unblock();
	return report(l, true, fail);
}

/* Our command goes on without us. It may have been stopped at an exec that nobody will follow any
 * more; the probes are gone, so no further stop can come.
 */
static void child_let_go(const struct loop *l)
{
	if (!l->watch->our_child || l->child_ended || l->child_gone)
		return;
	if (!kill(l->watch->tgid, SIGCONT))
		tide_info("the command (pid %d) goes on unobserved", l->watch->tgid);
}

/* One descriptor per mapped file: large programs map more than the usual 1024. Our command was
 * started before, with its own limit.
 */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		tide_debug("the limit of open files stays: %s, going on", strerror(errno));
}

int tide_watch_run(struct tide_watch *watch)
{
	struct loop l = {.watch = watch, .opts = watch->opts, .signal_fd = -1};
	struct tide_failure fail = {0};
	int err = open_output(&l, &fail);

	raise_file_limit();
	l.terminal = isatty(STDERR_FILENO);
	if (!err)
		err = open_signals(&l, &fail);
	if (err && watch->our_child)
		child_kill(&l);
	if (!err) {
		err = sessions(&l, &fail);
		status_clear(&l);
	}
	tide_session_free(&l.session);
	child_let_go(&l);
	if (l.signal_fd >= 0)
		close(l.signal_fd);
	if (l.out_owned && fclose(l.out) && !err)
		err = tide_fail(&fail, TIDE_EXIT_FAILED, -errno,
				"cannot write the report to '%s': %s", watch->opts->output,
				strerror(errno));
	return err ? tide_failed(&fail) : TIDE_EXIT_OK;
}
