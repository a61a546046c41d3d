/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the in-kernel unwinder costs, from the kernel's own program statistics, and its tables.
 *
 * unwind_bench OBJECT.bpf.o DEEP DEEP_FP ELF...: DEEP is deep.c without frame pointers, DEEP_FP
 * with them; of each ELF file the table is compiled.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "bpf/abi/event.h"
#include "probe/unwind_areas.h"
#include "target/ehframe.h"
#include "target/proc.h"
#include "tests/bench/unwind/unwind_bench.h"

/* bench_probe, main, the C library's two and _start. */
#define FRAMES_BELOW_DEEP 5

enum { FRAMES = 20, CALLS = 20000, ROUNDS = 3 };

/* For Tidemark on this machine. */
#define MAX_EVENT_NS	4000.0
#define MAX_RATIO	4.0
#define MAX_ROW_BYTES	8.0
#define BIG_FILE_BYTES	(50 << 20)
#define MAX_COMPILE_MS	50.0
#define MAX_BIG_FILE_MS 1500.0

struct deep {
	pid_t tgid;
	const char *path;
	FILE *to, *from;
};

struct bench {
	struct bpf_object *object;
	struct unwind_bench_vars *vars; /* mapped from the kernel */
};

static void die(const char *what, int r)
{
	fprintf(stderr, "unwind_bench: %s: %s\n", what, strerror(r < 0 ? -r : errno));
	exit(1);
}

static const char *met(bool good)
{
	return good ? "met" : "NOT met";
}

static void deep_start(struct deep *deep, const char *path, int depth)
{
	int to[2], from[2];
	char number[16];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe", -1);
	snprintf(number, sizeof(number), "%d", depth);
	deep->path = path;
	deep->tgid = fork();
	if (!deep->tgid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		execl(path, path, number, NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	deep->to = fdopen(to[1], "w");
	deep->from = fdopen(from[0], "r");
}

static void deep_call(struct deep *deep, int calls)
{
	char line[64];

	fprintf(deep->to, "%d\n", calls);
	fflush(deep->to);
	if (!fgets(line, sizeof(line), deep->from))
		die(deep->path, -EPIPE);
}

static void deep_end(struct deep *deep)
{
	fclose(deep->to);
	fclose(deep->from);
	waitpid(deep->tgid, NULL, 0);
}

static int map_fd(const struct bench *bench, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(bench->object, name);

	if (fd < 0)
		die(name, fd);
	return fd;
}

/* The tables of the target, as a session makes them. */
static void make_tables(struct tide_unwind_tables *tables, pid_t tgid)
{
	TIDE_CLEANUP(tide_modules_free) struct tide_modules *mods = NULL;
	TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {0};
	enum tide_proc_problem problem;
	struct tide_proc proc;
	int r;

	problem = tide_proc_open(tgid, &proc, &r);
	if (problem)
		die("target", r);
	r = tide_maps_read(tgid, &maps);
	if (!r)
		r = tide_modules_new(&mods);
	if (!r)
		r = tide_modules_update(mods, &proc);
	if (r >= 0)
		r = tide_unwind_areas_update(tables, tgid, &maps, mods);
	if (r)
		die("tables of the target", r);
	tide_proc_close(&proc);
}

static void read_stats(const struct bpf_program *program, uint64_t *ret_ns, uint64_t *ret_cnt)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		die("statistics", -1);
	*ret_ns = info.run_time_ns;
	*ret_cnt = info.run_cnt;
}

/* Mean run time of a program at the target's probe, the best round: nobody else's interrupts. */
static double mean_ns(struct bench *bench, const char *name, struct deep *deep)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = "bench_probe");
	struct bpf_program *program = bpf_object__find_program_by_name(bench->object, name);
	struct bpf_link *link;
	double best = 0;

	bench->vars->frame_cnt = 0;
	bench->vars->watched_tgid = deep->tgid;
	link = bpf_program__attach_uprobe_opts(program, deep->tgid, deep->path, 0, &opts);
	if (!link)
		die(name, -1);
	deep_call(deep, 100);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t ns, cnt, before_ns, before_cnt;
		double mean;

		read_stats(program, &before_ns, &before_cnt);
		deep_call(deep, CALLS);
		read_stats(program, &ns, &cnt);
		mean = (double)(ns - before_ns) / (cnt - before_cnt);
		if (!round || mean < best)
			best = mean;
	}
	bpf_link__destroy(link);
	return best;
}

/* How deep the target must go so that its stack has FRAMES frames by the given program. */
static int depth_for(struct bench *bench, const char *name, const char *path,
		     struct tide_unwind_tables *tables)
{
	struct deep deep;
	int surplus;

	deep_start(&deep, path, FRAMES);
	deep_call(&deep, 1);
	if (tables)
		make_tables(tables, deep.tgid);
	mean_ns(bench, name, &deep);
	surplus = (int)bench->vars->frame_cnt - FRAMES;
	deep_end(&deep);
	if (surplus < 0 || surplus >= FRAMES)
		die("depth of the stack", -ERANGE);
	return FRAMES - surplus;
}

static void unwind_costs(struct bench *bench, struct tide_unwind_tables *tables, const char *path,
			 double *ret_warm_ns, double *ret_cold_ns)
{
	int depth = depth_for(bench, "unwind_warm", path, tables);
	struct deep deep;

	deep_start(&deep, path, depth);
	deep_call(&deep, 1);
	make_tables(tables, deep.tgid);
	*ret_warm_ns = mean_ns(bench, "unwind_warm", &deep);
	printf("%-34s %8u frames, %s\n", "  unwound stack", bench->vars->frame_cnt,
	       bench->vars->end == TIDE_STACK_COMPLETE ? "complete" : "NOT complete");
	*ret_cold_ns = mean_ns(bench, "unwind_cold", &deep);
	deep_end(&deep);
}

static double stackid_cost(struct bench *bench, const char *path)
{
	int depth = depth_for(bench, "count", path, NULL);
	struct deep deep;
	double ns;

	deep_start(&deep, path, depth);
	mean_ns(bench, "count", &deep);
	printf("%-34s %8u frames\n", "  stack by frame pointers", bench->vars->frame_cnt);
	ns = mean_ns(bench, "stackid", &deep);
	deep_end(&deep);
	return ns;
}

static void bench_open(struct bench *bench, const char *path)
{
	struct bpf_map *map;
	size_t size;

	bench->object = bpf_object__open_file(path, NULL);
	if (!bench->object || bpf_object__load(bench->object))
		die(path, -1);
	bpf_object__for_each_map(map, bench->object)
	{
		if (strstr(bpf_map__name(map), ".bss")) {
			size = sysconf(_SC_PAGESIZE);
			bench->vars = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
					   bpf_map__fd(map), 0);
		}
	}
	if (!bench->vars || bench->vars == MAP_FAILED)
		die("variables", -1);
}

static void bench_costs(const char *object, const char *path, const char *fp_path)
{
	struct tide_unwind_tables *tables = NULL;
	double warm_ns, cold_ns, stackid_ns;
	struct tide_unwind_maps maps;
	struct bench bench = {0};
	int stats_fd, r;

	stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats_fd < 0)
		die("bpf_enable_stats", stats_fd);
	bench_open(&bench, object);
	maps = (struct tide_unwind_maps){
		.objects_fd = map_fd(&bench, "tide_uw_objects"),
		.procs_fd = map_fd(&bench, "tide_uw_procs"),
		.rules_fd = map_fd(&bench, "tide_uw_rules"),
		.memo_fd = map_fd(&bench, "tide_uw_memo"),
	};
	r = tide_unwind_tables_new(&maps, &tables);
	if (r)
		die("tables", r);
	unwind_costs(&bench, tables, path, &warm_ns, &cold_ns);
	stackid_ns = stackid_cost(&bench, fp_path);
	printf("%-34s %8.0f ns\n", "  unwinding, warm", warm_ns);
	printf("%-34s %8.0f ns\n", "  unwinding, nothing remembered", cold_ns);
	printf("%-34s %8.0f ns\n", "  bpf_get_stackid", stackid_ns);
	printf("%-34s %8.2f (nothing remembered: %.2f)\n", "  ratio", warm_ns / stackid_ns,
	       cold_ns / stackid_ns);
	printf("target: %d frames in at most %.0f us: %s (nothing remembered: %s)\n", FRAMES,
	       MAX_EVENT_NS / 1e3, met(warm_ns <= MAX_EVENT_NS), met(cold_ns <= MAX_EVENT_NS));
	printf("target: at most %.0f times bpf_get_stackid: %s (nothing remembered: %s)\n",
	       MAX_RATIO, met(warm_ns <= MAX_RATIO * stackid_ns),
	       met(cold_ns <= MAX_RATIO * stackid_ns));
	tide_unwind_tables_free(&tables);
	bpf_object__close(bench.object);
	close(stats_fd);
}

/* ---- the whole tool ---- */

/* Run time of the youngest program of that name. Returns false when there is none. */
static bool find_stats(const char *name, uint64_t *ret_ns, uint64_t *ret_cnt)
{
	bool found = false;
	uint32_t id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		TIDE_AUTO_FD int fd = bpf_prog_get_fd_by_id(id);
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) || strcmp(info.name, name))
			continue;
		*ret_ns = info.run_time_ns;
		*ret_cnt = info.run_cnt;
		found = true;
	}
	return found;
}

/* Watches a process; returns once every probe is in place. */
static pid_t watch(const char *tidemark, pid_t tgid)
{
	char number[16], line[512];
	FILE *messages;
	int said[2];
	pid_t tool;

	if (pipe2(said, O_CLOEXEC))
		die("pipe", -1);
	snprintf(number, sizeof(number), "%d", tgid);
	tool = fork();
	if (!tool) {
		dup2(said[1], STDERR_FILENO);
		execl(tidemark, tidemark, "attach", "-O", "/dev/null", number, NULL);
		_exit(127);
	}
	close(said[1]);
	messages = fdopen(said[0], "r");
	while (fgets(line, sizeof(line), messages))
		if (!strncmp(line, "watching", 8))
			return tool;
	die(tidemark, -ENOENT);
	return -1;
}

/* What one allocation costs in the kernel: the programs at malloc's entry and at its return. */
static void bench_events(const char *tidemark, const char *path)
{
	uint64_t enter_ns = 0, enter_cnt = 0, leave_ns = 0, leave_cnt = 0;
	TIDE_AUTO_FD int stats_fd = -1;
	struct deep deep;
	double ns;
	pid_t tool;

	deep_start(&deep, path, FRAMES - FRAMES_BELOW_DEEP);
	deep_call(&deep, 1);
	tool = watch(tidemark, deep.tgid);
	stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	deep_call(&deep, CALLS);
	if (!find_stats("tide_enter", &enter_ns, &enter_cnt) ||
	    !find_stats("tide_leave", &leave_ns, &leave_cnt) || !enter_cnt || !leave_cnt)
		die("the tool's programs", -ENOENT);
	kill(tool, SIGINT);
	waitpid(tool, NULL, 0);
	deep_end(&deep);
	ns = (double)enter_ns / enter_cnt + (double)leave_ns / leave_cnt;
	printf("%-34s %8.0f ns (entry %.0f, return %.0f)\n", "  an allocation, in the whole tool",
	       ns, (double)enter_ns / enter_cnt, (double)leave_ns / leave_cnt);
	printf("target: an allocation with %d frames in at most %.0f us: %s\n", FRAMES,
	       MAX_EVENT_NS / 1e3, met(ns <= MAX_EVENT_NS));
}

/* The table of one file: the best of ROUNDS. */
static void bench_table(const char *path)
{
	double best_ms = 0, row_bytes = 0, limit_ms;
	uint64_t rows = 0;
	struct stat st;

	for (int round = 0; round < ROUNDS; round++) {
		TIDE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
		TIDE_CLEANUP(tide_unwind_rules_free) struct tide_unwind_rules *rules = NULL;
		struct tide_unwind_image image = {0};
		struct tide_ehframe_info info;
		uint64_t start_ns;
		double ms;
		int r;

		if (fd < 0 || fstat(fd, &st) || tide_unwind_rules_new(&rules))
			die(path, -1);
		start_ns = tide_clock_monotonic_ns();
		r = tide_ehframe_compile_fd(fd, rules, &image, &info);
		ms = (tide_clock_monotonic_ns() - start_ns) / 1e6;
		if (r)
			die(path, r);
		rows = image.row_cnt;
		row_bytes = (double)image.block_cnt * sizeof(*image.blocks) / rows;
		if (!round || ms < best_ms)
			best_ms = ms;
		tide_unwind_image_done(&image);
	}
	limit_ms = st.st_size >= BIG_FILE_BYTES ? MAX_BIG_FILE_MS : MAX_COMPILE_MS;
	printf("  %-32s %8.1f MB %8.1f ms %9" PRIu64 " rows %6.2f bytes a row\n",
	       strrchr(path, '/') + 1, st.st_size / 1e6, best_ms, rows, row_bytes);
	printf("target: at most %.0f ms: %s; at most %.0f bytes a row: %s\n", limit_ms,
	       met(best_ms <= limit_ms), MAX_ROW_BYTES, met(row_bytes <= MAX_ROW_BYTES));
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "usage: unwind_bench OBJECT.bpf.o DEEP DEEP_FP TIDEMARK ELF...\n");
		return 2;
	}
	bench_costs(argv[1], argv[2], argv[3]);
	if (argv[4][0])
		bench_events(argv[4], argv[2]);
	for (int i = 5; i < argc; i++)
		bench_table(argv[i]);
	return 0;
}
