/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generates functions that allocate, and lists them for perf as just-in-time compilers do: in
 * /tmp/perf-PID.map, by the pid that it has itself.
 *
 * stdin: make N (generates a function "jit_N" and has it allocate N bytes) | quit
 * stdout: ready, then "done N"
 */
#include "handshake.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { MAX_FUNCTIONS = 64, FUNCTION_BYTES = 64 };

typedef void *(*generated_fn)(size_t bytes, void *(*alloc)(size_t));

/* x86-64: push %rbp; mov %rsp,%rbp; call *%rsi; pop %rbp; ret */
static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d, 0xc3};

static void *blocks[MAX_FUNCTIONS];

SITE void *site_generated(generated_fn function, size_t bytes)
{
	void *block = function(bytes, malloc);

	KEEP(block, "site_generated");
	return block;
}

int main(void)
{
	char path[64], entry[128];
	unsigned long arg = 0;
	unsigned char *page;
	const char *line;
	int fd, cnt = 0;

	page = mmap(NULL, MAX_FUNCTIONS * FUNCTION_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (page == MAP_FAILED || fd < 0)
		return 114;
	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg)) {
		unsigned char *function = page + cnt * FUNCTION_BYTES;
		generated_fn call;
		int len;

		if (!is_command(line, "make", &arg) || cnt == MAX_FUNCTIONS)
			return 115;
		memcpy(function, code, sizeof(code));
		len = snprintf(entry, sizeof(entry), "%lx %zx jit_%lu /app/load.js:%lu\n",
			       (unsigned long)function, sizeof(code), arg, arg);
		if (write(fd, entry, (size_t)len) != len)
			return 116;
		memcpy(&call, &function, sizeof(call));
		blocks[cnt++] = site_generated(call, arg);
		say("done %lu\n", arg);
	}
	return 0;
}
