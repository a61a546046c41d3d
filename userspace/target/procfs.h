/* Reading files of /proc/PID, for target/ only.
 *
 * Owns: nothing. Never: follows anything but the fixed names given. A process that has gone, at
 * open or in the middle of a read, is always -ESRCH.
 * Threads: reentrant. Memory: the caller's bound.
 */
#ifndef TIDE_TARGET_PROCFS_H
#define TIDE_TARGET_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Room for "/proc/PID/task/TID/<name>" with every name we use. */
#define TIDE_PROCFS_PATH_SZ 128

/* Opens /proc/TID/<name> close-on-exec. Any thread id has such a directory. fd or -errno. */
int tide_procfs_open(pid_t tid, const char *name, int flags);

/* Line-wise reading of long files. The kernel hands out /proc in pages, so a stream's smaller
 * buffer would cost more calls than needed.
 */
#define TIDE_PROCFS_LINE_SZ 65536

struct tide_procfs_lines {
	int fd;
	char *buf;
	size_t at, len; /* [at, len) is read and not yet given out */
	bool ended;
};

/* 0 or -errno. */
int tide_procfs_lines_open(pid_t tid, const char *name, struct tide_procfs_lines *ret);
void tide_procfs_lines_done(struct tide_procfs_lines *lines);
/* The next line without its newline, valid until the next call. 1, 0 at the end, or -errno;
 * -EBADMSG for a line that does not fit.
 */
int tide_procfs_next_line(struct tide_procfs_lines *lines, const char **ret);

/* Reads a whole small file, terminated, into a new buffer; -EFBIG beyond max_bytes. */
int tide_procfs_read(pid_t tid, const char *name, size_t max_bytes, char **ret, size_t *ret_len);
/* The same for an open descriptor. */
int tide_procfs_read_fd(int fd, size_t max_bytes, char **ret, size_t *ret_len);
/* The rest of the line that begins with key ("Tgid:"), blanks skipped; NULL when there is none. */
const char *tide_procfs_find_key(const char *text, const char *key);
/* Decimal digits up to the first other character. 0, -EINVAL (no digit) or -ERANGE. */
int tide_procfs_parse_dec(const char *text, uint64_t *ret, const char **ret_end);

#endif
