/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What C code does to a stack: recursion, frames of variable size, over-aligned frames, callbacks
 * from the C library, threads, coroutines, and signal handlers on either stack.
 */
#include "truth.h"

#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#ifndef __clang__
#define APART __attribute__((noinline, noclone))
#else
#define APART NOINLINE
#endif

enum { FLOODS = 400, DEEPEST = 120 };

static volatile int sink;

/* Frames differ in size from level to level. */
APART static int recurse(int depth, const char *label)
{
	char pad[16 + (depth & 31)];
	int ret;

	memset(pad, depth, sizeof(pad));
	sink += pad[3];
	if (depth == 1) {
		truth_alloc(label);
		return sink;
	}
	ret = recurse(depth - 1, label) + pad[5];
	sink++;
	return ret;
}

APART static int variable_frame(int bytes)
{
	char *room = alloca(bytes);

	memset(room, 1, bytes);
	sink += room[bytes / 2];
	truth_alloc("alloca");
	return room[bytes - 1];
}

APART static int aligned_frame(int n)
{
	_Alignas(64) char room[256];

	memset(room, n, sizeof(room));
	sink += room[3];
	truth_alloc("aligned");
	return room[n & 63];
}

APART static int aligned_variable_frame(int n)
{
	_Alignas(128) char fixed[128];
	char *room = alloca(n + 10);
	int ret;

	memset(fixed, n, sizeof(fixed));
	memset(room, n, n + 10);
	sink += (long)fixed & 127;
	ret = aligned_frame(n) + variable_frame(n + 100);
	truth_alloc("aligned-alloca");
	return ret + room[1] + fixed[2];
}

static int compare(const void *a, const void *b)
{
	static int calls;

	if (calls++ < 5)
		truth_alloc("callback");
	return *(const int *)a - *(const int *)b;
}

APART static void called_back(void)
{
	int values[64];

	for (int i = 0; i < 64; i++)
		values[i] = i * 37 & 63;
	qsort(values, 64, sizeof(values[0]), compare);
	sink += values[3];
}

static void on_signal(int number)
{
	(void)number;
	truth_alloc("signal");
	sink++;
}

/* A leaf without any frame, interrupted between two of its instructions. */
APART static int trapping_leaf(int n)
{
	n ^= sink;
	__asm__ volatile("int3" : "+r"(n));
	return n * 3;
}

APART static void interrupted(void)
{
	char room[300];

	memset(room, 1, sizeof(room));
	sink += trapping_leaf(4) + room[4];
	raise(SIGUSR1);
	sink += room[9];
}

static void *thread_main(void *label)
{
	recurse(3, label);
	variable_frame(77);
	interrupted();
	sink++;
	return NULL;
}

static void *ending_main(void *key)
{
	pthread_setspecific(*(pthread_key_t *)key, key);
	return NULL;
}

static void at_thread_end(void *value)
{
	(void)value;
	truth_alloc("thread-end");
	sink++;
}

static void threads(void)
{
	pthread_t threads[4], ending;
	pthread_key_t key;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, thread_main, "thread");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_key_create(&key, at_thread_end);
	pthread_create(&ending, NULL, ending_main, &key);
	pthread_join(ending, NULL);
}

static ucontext_t home, elsewhere;

static void coroutine(void)
{
	recurse(2, "coroutine");
}

static void coroutines(void)
{
	static char stack[65536];

	getcontext(&elsewhere);
	elsewhere.uc_stack.ss_sp = stack;
	elsewhere.uc_stack.ss_size = sizeof(stack);
	elsewhere.uc_link = &home;
	makecontext(&elsewhere, coroutine, 0);
	swapcontext(&home, &elsewhere);
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigaction(number, &action, NULL);
}

static void signals(int flags)
{
	handle(SIGUSR1, on_signal, flags);
	handle(SIGTRAP, on_signal, flags);
	interrupted();
}

static volatile int floods;

static void on_flood(int number)
{
	(void)number;
	if (floods > 0) {
		truth_alloc("interrupted");
		floods--;
	}
}

/* Anything but the allocator, which is not to be entered twice. */
APART static void busy(void)
{
	static char from[4096], to[4096];
	struct timespec now;

	for (int i = 1; i < 60; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		memcpy(to, from, 1000 + i);
		memset(from, i, 1000 + i);
		from[4095] = 0;
		sink += strlen(from) + atoi("1234567") + now.tv_nsec;
		/* 800 bytes: glibc sorts them without malloc. */
		qsort(to, 200, sizeof(int), compare);
	}
}

/* A timer interrupts whatever happens to run. */
static void flood(void)
{
	struct itimerval timer = {{0, 211}, {0, 211}};

	floods = FLOODS;
	handle(SIGALRM, on_flood, SA_RESTART);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (floods > 0)
		busy();
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(void)
{
	static char other_stack[65536];
	const stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};

	truth_begin();
	for (int depth = 1; depth <= DEEPEST; depth++)
		recurse(depth, "recursion");
	variable_frame(40);
	variable_frame(5000);
	for (int n = 1; n < 64; n += 7)
		aligned_variable_frame(n);
	called_back();
	signals(0);
	threads();
	sigaltstack(&stack, NULL);
	signals(SA_ONSTACK);
	coroutines();
	flood();
	return truth_end();
}
