#include "target/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define READ_STEP_BYTES 4096

/* /proc says "no such file" for a process that has gone before, ESRCH for one that goes now. */
static int procfs_errno(int err)
{
	return err == ENOENT ? -ESRCH : -err;
}

int tide_procfs_open(pid_t tid, const char *name, int flags)
{
	char path[TIDE_PROCFS_PATH_SZ];
	int fd;

	if (tid <= 0)
		return -ESRCH;
	if ((size_t)snprintf(path, sizeof(path), "/proc/%d/%s", tid, name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? procfs_errno(errno) : fd;
}

int tide_procfs_lines_open(pid_t tid, const char *name, struct tide_procfs_lines *ret)
{
	struct tide_procfs_lines lines = {.fd = tide_procfs_open(tid, name, O_RDONLY)};

	if (lines.fd < 0)
		return lines.fd;
	lines.buf = malloc(TIDE_PROCFS_LINE_SZ);
	if (!lines.buf) {
		close(lines.fd);
		return -ENOMEM;
	}
	*ret = lines;
	return 0;
}

void tide_procfs_lines_done(struct tide_procfs_lines *lines)
{
	if (lines->fd >= 0)
		close(lines->fd);
	free(lines->buf);
	*lines = (struct tide_procfs_lines){.fd = -1};
}

/* Moves what is left to the front and reads more behind it, one byte kept for the terminator. */
static int fill_lines(struct tide_procfs_lines *lines)
{
	ssize_t got;

	memmove(lines->buf, lines->buf + lines->at, lines->len - lines->at);
	lines->len -= lines->at;
	lines->at = 0;
	if (lines->len >= TIDE_PROCFS_LINE_SZ - 1)
		return -EBADMSG;
	do
		got = read(lines->fd, lines->buf + lines->len,
			   TIDE_PROCFS_LINE_SZ - 1 - lines->len);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return procfs_errno(errno);
	lines->len += (size_t)got;
	lines->ended = got == 0;
	return 0;
}

int tide_procfs_next_line(struct tide_procfs_lines *lines, const char **ret)
{
	char *end;
	int r;

	while (!(end = memchr(lines->buf + lines->at, '\n', lines->len - lines->at))) {
		if (lines->ended) {
			if (lines->at == lines->len)
				return 0;
			/* The last line, without a newline. */
			end = lines->buf + lines->len++;
			break;
		}
		r = fill_lines(lines);
		if (r < 0)
			return r;
	}
	*end = '\0';
	*ret = lines->buf + lines->at;
	lines->at = (size_t)(end - lines->buf) + 1;
	return 1;
}

int tide_procfs_read_fd(int fd, size_t max_bytes, char **ret, size_t *ret_len)
{
	TIDE_AUTO_FREE char *buf = NULL;
	size_t len = 0, sz = 0;

	for (;;) {
		ssize_t got;

		if (len + 1 >= sz) {
			char *grown;

			sz += READ_STEP_BYTES;
			grown = realloc(buf, sz);
			if (!grown)
				return -ENOMEM;
			buf = grown;
		}
		got = read(fd, buf + len, sz - len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return procfs_errno(errno);
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > max_bytes)
			return -EFBIG;
	}
	buf[len] = '\0';
	*ret = TIDE_TAKE_PTR(buf);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int tide_procfs_read(pid_t tid, const char *name, size_t max_bytes, char **ret, size_t *ret_len)
{
	TIDE_AUTO_FD int fd = tide_procfs_open(tid, name, O_RDONLY);

	if (fd < 0)
		return fd;
	return tide_procfs_read_fd(fd, max_bytes, ret, ret_len);
}

const char *tide_procfs_find_key(const char *text, const char *key)
{
	size_t key_len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, key, key_len))
			continue;
		line += key_len;
		return line + strspn(line, " \t");
	}
	return NULL;
}

int tide_procfs_parse_dec(const char *text, uint64_t *ret, const char **ret_end)
{
	uint64_t value = 0;
	const char *at = text;

	if (!isdigit((unsigned char)*at))
		return -EINVAL;
	for (; isdigit((unsigned char)*at); at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -ERANGE;
	}
	*ret = value;
	if (ret_end)
		*ret_end = at;
	return 0;
}
