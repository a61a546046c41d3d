/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a target program and its test take turns.
 *
 * Owns: lines in on stdin, lines out on stdout, and the attributes that make a call site
 * recognisable. Never: stdio streams, malloc. A target's books must not disturb what they count.
 * Threads: the main thread only. Memory: two static buffers.
 */
#ifndef TIDE_TARGET_HANDSHAKE_H
#define TIDE_TARGET_HANDSHAKE_H

/* Include this first: some allocator functions are declared only then. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __clang__
#define SITE static __attribute__((noinline, used))
#else
#define SITE static __attribute__((noinline, noclone, used))
#endif

/* Between a call and the return: it forbids the tail call, hides the value from the optimizer,
 * and the differing text keeps identical functions from being folded into one.
 */
#define KEEP(ptr, name) __asm__ volatile("# " name : "+r"(ptr) : : "memory")

static inline void say_raw(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n <= 0)
			_exit(111);
		text += n;
		len -= (size_t)n;
	}
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *fmt, ...)
{
	static char text[4096];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		_exit(112);
	say_raw(text, (size_t)len);
}

/* The next line of the test without its newline; NULL at the end of input. */
static inline char *hear(void)
{
	static char line[256];
	size_t len = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n') {
			line[len] = '\0';
			return line;
		}
		if (len + 1 < sizeof(line))
			line[len++] = c;
	}
	return NULL;
}

/* Waits for one given line; ends the program when something else comes. */
static inline void wait_for(const char *word)
{
	const char *line = hear();

	if (!line || strcmp(line, word) != 0)
		_exit(113);
}

/* Whether line begins with the word; *arg becomes the number behind it (0 without one). */
static inline bool is_command(const char *line, const char *word, unsigned long *arg)
{
	size_t len = strlen(word);

	if (strncmp(line, word, len) != 0 || (line[len] != '\0' && line[len] != ' '))
		return false;
	*arg = line[len] == ' ' ? strtoul(line + len + 1, NULL, 10) : 0;
	return true;
}

#endif
