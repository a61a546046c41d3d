#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A message of ours names a path at most; what is longer ends in "...". */
#define LINE_SZ 4608

static _Atomic int max_level = TIDE_LOG_INFO;

/* The program's own voice (errors, information) needs no level: it is what the user asked for. */
static const char *const level_prefix[] = {
	[TIDE_LOG_ERROR] = "",
	[TIDE_LOG_WARN] = "warning: ",
	[TIDE_LOG_INFO] = "",
	[TIDE_LOG_DEBUG] = "debug: ",
};

void tide_log_set_level(enum tide_log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum tide_log_level tide_log_get_level(void)
{
	return (enum tide_log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

/* One write a line, so that lines of several threads or processes never mix. */
static void write_line(const char *line, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, line, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody reads stderr: there is no better place to say it */
		line += n;
		len -= (size_t)n;
	}
}

void tide_log(enum tide_log_level level, const char *fmt, ...)
{
	int saved_errno = errno;
	char line[LINE_SZ];
	size_t len;
	va_list ap;
	int n;

	if (level > tide_log_get_level())
		return;

	len = (size_t)snprintf(line, sizeof(line), "tidemark: %s", level_prefix[level]);
	errno = saved_errno; /* for %m */
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n < 0) {
		errno = saved_errno;
		return;
	}
	if ((size_t)n >= sizeof(line) - len - 1) {
		len = sizeof(line) - 2;
		memcpy(line + len - 3, "...", 3);
	} else {
		len += (size_t)n;
	}
	line[len++] = '\n';
	write_line(line, len);
	errno = saved_errno;
}
