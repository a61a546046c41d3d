/* Starts a command stopped just before its first allocation.
 *
 *   fork ── exec ──────── the loader maps libraries ───────── constructors, main
 *            |             |                         |
 *            stop          libc (or whatever defines stop here: probes go in
 *            (ptrace)      malloc) is mapped
 *
 * The child is walked from system call to system call until an allocator is mapped and the loader
 * has begun something else than opening and mapping files. Nothing has been allocated by then:
 * constructors run later, and the loader's own early malloc is private to it. A static executable
 * has its allocator at the exec already and needs no walk.
 */
#include "session/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/util.h"
#include "target/allocators.h"
#include "target/maps.h"
#include "target/proc.h"

/* Far more system calls than a loader makes for a hundred libraries. */
#define MAX_STOPS 20000

#define STOP_SYSCALL (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

static void child_exec(char *const argv[], int error_fd)
{
	sigset_t none;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* If we are killed while an exec holds it stopped, our end sets it going again. Harmless
	 * otherwise, and forgotten by an exec with more privileges.
	 */
	prctl(PR_SET_PDEATHSIG, SIGCONT);
	if (!ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		execvp(argv[0], argv);
	err = errno;
	if (write(error_fd, &err, sizeof(err)) != sizeof(err))
		_exit(126);
	_exit(127);
}

static int wait_stop(pid_t tgid, int *ret_status)
{
	int status;

	while (waitpid(tgid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFSTOPPED(status))
		return -ESRCH;
	*ret_status = status;
	return 0;
}

/* The system calls of a loader that opens and maps libraries (glibc 2.31-2.41, musl 1.2). */
static bool is_loader_call(uint64_t nr)
{
	static const long calls[] = {
		SYS_openat, SYS_read,	  SYS_pread64, SYS_fstat,      SYS_newfstatat, SYS_mmap,
		SYS_close,  SYS_mprotect, SYS_getcwd,  SYS_readlinkat, SYS_faccessat,
#ifdef SYS_open
		SYS_open,   SYS_stat,	  SYS_access,  SYS_readlink,   SYS_arch_prctl,
#endif
	};

	for (size_t i = 0; i < TIDE_ARRAY_CNT(calls); i++)
		if ((uint64_t)calls[i] == nr)
			return true;
	return false;
}

/* True at the entry of a call that is not the loader's business with files. */
static bool loader_is_done(pid_t tgid, int status)
{
	struct __ptrace_syscall_info info;

	if (WSTOPSIG(status) != STOP_SYSCALL)
		return false;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tgid, (void *)sizeof(info), &info) < 0)
		return true; /* without a word from the kernel, stop rather than run past main */
	return info.op == PTRACE_SYSCALL_INFO_ENTRY && !is_loader_call(info.entry.nr);
}

struct walk {
	struct tide_modules *mods;
	struct tide_proc proc;
	bool found;
	bool is_static;
};

static void look_for_allocator(struct walk *walk)
{
	struct tide_allocators found;

	if (tide_modules_update(walk->mods, &walk->proc) < 0)
		return;
	if (tide_allocators_find(walk->mods, &found))
		return;
	walk->found = found.cnt > 0;
	walk->is_static = found.main_is_static;
}

/* Signals for the child are passed on; our own stops are not signals. */
static int signal_to_pass(int status)
{
	int sig = WSTOPSIG(status);

	return sig == STOP_SYSCALL || sig == SIGTRAP || sig == SIGSTOP || sig == SIGCONT ||
			       status >> 16 == PTRACE_EVENT_STOP
		       ? 0
		       : sig;
}

static int walk_to_allocator(pid_t tgid, struct walk *walk)
{
	int status = 0, sig = 0, err;

	look_for_allocator(walk);
	if (walk->is_static)
		return 0;
	for (int i = 0; i < MAX_STOPS; i++) {
		if (ptrace(PTRACE_SYSCALL, tgid, NULL, (void *)(long)sig))
			return -errno;
		err = wait_stop(tgid, &status);
		if (err)
			return err;
		sig = signal_to_pass(status);
		if (!walk->found)
			look_for_allocator(walk);
		else if (loader_is_done(tgid, status))
			break;
	}
	return 0;
}

static int walk_child(pid_t tgid)
{
	struct walk walk = {0};
	int err = tide_modules_new(&walk.mods), unused;

	if (err)
		return err;
	if (tide_proc_open(tgid, &walk.proc, &unused) == TIDE_PROC_OK) {
		err = walk_to_allocator(tgid, &walk);
		tide_proc_close(&walk.proc);
	} else {
		err = -ESRCH;
	}
	tide_modules_free(&walk.mods);
	return err;
}

static int walk_failed(int err, const char *name, struct tide_failure *fail)
{
	if (err == -ESRCH)
		return tide_fail(
			fail, TIDE_EXIT_TARGET, err,
			"'%s' ended before its first allocation; there is nothing to watch", name);
	return tide_fail(fail, TIDE_EXIT_FAILED, err, "cannot follow the start of '%s': %s", name,
			 strerror(-err));
}

static void kill_child(pid_t tgid)
{
	kill(tgid, SIGKILL);
	while (waitpid(tgid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* Reads what went wrong with the exec; 0 when nothing did. */
static int exec_error(int fd)
{
	int err = 0;

	return read(fd, &err, sizeof(err)) == sizeof(err) ? err : 0;
}

int tide_spawn(char *const argv[], pid_t *ret_tgid, struct tide_failure *fail)
{
	TIDE_AUTO_FD int read_fd = -1;
	TIDE_AUTO_FD int write_fd = -1;
	int fds[2], status, err;
	pid_t tgid;

	if (pipe2(fds, O_CLOEXEC))
		return tide_fail(fail, TIDE_EXIT_FAILED, -errno, "cannot make a pipe: %s",
				 strerror(errno));
	read_fd = fds[0];
	write_fd = fds[1];
	tgid = fork();
	if (tgid < 0)
		return tide_fail(fail, TIDE_EXIT_FAILED, -errno, "cannot fork: %s",
				 strerror(errno));
	if (!tgid)
		child_exec(argv, write_fd);
	close(TIDE_TAKE_FD(write_fd));
	err = wait_stop(tgid, &status);
	if (err) {
		int why = exec_error(read_fd);

		return tide_fail(fail, TIDE_EXIT_TARGET, err, "cannot run '%s': %s", argv[0],
				 strerror(why ? why : -err));
	}
	if (ptrace(PTRACE_SETOPTIONS, tgid, NULL,
		   (void *)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)))
		err = -errno;
	if (!err)
		err = walk_child(tgid);
	if (err) {
		kill_child(tgid);
		return walk_failed(err, argv[0], fail);
	}
	*ret_tgid = tgid;
	return 0;
}

int tide_spawn_release(pid_t tgid)
{
	return ptrace(PTRACE_DETACH, tgid, NULL, NULL) ? -errno : 0;
}

int tide_spawn_catch_exec(pid_t tgid, struct tide_failure *fail)
{
	int status, err;

	/* The SIGSTOP was sent from within the exec, so the new program has not run an instruction
	 * when the stop is reported to us, its parent.
	 */
	while (waitpid(tgid, &status, WUNTRACED) < 0)
		if (errno != EINTR)
			return walk_failed(-ESRCH, "the command", fail);
	if (!WIFSTOPPED(status))
		return walk_failed(-ESRCH, "the command", fail);
	/* No EXITKILL here: it is the user's running command, which must survive us. */
	if (ptrace(PTRACE_SEIZE, tgid, NULL, (void *)(long)PTRACE_O_TRACESYSGOOD))
		return walk_failed(-errno, "the command", fail);
	err = wait_stop(tgid, &status); /* seizing a stopped process reports the stop again */
	if (!err && kill(tgid, SIGCONT))
		err = -errno;
	if (!err)
		err = walk_child(tgid);
	return err ? walk_failed(err, "the command", fail) : 0;
}
