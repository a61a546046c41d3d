/* Identity: a pid alone names nothing for long, since the kernel hands it out again. We hold a
 * pidfd, which never refers to anybody else, and the start time, which tells two users of one
 * pid apart in what is read by number from /proc.
 *
 * A process whose first thread has called pthread_exit() looks like a zombie in /proc/TGID: its
 * maps are empty, its exe and root links are gone, and yet it runs. Everything about its memory
 * is then read through any other of its threads: /proc/TID has the same files.
 *
 *	leader alive			/proc/TGID/{maps,exe,root,pagemap}
 *	leader a zombie, others live	/proc/OTHER_TID/{maps,exe,root,pagemap}
 *	all threads zombies		ZOMBIE; the pidfd is readable
 */
#include "target/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "target/procfs.h"

/* include/linux/sched.h: PF_EXITING, PF_KTHREAD */
#define KERNEL_PF_EXITING 0x00000004u
#define KERNEL_PF_KTHREAD 0x00200000u

#define SMALL_FILE_MAX_BYTES (64 * 1024)
/* /proc/stat has a line for every CPU and interrupt. */
#define PROC_STAT_MAX_BYTES (4 * 1024 * 1024)

int tide_proc_parse_stat(const char *text, struct tide_proc_stat *ret)
{
	/* proc(5), counted after "pid (comm)": state is field 3. */
	enum { FIELD_FLAGS = 9, FIELD_UTIME = 14, FIELD_STIME = 15, FIELD_START = 22 };
	struct tide_proc_stat stat = {};
	const char *open = strchr(text, '(');
	/* comm may hold anything, the fields behind it only numbers: the last one ends it. */
	const char *at = strrchr(text, ')');

	if (!open || !at || at < open || at[1] != ' ' || at[2] == '\0' || at[3] != ' ')
		return -EINVAL;
	stat.state = at[2];
	at += 3;
	for (int field = 4; field <= FIELD_START; field++) {
		uint64_t value;
		int r;

		if (*at++ != ' ')
			return -EINVAL;
		if (*at == '-')
			at++;
		r = tide_procfs_parse_dec(at, &value, &at);
		if (r < 0)
			return -EINVAL;
		if (field == FIELD_FLAGS)
			stat.flags = (uint32_t)value;
		else if (field == FIELD_UTIME)
			stat.utime_ticks = value;
		else if (field == FIELD_STIME)
			stat.stime_ticks = value;
		else if (field == FIELD_START)
			stat.start_ticks = value;
	}
	if (*at != '\0' && *at != ' ' && *at != '\n')
		return -EINVAL;
	*ret = stat;
	return 0;
}

static int read_stat_file(pid_t tid, const char *name, struct tide_proc_stat *ret)
{
	TIDE_AUTO_FREE char *text = NULL;
	int r = tide_procfs_read(tid, name, SMALL_FILE_MAX_BYTES, &text, NULL);

	return r < 0 ? r : tide_proc_parse_stat(text, ret);
}

int tide_proc_read_stat(pid_t tgid, struct tide_proc_stat *ret)
{
	return read_stat_file(tgid, "stat", ret);
}

int tide_proc_read_start_ticks(pid_t tgid, uint64_t *ret)
{
	struct tide_proc_stat stat;
	int r = tide_proc_read_stat(tgid, &stat);

	if (r < 0)
		return r;
	*ret = stat.start_ticks;
	return 0;
}

static bool thread_lives(pid_t tgid, pid_t tid)
{
	char name[64];
	struct tide_proc_stat stat;

	snprintf(name, sizeof(name), "task/%d/stat", tid);
	if (read_stat_file(tgid, name, &stat) < 0)
		return false;
	/* Flagged before it gives up its memory, a zombie only after. */
	return !(stat.flags & KERNEL_PF_EXITING) && !strchr("ZXx", stat.state);
}

int tide_proc_live_tid(pid_t tgid, pid_t *ret_tid)
{
	TIDE_AUTO_FD int fd = -1;
	struct dirent *entry;
	int r = -ESRCH;
	DIR *dir;

	if (tgid > 0 && thread_lives(tgid, tgid)) {
		*ret_tid = tgid;
		return 0;
	}
	fd = tide_procfs_open(tgid, "task", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	TIDE_TAKE_FD(fd);
	while ((entry = readdir(dir))) {
		uint64_t tid;

		if (tide_procfs_parse_dec(entry->d_name, &tid, NULL) < 0 || tid > INT32_MAX)
			continue;
		if (!thread_lives(tgid, (pid_t)tid))
			continue;
		*ret_tid = (pid_t)tid;
		r = 0;
		break;
	}
	closedir(dir);
	return r;
}

static bool pidfd_ended(int pidfd)
{
	struct pollfd pfd = {.fd = pidfd, .events = POLLIN};

	return poll(&pfd, 1, 0) > 0;
}

bool tide_proc_alive(const struct tide_proc *proc)
{
	uint64_t start_ticks;

	if (proc->pidfd < 0 || pidfd_ended(proc->pidfd))
		return false;
	return tide_proc_read_start_ticks(proc->tgid, &start_ticks) == 0 &&
	       start_ticks == proc->start_ticks;
}

int tide_proc_cpu_ns(const struct tide_proc *proc, uint64_t *ret_ns)
{
	struct tide_proc_stat stat;
	uint64_t tick_ns = TIDE_NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	int r = tide_proc_read_stat(proc->tgid, &stat);

	if (r < 0)
		return r;
	if (stat.start_ticks != proc->start_ticks)
		return -ESRCH;
	*ret_ns = (stat.utime_ticks + stat.stime_ticks) * tick_ns;
	return 0;
}

/* btime of /proc/stat (when the system was booted, whole seconds) plus the ticks since then. */
static int start_realtime(uint64_t start_ticks, uint64_t *ret_ns)
{
	TIDE_AUTO_FD int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	TIDE_AUTO_FREE char *text = NULL;
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	const char *value;
	uint64_t boot_s;
	int r;

	if (fd < 0)
		return -errno;
	r = tide_procfs_read_fd(fd, PROC_STAT_MAX_BYTES, &text, NULL);
	if (r < 0)
		return r;
	value = tide_procfs_find_key(text, "btime");
	if (!value || tide_procfs_parse_dec(value, &boot_s, NULL) < 0)
		return -EBADMSG;
	*ret_ns = boot_s * TIDE_NS_PER_SEC + start_ticks / hz * TIDE_NS_PER_SEC +
		  start_ticks % hz * (TIDE_NS_PER_SEC / hz);
	return 0;
}

static enum tide_proc_problem problem_of(int err, int *ret_errno)
{
	*ret_errno = -err;
	switch (-err) {
	case ESRCH:
	case ENOENT:
		return TIDE_PROC_GONE;
	case EACCES:
	case EPERM:
		return TIDE_PROC_DENIED;
	default:
		return TIDE_PROC_FAILED;
	}
}

static int read_tgid_of(pid_t tid, pid_t *ret)
{
	TIDE_AUTO_FREE char *text = NULL;
	const char *value;
	uint64_t tgid;
	int r = tide_procfs_read(tid, "status", SMALL_FILE_MAX_BYTES, &text, NULL);

	if (r < 0)
		return r;
	value = tide_procfs_find_key(text, "Tgid:");
	if (!value || tide_procfs_parse_dec(value, &tgid, NULL) < 0 || tgid > INT32_MAX)
		return -EBADMSG;
	*ret = (pid_t)tgid;
	return 0;
}

static void read_comm(pid_t tgid, char *buf, size_t buf_sz)
{
	TIDE_AUTO_FREE char *text = NULL;
	size_t len;

	buf[0] = '\0';
	if (tide_procfs_read(tgid, "comm", SMALL_FILE_MAX_BYTES, &text, &len) < 0)
		return;
	/* Only the last newline is the kernel's; one before it belongs to the name. */
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	snprintf(buf, buf_sz, "%s", text);
}

/* The exe link, without the mark of a deleted file (which has no link left: a file may well be
 * called "x (deleted)").
 */
static int read_exe(pid_t tid, char *buf, size_t buf_sz)
{
	static const char mark[] = " (deleted)";
	const size_t mark_len = sizeof(mark) - 1;
	char link[TIDE_PROCFS_PATH_SZ];
	struct stat st;
	ssize_t len;

	buf[0] = '\0';
	snprintf(link, sizeof(link), "/proc/%d/exe", tid);
	len = readlink(link, buf, buf_sz - 1);
	if (len < 0) {
		buf[0] = '\0';
		return -errno;
	}
	buf[len] = '\0';
	if ((size_t)len > mark_len && !strcmp(buf + len - mark_len, mark) && !stat(link, &st) &&
	    st.st_nlink == 0)
		buf[(size_t)len - mark_len] = '\0';
	return 0;
}

/* No thread of it lives. */
static enum tide_proc_problem problem_of_dead(pid_t tgid)
{
	struct tide_proc_stat stat;

	return tide_proc_read_stat(tgid, &stat) < 0 ? TIDE_PROC_GONE : TIDE_PROC_ZOMBIE;
}

/* What the stat line says about watching it. Fills the fields that come from it. */
static enum tide_proc_problem examine_stat(struct tide_proc *proc, pid_t *ret_tid, int *ret_errno)
{
	struct tide_proc_stat stat;
	int r = tide_proc_read_stat(proc->tgid, &stat);

	if (r < 0)
		return problem_of(r, ret_errno);
	if (stat.flags & KERNEL_PF_KTHREAD)
		return TIDE_PROC_KERNEL;
	if (tide_proc_live_tid(proc->tgid, ret_tid) < 0)
		return problem_of_dead(proc->tgid);
	proc->start_ticks = stat.start_ticks;
	r = start_realtime(stat.start_ticks, &proc->start_realtime_ns);
	return r < 0 ? problem_of(r, ret_errno) : TIDE_PROC_OK;
}

static enum tide_proc_problem open_links(struct tide_proc *proc, pid_t tid, int *ret_errno)
{
	int r;

	proc->root_fd = tide_procfs_open(tid, "root", O_PATH);
	if (proc->root_fd < 0)
		return problem_of(proc->root_fd, ret_errno);
	r = read_exe(tid, proc->exe, sizeof(proc->exe));
	/* Only a task that never had a program has no link to it, and lives. */
	if (r == -ENOENT || r == -ESRCH)
		return TIDE_PROC_KERNEL;
	return r < 0 ? problem_of(r, ret_errno) : TIDE_PROC_OK;
}

static enum tide_proc_problem open_checked(struct tide_proc *proc, int *ret_errno)
{
	enum tide_proc_problem problem;
	pid_t owner, tid;
	int r = read_tgid_of(proc->tgid, &owner);

	if (r < 0)
		return problem_of(r, ret_errno);
	if (owner != proc->tgid) {
		proc->tgid = owner;
		return TIDE_PROC_IS_THREAD;
	}
	proc->pidfd = (int)syscall(SYS_pidfd_open, proc->tgid, 0);
	if (proc->pidfd < 0)
		/* EINVAL: the number now belongs to a thread. */
		return problem_of(errno == EINVAL ? -ESRCH : -errno, ret_errno);
	problem = examine_stat(proc, &tid, ret_errno);
	if (problem != TIDE_PROC_OK)
		return problem;
	read_comm(proc->tgid, proc->comm, sizeof(proc->comm));
	problem = open_links(proc, tid, ret_errno);
	/* What a dying process refuses, and how, depends on how far it is; nobody may open it any
	 * more. */
	if (problem != TIDE_PROC_OK && tide_proc_live_tid(proc->tgid, &tid) < 0)
		return problem_of_dead(proc->tgid);
	if (problem != TIDE_PROC_OK)
		return problem;
	/* All of it was read by number: it is of this process only if the pidfd's still lives. */
	return tide_proc_alive(proc) ? TIDE_PROC_OK : TIDE_PROC_GONE;
}

enum tide_proc_problem tide_proc_open(pid_t tgid, struct tide_proc *ret, int *ret_errno)
{
	struct tide_proc proc = {.tgid = tgid, .pidfd = -1, .root_fd = -1};
	enum tide_proc_problem problem;

	*ret_errno = 0;
	problem = open_checked(&proc, ret_errno);
	if (problem == TIDE_PROC_OK) {
		*ret = proc;
		return problem;
	}
	if (problem == TIDE_PROC_IS_THREAD)
		ret->tgid = proc.tgid;
	tide_proc_close(&proc);
	return problem;
}

void tide_proc_close(struct tide_proc *proc)
{
	if (proc->pidfd >= 0)
		close(proc->pidfd);
	if (proc->root_fd >= 0)
		close(proc->root_fd);
	proc->pidfd = -1;
	proc->root_fd = -1;
}
