/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads an object and allocates through it, every 10 ms for a while after the load.
 *
 * late_host LATE.so
 * stdin: load | quit
 * stdout: ready; after load "done N M": allocations within a second of the load, and after it
 */
#include "../c/handshake.h"

#include <dlfcn.h>
#include <time.h>

static const long long SECOND_NS = 1000000000;

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Calls allocate every 10 ms until a time. Returns how often. */
static int keep_calling(void *(*allocate)(int), long long end_ns)
{
	static const struct timespec pause = {.tv_nsec = 10000000};
	int cnt = 0;

	for (; now_ns() < end_ns; cnt++) {
		if (!allocate(cnt))
			_exit(118);
		nanosleep(&pause, NULL);
	}
	return cnt;
}

static void *function(void *object, const char *name)
{
	void *found = object ? dlsym(object, name) : NULL;

	if (!found)
		_exit(119);
	return found;
}

int main(int argc, char **argv)
{
	long long loaded_ns;
	int first, later;
	void *object;

	if (argc < 2)
		return 113;
	say("ready\n");
	wait_for("load");
	object = dlopen(argv[1], RTLD_NOW);
	loaded_ns = now_ns();
	first = keep_calling(function(object, "late_first"), loaded_ns + SECOND_NS);
	later = keep_calling(function(object, "late_later"), loaded_ns + SECOND_NS * 3 / 2);
	say("done %d %d\n", first, later);
	wait_for("quit");
	return 0;
}
