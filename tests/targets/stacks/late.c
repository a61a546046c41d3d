/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An object for late_host.c, whose allocations lie three frames deep in it. */
#include "../c/handshake.h"

void *late_first(int nr);
void *late_later(int nr);

SITE void *late_inner(int nr)
{
	void *block = malloc(20000 + (size_t)nr);

	KEEP(block, "late_inner");
	return block;
}

/* Its frame's size is known at run time only: without tables nobody finds the caller. */
SITE void *late_middle(int nr)
{
	volatile char room[16 + nr % 7];
	void *block;

	room[nr % 7] = 1;
	block = late_inner(nr + room[nr % 7]);
	KEEP(block, "late_middle");
	return block;
}

__attribute__((noinline)) void *late_first(int nr)
{
	void *block = late_middle(nr);

	KEEP(block, "late_first");
	return block;
}

__attribute__((noinline)) void *late_later(int nr)
{
	void *block = late_middle(nr);

	KEEP(block, "late_later");
	return block;
}
