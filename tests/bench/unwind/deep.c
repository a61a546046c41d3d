/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deep DEPTH: calls bench_probe() that many functions below main, as often as a line on stdin says,
 * and answers each line with one; bench_probe() allocates a block. Built with frame pointers and
 * without.
 */
#include <stdio.h>
#include <stdlib.h>

static volatile int sink;

void bench_probe(void);

__attribute__((noinline)) void bench_probe(void)
{
	void *block = malloc(40);

	__asm__ volatile("" : "+r"(block) : : "memory");
	free(block);
}

__attribute__((noinline, noclone)) static int descend(int depth)
{
	char room[24 + (depth & 15)];

	room[depth & 7] = (char)depth;
	if (depth <= 1)
		bench_probe();
	else
		sink += descend(depth - 1);
	return room[depth & 7];
}

int main(int argc, char **argv)
{
	char line[64];

	while (argc > 1 && fgets(line, sizeof(line), stdin)) {
		for (int i = atoi(line); i > 0; i--)
			sink += descend(atoi(argv[1]));
		puts("done");
		fflush(stdout);
	}
	return 0;
}
