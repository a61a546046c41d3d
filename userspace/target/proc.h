/* One process under study: who it is, that it is still the same one, what /proc says of it.
 *
 * Owns: a pidfd and the process's start time; both decide identity (a recycled pid is another
 * process). Never: writes to, stops or signals the process. Every read is bounded.
 * Threads: functions are reentrant; an object has one user at a time.
 * Memory: fixed.
 */
#ifndef TIDE_TARGET_PROC_H
#define TIDE_TARGET_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tide_proc {
	pid_t tgid;
	int pidfd;   /* readable (POLLIN) once the process has ended */
	int root_fd; /* O_PATH of /proc/TGID/root: its mount namespace, kept after its end */
	uint64_t start_ticks; /* /proc/TGID/stat field 22, clock ticks since boot */
	uint64_t start_realtime_ns;
	char comm[64];
	char exe[4096]; /* as the target sees it; "" when unreadable */
};

/* Why a process cannot be watched; session/session.c says each in words. */
enum tide_proc_problem {
	TIDE_PROC_OK,
	TIDE_PROC_GONE,	     /* no such process */
	TIDE_PROC_IS_THREAD, /* a thread id, not a process id; ret->tgid says whose */
	TIDE_PROC_KERNEL,    /* a kernel thread */
	TIDE_PROC_ZOMBIE,    /* has ended, not yet waited for */
	TIDE_PROC_DENIED,    /* permission */
	TIDE_PROC_FAILED,    /* anything else: *ret_errno */
};

/* Opens the process tgid. On TIDE_PROC_OK *ret is to be closed with tide_proc_close(). */
enum tide_proc_problem tide_proc_open(pid_t tgid, struct tide_proc *ret, int *ret_errno);
void tide_proc_close(struct tide_proc *proc);
/* True while the process opened is alive and has not been replaced (pidfd and start time). */
bool tide_proc_alive(const struct tide_proc *proc);
/* /proc/TGID/stat start time now, to compare with start_ticks. 0 or -errno (-ESRCH: gone). */
int tide_proc_read_start_ticks(pid_t tgid, uint64_t *ret);
/* Parses the text of a /proc/PID/stat line (comm may hold spaces and parentheses): pure.
 * state: one letter; flags: field 9; ticks: field 22; utime+stime: fields 14, 15 in ticks.
 */
struct tide_proc_stat {
	char state;
	uint32_t flags;
	uint64_t utime_ticks, stime_ticks, start_ticks;
};
int tide_proc_parse_stat(const char *text, struct tide_proc_stat *ret);
int tide_proc_read_stat(pid_t tgid, struct tide_proc_stat *ret);
/* A living thread of the process: the leader while it lives, else any other. 0 or -ESRCH. */
int tide_proc_live_tid(pid_t tgid, pid_t *ret_tid);
/* User and system CPU time so far, ns. 0 or -errno. */
int tide_proc_cpu_ns(const struct tide_proc *proc, uint64_t *ret_ns);
/* The cgroup path ("/" for the root) and the least memory limit of it and its ancestors; v2
 * and v1. limit_known false: none set or not readable. Never fails hard: *ret_path may be NULL.
 * Caller frees *ret_path.
 */
void tide_proc_cgroup(const struct tide_proc *proc, char **ret_path, bool *ret_limit_known,
		      uint64_t *ret_limit_bytes);

#endif
