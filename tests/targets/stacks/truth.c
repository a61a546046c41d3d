/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "truth.h"

#include "../c/handshake.h"

#include <execinfo.h>

enum {
	TRUTH_MAX = 4096,
	FRAMES = 200,	  /* more than Tidemark keeps */
	SIZE_FIRST = 5000 /* no other part of the programs asks for as much */
};

static struct record {
	const char *label;
	int frame_cnt;
	void *frames[FRAMES];
} records[TRUTH_MAX];
static unsigned int record_cnt;

/* The only caller of malloc that counts: its own frame differs between backtrace and malloc, all
 * above it are the same.
 */
NOINLINE void *truth_alloc(const char *label)
{
	unsigned int nr = __atomic_fetch_add(&record_cnt, 1, __ATOMIC_SEQ_CST);
	void *block;

	if (nr >= TRUTH_MAX)
		_exit(115);
	records[nr].label = label;
	records[nr].frame_cnt = backtrace(records[nr].frames, FRAMES);
	block = malloc(SIZE_FIRST + nr);
	if (!block)
		_exit(116);
	KEEP(block, "truth_alloc");
	return block;
}

static void say_record(size_t bytes, const struct record *record)
{
	char text[4096];
	int len = snprintf(text, sizeof(text), "%zu %s", bytes, record->label);

	for (int i = 0; i < record->frame_cnt; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " %lx",
				(unsigned long)record->frames[i]);
	say("%s\n", text);
}

static void say_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[1024], perms[8], path[512];
	unsigned long start, end, off;

	if (!maps)
		_exit(117);
	while (fgets(line, sizeof(line), maps)) {
		path[0] = '\0';
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %511s", &start, &end, perms, &off,
			   path) >= 4 &&
		    perms[2] == 'x')
			say("map %lx %lx %lx %s\n", start, end, off, path[0] ? path : "-");
	}
	fclose(maps);
}

void truth_begin(void)
{
	void *frame[1];

	/* The first call may load libgcc_s, and allocate. */
	backtrace(frame, 1);
	say("ready\n");
	wait_for("go");
}

int truth_end(void)
{
	unsigned int cnt = record_cnt;

	for (unsigned int i = 0; i < cnt; i++)
		say_record(SIZE_FIRST + i, &records[i]);
	say_mappings();
	say("done %u\n", cnt);
	wait_for("quit");
	return 0;
}
