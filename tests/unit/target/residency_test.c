#include "target/residency.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/util.h"
#include "child.h"

static uint64_t page_bytes;

static char *map_pages(size_t cnt, int flags)
{
	char *area =
		mmap(NULL, cnt * page_bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(area, MAP_FAILED);
	/* A huge page would make neighbours resident. */
	madvise(area, cnt * page_bytes, MADV_NOHUGEPAGE);
	return area;
}

static void open_self(struct tide_proc *proc)
{
	int err;

	assert_int_equal(tide_proc_open(getpid(), proc, &err), TIDE_PROC_OK);
}

static struct tide_residency *read_self(struct tide_rss *ret_rss)
{
	struct tide_residency *res = NULL;
	struct tide_proc proc;

	open_self(&proc);
	assert_ok(tide_residency_read(&proc, &res, ret_rss));
	tide_proc_close(&proc);
	return res;
}

static uint64_t bytes_of(struct tide_residency *res, const void *at, uint64_t bytes)
{
	return tide_residency_bytes((uintptr_t)at, bytes, res);
}

static void touched_pages_and_no_others(void **state)
{
	enum { PAGES = 200 };
	char *area = map_pages(PAGES, MAP_PRIVATE);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	uint64_t touched = 0;
	struct tide_rss rss;

	(void)state;
	for (size_t i = 0; i < PAGES; i++)
		if (i % 3 == 0 || (i > 64 && i < 130)) {
			area[i * page_bytes + 17] = 1;
			touched++;
		}
	res = read_self(&rss);
	for (size_t i = 0; i < PAGES; i++) {
		bool resident = i % 3 == 0 || (i > 64 && i < 130);

		assert_int_equal(bytes_of(res, area + i * page_bytes, page_bytes),
				 resident ? page_bytes : 0);
	}
	assert_int_equal(bytes_of(res, area, PAGES * page_bytes), touched * page_bytes);
	munmap(area, PAGES * page_bytes);
}

static void pages_count_with_the_share_covered(void **state)
{
	char *area = map_pages(4, MAP_PRIVATE);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	struct tide_rss rss;

	(void)state;
	area[0] = 1;
	area[2 * page_bytes] = 1;
	res = read_self(&rss);
	assert_int_equal(bytes_of(res, area + 100, 0), 0);
	assert_int_equal(bytes_of(res, area + 100, 1), 1);
	assert_int_equal(bytes_of(res, area + page_bytes - 10, 20), 10);
	assert_int_equal(bytes_of(res, area + page_bytes, page_bytes), 0);
	assert_int_equal(bytes_of(res, area + 2 * page_bytes - 1, 2), 1);
	assert_int_equal(bytes_of(res, area + 10, 2 * page_bytes), page_bytes - 10 + 10);
	assert_int_equal(bytes_of(res, area + 3 * page_bytes - 5, 6), 5);
	munmap(area, 4 * page_bytes);
}

static void ranges_may_cross_mappings_and_holes(void **state)
{
	char *area = map_pages(6, MAP_PRIVATE);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	struct tide_rss rss;

	(void)state;
	memset(area, 1, 6 * page_bytes);
	/* A hole at 1, no writing at 3 (its content stays, but it is no allocator's), released: 4
	 */
	munmap(area + page_bytes, page_bytes);
	assert_ok(mprotect(area + 3 * page_bytes, page_bytes, PROT_READ));
	assert_ok(madvise(area + 4 * page_bytes, page_bytes, MADV_DONTNEED));
	res = read_self(&rss);
	assert_int_equal(bytes_of(res, area, 6 * page_bytes), 3 * page_bytes);
	assert_int_equal(bytes_of(res, area + page_bytes, page_bytes), 0);
	assert_int_equal(bytes_of(res, area + page_bytes + 1, page_bytes), 1);
	assert_int_equal(bytes_of(res, (void *)(UINTPTR_MAX - 5), 100), 0);
	munmap(area, 6 * page_bytes);
}

static void shared_memory_is_no_heap(void **state)
{
	char *area = map_pages(8, MAP_SHARED);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	struct tide_rss rss;

	(void)state;
	memset(area, 1, 8 * page_bytes);
	res = read_self(&rss);
	assert_int_equal(bytes_of(res, area, 8 * page_bytes), 0);
	assert_true(rss.shmem_bytes >= 8 * page_bytes);
	munmap(area, 8 * page_bytes);
}

static void parts_add_up_to_rss(void **state)
{
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	uint64_t quick_bytes, peak_bytes;
	struct tide_proc proc;
	struct tide_rss rss;

	(void)state;
	res = read_self(&rss);
	assert_true(rss.rss_bytes == rss.heap_bytes + rss.stack_bytes + rss.file_bytes +
					     rss.shmem_bytes + rss.anon_bytes + rss.other_bytes);
	assert_true(rss.stack_bytes > 0 && rss.file_bytes > 0 && rss.anon_bytes > 0);
	assert_true(rss.peak_rss_bytes >= rss.rss_bytes);
	open_self(&proc);
	assert_ok(tide_rss_read_quick(&proc, &quick_bytes, &peak_bytes));
	assert_true(quick_bytes > 0 && peak_bytes >= quick_bytes);
	tide_proc_close(&proc);
}

/* Every mapping a range was asked for in counts whole, each once. */
static void marked_mappings_count_whole(void **state)
{
	char *area = map_pages(10, MAP_PRIVATE);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	struct tide_rss rss;

	(void)state;
	/* Three mappings, as the middle one may not be written. */
	memset(area, 1, 10 * page_bytes);
	assert_ok(mprotect(area + 4 * page_bytes, page_bytes, PROT_NONE));
	res = read_self(&rss);
	assert_int_equal(tide_residency_marked_bytes(res), 0);
	bytes_of(res, area + 4 * page_bytes, page_bytes);
	assert_int_equal(tide_residency_marked_bytes(res), 0);
	bytes_of(res, area + 10, 1);
	bytes_of(res, area + 20, 1);
	assert_true(tide_residency_marked_bytes(res) >= 4 * page_bytes);
	assert_true(tide_residency_marked_bytes(res) <= rss.anon_bytes);
	munmap(area, 10 * page_bytes);
}

struct query {
	struct tide_residency *res;
	char *area;
	bool failed;
};

static void *ask_often(void *arg)
{
	struct query *query = arg;

	for (size_t i = 0; i < 20000; i++) {
		size_t page = i * 7 % 64;
		uint64_t want = page % 2 ? page_bytes : 0;

		if (bytes_of(query->res, query->area + page * page_bytes, page_bytes) != want)
			query->failed = true;
	}
	return NULL;
}

/* More runs of pages than one question to the kernel can answer: each counts once. */
static void many_small_runs_count_once(void **state)
{
	enum { PAGES = 20001 };
	char *area = map_pages(PAGES, MAP_PRIVATE);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	struct tide_rss rss;

	(void)state;
	/* Between two that may not be written: no other mapping joins this one. */
	assert_ok(mprotect(area, page_bytes, PROT_NONE));
	assert_ok(mprotect(area + (PAGES - 1) * page_bytes, page_bytes, PROT_NONE));
	for (size_t i = 1; i < PAGES - 1; i += 2)
		area[i * page_bytes] = 1;
	res = read_self(&rss);
	assert_int_equal(bytes_of(res, area, PAGES * page_bytes), PAGES / 2 * page_bytes);
	assert_int_equal(tide_residency_marked_bytes(res), PAGES / 2 * page_bytes);
	munmap(area, PAGES * page_bytes);
}

static void any_thread_may_ask(void **state)
{
	char *area = map_pages(64, MAP_PRIVATE);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	struct query queries[4];
	pthread_t threads[4];
	struct tide_rss rss;

	(void)state;
	for (size_t i = 1; i < 64; i += 2)
		area[i * page_bytes] = 1;
	res = read_self(&rss);
	for (int i = 0; i < 4; i++) {
		queries[i] = (struct query){res, area, false};
		assert_ok(pthread_create(&threads[i], NULL, ask_often, &queries[i]));
	}
	for (int i = 0; i < 4; i++) {
		assert_ok(pthread_join(threads[i], NULL));
		assert_false(queries[i].failed);
	}
	munmap(area, 64 * page_bytes);
}

/* The last answer's mapping is remembered across objects, which may have fewer of them. */
static void objects_do_not_disturb_each_other(void **state)
{
	char *area = map_pages(3, MAP_PRIVATE);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *before = NULL;
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *after = NULL;
	struct tide_rss rss;

	(void)state;
	memset(area, 1, 3 * page_bytes);
	before = read_self(&rss);
	munmap(area, 3 * page_bytes);
	after = read_self(&rss);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(bytes_of(before, area, 3 * page_bytes), 3 * page_bytes);
		assert_int_equal(bytes_of(after, area, 3 * page_bytes), 0);
	}
}

/* Four TiB of address space, one page of it touched: beyond the bound, and the rest is still told.
 */
static void a_mapping_beyond_the_bound_is_left_out(void **state)
{
	char *area = map_pages(2, MAP_PRIVATE);
	char *huge = mmap(NULL, 4ul << 40, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
	struct tide_rss rss;

	(void)state;
	if (huge == MAP_FAILED) {
		munmap(area, 2 * page_bytes);
		skip_because("needs 4 TiB of address space without limit");
	}
	area[0] = 1;
	huge[0] = 1;
	res = read_self(&rss);
	assert_true(tide_residency_truncated(res));
	assert_int_equal(bytes_of(res, huge, page_bytes), 0);
	assert_int_equal(bytes_of(res, area, 2 * page_bytes), page_bytes);
	munmap(huge, 4ul << 40);
	munmap(area, 2 * page_bytes);
}

static void process_gone_is_esrch(void **state)
{
	pid_t tgid = child_start(NULL, NULL);
	struct tide_residency *res = NULL;
	uint64_t rss_bytes, peak_bytes;
	struct tide_proc proc;
	struct tide_rss rss;
	siginfo_t info;
	int err;

	(void)state;
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
	assert_ok(tide_rss_read_quick(&proc, &rss_bytes, &peak_bytes));
	kill(tgid, SIGKILL);
	assert_ok(waitid(P_PID, (id_t)tgid, &info, WEXITED | WNOWAIT));
	assert_errno(tide_rss_read_quick(&proc, &rss_bytes, &peak_bytes), ESRCH);
	assert_errno(tide_residency_read(&proc, &res, &rss), ESRCH);
	assert_int_equal(waitpid(tgid, NULL, 0), tgid);
	assert_errno(tide_rss_read_quick(&proc, &rss_bytes, &peak_bytes), ESRCH);
	assert_errno(tide_residency_read(&proc, &res, &rss), ESRCH);
	assert_null(res);
	tide_proc_close(&proc);
}

static void dying_processes_give_no_other_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = NULL;
		pid_t tgid = child_start(NULL, NULL);
		struct tide_proc proc;
		struct tide_rss rss;
		int err, r;

		assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
		kill(tgid, SIGKILL);
		r = tide_residency_read(&proc, &res, &rss);
		assert_true(r == -ESRCH || (r == 0 && rss.rss_bytes > 0));
		tide_proc_close(&proc);
		assert_int_equal(waitpid(tgid, NULL, 0), tgid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(touched_pages_and_no_others),
		cmocka_unit_test(pages_count_with_the_share_covered),
		cmocka_unit_test(ranges_may_cross_mappings_and_holes),
		cmocka_unit_test(shared_memory_is_no_heap),
		cmocka_unit_test(parts_add_up_to_rss),
		cmocka_unit_test(marked_mappings_count_whole),
		cmocka_unit_test(many_small_runs_count_once),
		cmocka_unit_test(any_thread_may_ask),
		cmocka_unit_test(objects_do_not_disturb_each_other),
		cmocka_unit_test(a_mapping_beyond_the_bound_is_left_out),
		cmocka_unit_test(process_gone_is_esrch),
		cmocka_unit_test(dying_processes_give_no_other_answer),
	};

	page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
