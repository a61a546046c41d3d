/* `tidemark demo`: the story of a table that never shrank, on the program we carry. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/cmd.h"
#include "cli/demo_program.h"
#include "session/spawn.h"

/* Twenty cycles of a second; the sixth is the catch-up cycle. Held means: for three cycles. */
#define DEMO_CYCLES   "20"
#define DEMO_SPIKE    "6"
#define DEMO_RECORDS  "200000"
#define DEMO_CYCLE_MS "1000"
#define DEMO_HOLD_NS  (3 * TIDE_NS_PER_SEC)

static const char intro[] =
	"A batch service reads 200,000 records per cycle into a hash table and deletes them again.\n"
	"Its sixth cycle catches up on six times as many; all later cycles are normal. Watch what\n"
	"the table does (20 cycles of a second; Ctrl-C ends earlier, with a report):\n\n";

struct demo_file {
	char dir[64];
	char path[80];
};

static void demo_file_remove(struct demo_file *f)
{
	if (f->path[0])
		unlink(f->path);
	if (f->dir[0])
		rmdir(f->dir);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			data += done;
			len -= (size_t)done;
		}
	}
	return 0;
}

static int demo_file_make(struct demo_file *f, struct tide_failure *fail)
{
	TIDE_AUTO_FD int fd = -1;
	int err = 0;

	snprintf(f->dir, sizeof(f->dir), "/tmp/tidemark-demo-XXXXXX");
	if (!mkdtemp(f->dir)) {
		f->dir[0] = '\0';
		return tide_fail(fail, TIDE_EXIT_FAILED, -errno,
				 "cannot make a directory in /tmp: %s", strerror(errno));
	}
	snprintf(f->path, sizeof(f->path), "%s/batchd", f->dir);
	fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (fd < 0)
		err = -errno;
	if (!err)
		err = write_all(fd, tide_demo_program_begin,
				(size_t)(tide_demo_program_end - tide_demo_program_begin));
	if (err)
		return tide_fail(fail, TIDE_EXIT_FAILED, err,
				 "cannot write the demo's program to '%s': %s", f->path,
				 strerror(-err));
	return 0;
}

static int play(struct tide_options *opts, struct demo_file *file)
{
	char *const argv[] = {file->path,
			      (char *)DEMO_CYCLES,
			      (char *)DEMO_SPIKE,
			      (char *)DEMO_RECORDS,
			      (char *)DEMO_CYCLE_MS,
			      (char *)"quiet",
			      NULL};
	struct tide_watch watch = {.opts = opts, .our_child = true};
	struct tide_failure fail;

	if (tide_signals_block(&fail) || demo_file_make(file, &fail) ||
	    tide_spawn(argv, &watch.tgid, &fail))
		return tide_failed(&fail);
	return tide_watch_run(&watch);
}

int tide_cmd_demo(int argc, char **argv)
{
	const struct tide_cmd *cmd = tide_cmd_find("demo");
	TIDE_CLEANUP(demo_file_remove) struct demo_file file = {0};
	struct tide_options opts;
	int at;

	tide_options_init(&opts);
	opts.session.hold_ns = DEMO_HOLD_NS;
	at = tide_options_parse(cmd, argc, argv, &opts);
	if (at < 0)
		return tide_options_exit(at);
	if (argv[at])
		return tide_usage_error(cmd, "what is '%s'?", argv[at]);
	opts.session.from_first = true;
	opts.session.named_sites_cnt = tide_named_sites(&opts);
	fputs(intro, stderr);
	return play(&opts, &file);
}
