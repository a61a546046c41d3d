#include "bpf/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/features.h"
#include "target/elf.h"

static int child_go_fd, child_done_fd;
static bool single; /* the round that runs now does without multi-uprobes */

static void send_byte(int fd)
{
	char byte = 1;

	if (write(fd, &byte, 1) != 1)
		_exit(3);
}

static void recv_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(0); /* the parent has gone */
}

void scenario_pause(void)
{
	send_byte(child_done_fd);
	recv_byte(child_go_fd);
}

static void child_main(void (*scenario)(void))
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	recv_byte(child_go_fd);
	scenario();
	send_byte(child_done_fd);
	recv_byte(child_go_fd);
	_exit(0);
}

struct tide_probe_opts fixture_opts(void)
{
	return (struct tide_probe_opts){
		.ring_bytes = 1 << 20,
		.max_blocks = 4096,
		.max_sites = 256,
		.max_frames = TIDE_MAX_FRAMES,
		.single = single,
	};
}

static void points(struct tide_allocator *a, int exe_fd)
{
	static const struct {
		const char *name;
		enum tide_alloc_fn fn;
	} fns[] = {
		{"fake_malloc", TIDE_FN_MALLOC},
		{"fake_calloc", TIDE_FN_CALLOC},
		{"fake_realloc", TIDE_FN_REALLOC},
		{"fake_reallocarray", TIDE_FN_REALLOCARRAY},
		{"fake_posix_memalign", TIDE_FN_POSIX_MEMALIGN},
		{"fake_aligned_alloc", TIDE_FN_ALIGNED_ALLOC},
		{"fake_free", TIDE_FN_FREE},
	};

	memset(a, 0, sizeof(*a));
	snprintf(a->name, sizeof(a->name), "fake");
	for (size_t i = 0; i < sizeof(fns) / sizeof(fns[0]); i++) {
		struct tide_elf_symbol symbol = {0};

		assert_int_equal(tide_elf_find_symbols(exe_fd, &fns[i].name, 1, &symbol), 1);
		a->points[a->point_cnt].fn = fns[i].fn;
		a->points[a->point_cnt++].file_off = symbol.file_off;
	}
}

void fixture_begin(struct fixture *f, const struct tide_probe_opts *opts, void (*scenario)(void))
{
	int go[2], done[2];
	struct tide_failure fail = {0};
	struct tide_allocator allocator;

	memset(f, 0, sizeof(*f));
	f->seen = calloc(MAX_SEEN, sizeof(*f->seen));
	assert_non_null(f->seen);
	assert_ok(pipe2(go, O_CLOEXEC));
	assert_ok(pipe2(done, O_CLOEXEC));
	f->child = fork();
	assert_true(f->child >= 0);
	if (!f->child) {
		child_go_fd = go[0];
		child_done_fd = done[1];
		close(go[1]);
		close(done[0]);
		child_main(scenario);
	}
	close(go[0]);
	close(done[1]);
	f->go_fd = go[1];
	f->done_fd = done[0];
	f->opts = *opts;
	f->opts.tgid = f->child;
	f->exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	points(&allocator, f->exe_fd);
	if (tide_probe_load(&f->opts, &f->probe, &fail) ||
	    tide_probe_attach(f->probe, f->child, f->exe_fd, &allocator, &fail))
		fail_msg("%s", fail.text);
	tide_probe_enable(f->probe, true);
}

void fixture_wait_pause(struct fixture *f)
{
	char byte;

	assert_int_equal(read(f->done_fd, &byte, 1), 1);
}

void fixture_go_on(struct fixture *f)
{
	char byte = 1;

	assert_int_equal(write(f->go_fd, &byte, 1), 1);
}

void fixture_play(struct fixture *f)
{
	fixture_go_on(f);
	fixture_wait_pause(f);
}

static void on_record(const struct tide_rec_hdr *hdr, void *ctx)
{
	struct fixture *f = ctx;
	const struct tide_rec_block *rec = (const void *)hdr;
	struct seen *seen = &f->seen[f->seen_cnt];

	assert_true(f->seen_cnt < MAX_SEEN);
	f->seen_cnt++;
	seen->type = hdr->type;
	if (hdr->size_bytes != sizeof(*rec))
		return;
	seen->addr = rec->addr;
	seen->block_bytes = rec->block_bytes;
	seen->birth_ns = rec->birth_ns;
	seen->stack_key = rec->stack_key;
}

void fixture_drain(struct fixture *f)
{
	while (tide_probe_drain(f->probe, 1024, on_record, f) > 0)
		;
	assert_ok(tide_probe_read_stats(f->probe, f->stats));
	assert_int_equal(tide_probe_bad_records(f->probe), 0);
}

void fixture_run(struct fixture *f, const struct tide_probe_opts *opts, void (*scenario)(void))
{
	fixture_begin(f, opts, scenario);
	fixture_play(f);
	fixture_drain(f);
}

void fixture_end(struct fixture *f)
{
	if (f->go_fd)
		close(f->go_fd); /* the child reads end of file and ends */
	close(f->done_fd);
	while (waitpid(f->child, NULL, 0) < 0 && errno == EINTR)
		;
	tide_probe_free(&f->probe);
	close(f->exe_fd);
	free(f->seen);
}

struct live_sum {
	size_t cnt;
	uint64_t bytes;
	uint64_t wanted;
	struct tide_live_block found;
	bool is_found;
};

static int on_live(uint64_t addr, const struct tide_live_block *block, void *ctx)
{
	struct live_sum *sum = ctx;

	sum->cnt++;
	sum->bytes += block->block_bytes;
	if (addr == sum->wanted) {
		sum->found = *block;
		sum->is_found = true;
	}
	return 0;
}

size_t fixture_live(struct fixture *f, uint64_t *ret_bytes)
{
	struct live_sum sum = {0};

	assert_ok(tide_probe_read_live(f->probe, on_live, &sum));
	if (ret_bytes)
		*ret_bytes = sum.bytes;
	return sum.cnt;
}

bool fixture_live_find(struct fixture *f, void *addr, struct tide_live_block *ret)
{
	struct live_sum sum = {.wanted = (uint64_t)(uintptr_t)addr};

	assert_ok(tide_probe_read_live(f->probe, on_live, &sum));
	if (sum.is_found && ret)
		*ret = sum.found;
	return sum.is_found;
}

size_t fixture_seen_cnt(const struct fixture *f, uint32_t type)
{
	size_t cnt = 0;

	for (size_t i = 0; i < f->seen_cnt; i++)
		cnt += f->seen[i].type == type;
	return cnt;
}

static int add_totals(uint64_t stack_key, const struct tide_site_totals *totals, void *ctx)
{
	struct tide_site_totals *sum = ctx;

	(void)stack_key;
	sum->alloc_cnt += totals->alloc_cnt;
	sum->alloc_bytes += totals->alloc_bytes;
	sum->free_cnt += totals->free_cnt;
	sum->free_bytes += totals->free_bytes;
	return 0;
}

struct tide_site_totals fixture_totals(struct fixture *f)
{
	struct tide_site_totals sum = {0};

	assert_ok(tide_probe_read_sites(f->probe, add_totals, &sum));
	return sum;
}

void fixture_run_default(struct fixture *f, void (*scenario)(void))
{
	struct tide_probe_opts opts = fixture_opts();

	fixture_run(f, &opts, scenario);
}

int fixture_run_twice(const char *name, const struct CMUnitTest *tests, size_t cnt)
{
	int failed;

	print_message("%s\n", tide_feature_multi_uprobe()
				      ? "with multi-uprobes"
				      : "this kernel has no multi-uprobes: single ones, twice");
	failed = _cmocka_run_group_tests(name, tests, cnt, NULL, NULL);
	single = true;
	print_message("with single uprobes\n");
	return failed + _cmocka_run_group_tests(name, tests, cnt, NULL, NULL);
}
