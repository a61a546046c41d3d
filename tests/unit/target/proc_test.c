#include "target/proc.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/util.h"
#include "child.h"

#define TAIL " 1 7 7 0 -1 4194560 100 0 0 0 11 12 0 0 20 0 1 0 5555 1000 10 184 0\n"

static void parses_stat_whatever_the_name_holds(void **state)
{
	static const char *const names[] = {
		"cat", "", "a b", ") R 1 2 3", "((", "))", "x\ny) Z 0 0", "( )( )", " ",
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(names); i++) {
		struct tide_proc_stat stat;
		char line[256];

		snprintf(line, sizeof(line), "77 (%s) S" TAIL, names[i]);
		assert_ok(tide_proc_parse_stat(line, &stat));
		assert_int_equal(stat.state, 'S');
		assert_int_equal(stat.flags, 4194560);
		assert_int_equal(stat.utime_ticks, 11);
		assert_int_equal(stat.stime_ticks, 12);
		assert_int_equal(stat.start_ticks, 5555);
	}
}

static void refuses_what_is_no_stat_line(void **state)
{
	static const char *const lines[] = {
		"",
		"77",
		"77 (cat",
		"77 cat) S" TAIL,
		") (" TAIL,
		"77 (cat)",
		"77 (cat) ",
		"77 (cat) S",
		"77 (cat) S ",
		"77 (cat)S" TAIL,
		"77 (cat) SS" TAIL,
		"77 (cat) S 1 7 7 0 -1 4194560 100 0 0 0 11 12 0 0 20 0 1 0",
		"77 (cat) S 1 7 7 0 -1 4194560 100 0 0 0 11 12 0 0 20 0 1 0 ",
		"77 (cat) S 1 7 7 0 -1 x 100 0 0 0 11 12 0 0 20 0 1 0 5555 1",
		"77 (cat) S 1 7 7 0 -1 4194560 100 0 0 0 11 12 0 0 20 0 1 0 5555x",
		"77 (cat) S 1 7 7 0 --1 4194560 100 0 0 0 11 12 0 0 20 0 1 0 5555 1",
		"77 (cat) S 1 7 7 0 -1 4194560 100 0 0 0 11 12 0 0 20 0 1 0 99999999999999999999 1",
	};
	struct tide_proc_stat stat = {.state = 'q'};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(lines); i++)
		assert_errno(tide_proc_parse_stat(lines[i], &stat), EINVAL);
	assert_int_equal(stat.state, 'q');
}

static void opens_itself(void **state)
{
	const uint64_t now_ns = tide_clock_realtime_ns();
	struct tide_proc proc;
	struct stat ours, seen;
	uint64_t ticks;
	int err = 1;

	(void)state;
	assert_int_equal(tide_proc_open(getpid(), &proc, &err), TIDE_PROC_OK);
	assert_int_equal(err, 0);
	assert_int_equal(proc.tgid, getpid());
	assert_true(strstr(proc.exe, "proc_test") != NULL);
	assert_true(proc.comm[0] != '\0');
	assert_ok(tide_proc_read_start_ticks(getpid(), &ticks));
	assert_true(ticks == proc.start_ticks);
	/* Within a day and not in the future, but for the second that btime is cut off by. */
	assert_true(proc.start_realtime_ns < now_ns + TIDE_NS_PER_SEC);
	assert_true(proc.start_realtime_ns + 86400 * TIDE_NS_PER_SEC > now_ns);
	assert_ok(stat("/", &ours));
	assert_ok(fstatat(proc.root_fd, ".", &seen, 0));
	assert_true(ours.st_ino == seen.st_ino && ours.st_dev == seen.st_dev);
	assert_true(tide_proc_alive(&proc));
	tide_proc_close(&proc);
	assert_int_equal(proc.pidfd, -1);
	assert_int_equal(proc.root_fd, -1);
	assert_false(tide_proc_alive(&proc));
}

static void no_such_process(void **state)
{
	struct tide_proc proc = {.tgid = 4711, .pidfd = 99};
	const pid_t tgids[] = {0, -1, INT32_MIN, INT32_MAX, child_gone()};
	uint64_t ticks;
	pid_t tid;
	int err;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(tgids); i++) {
		assert_int_equal(tide_proc_open(tgids[i], &proc, &err), TIDE_PROC_GONE);
		assert_errno(tide_proc_read_start_ticks(tgids[i], &ticks), ESRCH);
		assert_errno(tide_proc_live_tid(tgids[i], &tid), ESRCH);
	}
	assert_int_equal(proc.tgid, 4711);
	assert_int_equal(proc.pidfd, 99);
}

static void zombies_are_told_apart_from_the_dead(void **state)
{
	pid_t tgid = fork(), tid;
	struct tide_proc proc;
	siginfo_t info;
	int err;

	(void)state;
	if (tgid == 0)
		_exit(0);
	assert_ok(waitid(P_PID, (id_t)tgid, &info, WEXITED | WNOWAIT));
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_ZOMBIE);
	assert_errno(tide_proc_live_tid(tgid, &tid), ESRCH);
	assert_int_equal(waitpid(tgid, NULL, 0), tgid);
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_GONE);
}

static void *open_own_thread(void *ctx)
{
	struct tide_proc proc = {};
	int err;

	*(bool *)ctx =
		tide_proc_open((pid_t)syscall(SYS_gettid), &proc, &err) == TIDE_PROC_IS_THREAD &&
		proc.tgid == getpid();
	return NULL;
}

static void thread_ids_are_refused_with_their_process(void **state)
{
	bool as_expected = false;
	pthread_t thread;

	(void)state;
	assert_ok(pthread_create(&thread, NULL, open_own_thread, &as_expected));
	assert_ok(pthread_join(thread, NULL));
	assert_true(as_expected);
}

static void kernel_threads_are_refused(void **state)
{
	struct tide_proc_stat stat;
	struct tide_proc proc;
	int err;

	(void)state;
	/* kthreadd, unless this is a container with processes of its own. */
	if (tide_proc_read_stat(2, &stat) < 0 || !(stat.flags & 0x00200000))
		skip_because("no kernel threads in this pid namespace");
	assert_int_equal(tide_proc_open(2, &proc, &err), TIDE_PROC_KERNEL);
}

static void *announce_when_leader_is_gone(void *arg)
{
	struct tide_proc_stat stat;

	(void)arg;
	do
		sched_yield();
	while (tide_proc_read_stat(getpid(), &stat) < 0 || stat.state != 'Z');
	child_is_ready();
	pause();
	return NULL;
}

static void leave_first_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	if (pthread_create(&thread, NULL, announce_when_leader_is_gone, NULL))
		_exit(1);
	/* pthread_exit() without the sanitizers' handlers. */
	syscall(SYS_exit, 0);
}

static void watchable_after_the_first_thread_ended(void **state)
{
	pid_t tgid = child_start(leave_first_thread, NULL), tid;
	struct tide_proc proc;
	int err;

	(void)state;
	assert_ok(tide_proc_live_tid(tgid, &tid));
	assert_int_not_equal(tid, tgid);
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
	assert_true(strstr(proc.exe, "proc_test") != NULL);
	assert_true(tide_proc_alive(&proc));
	child_end(tgid);
	assert_false(tide_proc_alive(&proc));
	tide_proc_close(&proc);
}

static void open_parent_as_nobody(void *arg)
{
	struct tide_proc proc;
	int err;

	(void)arg;
	if (setgid(65534) || setuid(65534))
		_exit(2);
	_exit(tide_proc_open(getppid(), &proc, &err) == TIDE_PROC_DENIED && err == EACCES ? 0 : 3);
}

static void others_processes_are_denied(void **state)
{
	pid_t tgid;
	int status;

	(void)state;
	need_root();
	tgid = fork();
	if (tgid == 0)
		open_parent_as_nobody(NULL);
	assert_int_equal(waitpid(tgid, &status, 0), tgid);
	assert_int_equal(status, 0);
}

static void take_odd_name(void *arg)
{
	prctl(PR_SET_NAME, arg);
}

static void reads_odd_names(void **state)
{
	static char name[] = "a) R 1\n(\n";
	pid_t tgid = child_start(take_odd_name, name);
	struct tide_proc_stat stat;
	struct tide_proc proc;
	int err;

	(void)state;
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
	assert_string_equal(proc.comm, name);
	assert_ok(tide_proc_read_stat(tgid, &stat));
	assert_true(stat.start_ticks == proc.start_ticks);
	child_end(tgid);
	tide_proc_close(&proc);
}

static void another_start_time_is_another_process(void **state)
{
	pid_t tgid = child_start(NULL, NULL);
	struct tide_proc proc;
	uint64_t ns;
	int err;

	(void)state;
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
	assert_ok(tide_proc_cpu_ns(&proc, &ns));
	proc.start_ticks++;
	assert_false(tide_proc_alive(&proc));
	assert_errno(tide_proc_cpu_ns(&proc, &ns), ESRCH);
	child_end(tgid);
	tide_proc_close(&proc);
}

static void cpu_time_counts_what_was_used(void **state)
{
	const clock_t until = clock() + CLOCKS_PER_SEC / 20;
	uint64_t ns = 0;
	struct tide_proc proc;
	int err;

	(void)state;
	assert_int_equal(tide_proc_open(getpid(), &proc, &err), TIDE_PROC_OK);
	while (clock() < until)
		;
	assert_ok(tide_proc_cpu_ns(&proc, &ns));
	/* Fifty milliseconds were used; the kernel counts in ticks of ten or less. */
	assert_true(ns >= 20 * TIDE_NS_PER_MS);
	tide_proc_close(&proc);
}

static void pidfd_tells_the_end(void **state)
{
	pid_t tgid = child_start(NULL, NULL);
	struct tide_proc proc;
	struct pollfd pfd;
	int err;

	(void)state;
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
	pfd = (struct pollfd){.fd = proc.pidfd, .events = POLLIN};
	assert_int_equal(poll(&pfd, 1, 0), 0);
	child_end(tgid);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	tide_proc_close(&proc);
}

/* Killed but not waited for, a process is somewhere on its way out. */
static void dying_processes_give_no_other_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		pid_t tgid = child_start(NULL, NULL);
		enum tide_proc_problem problem;
		struct tide_proc proc;
		int err;

		kill(tgid, SIGKILL);
		problem = tide_proc_open(tgid, &proc, &err);
		if (problem == TIDE_PROC_OK)
			tide_proc_close(&proc);
		else
			assert_true(problem == TIDE_PROC_GONE || problem == TIDE_PROC_ZOMBIE);
		assert_int_equal(waitpid(tgid, NULL, 0), tgid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_stat_whatever_the_name_holds),
		cmocka_unit_test(refuses_what_is_no_stat_line),
		cmocka_unit_test(opens_itself),
		cmocka_unit_test(no_such_process),
		cmocka_unit_test(zombies_are_told_apart_from_the_dead),
		cmocka_unit_test(thread_ids_are_refused_with_their_process),
		cmocka_unit_test(kernel_threads_are_refused),
		cmocka_unit_test(watchable_after_the_first_thread_ended),
		cmocka_unit_test(others_processes_are_denied),
		cmocka_unit_test(reads_odd_names),
		cmocka_unit_test(another_start_time_is_another_process),
		cmocka_unit_test(cpu_time_counts_what_was_used),
		cmocka_unit_test(pidfd_tells_the_end),
		cmocka_unit_test(dying_processes_give_no_other_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
