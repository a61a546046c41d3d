#include "target/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/util.h"
#include "child.h"

/* Twice as many runs as one question to the kernel can answer. */
enum { PAGES = 20000 };

struct seen {
	uint64_t base, page_bytes, last_end;
	bool present[PAGES];
	size_t run_cnt;
};

static void note(uint64_t start, uint64_t end, void *ctx)
{
	struct seen *seen = ctx;

	assert_true(start < end && start >= seen->last_end);
	assert_true(start >= seen->base && end <= seen->base + PAGES * seen->page_bytes);
	seen->last_end = end;
	seen->run_cnt++;
	for (uint64_t at = start; at < end; at += seen->page_bytes)
		seen->present[(at - seen->base) / seen->page_bytes] = true;
}

static bool is_touched(size_t page)
{
	return page < 3 || page % 2 == 1 || page == PAGES - 2;
}

/* Every kernel has the reading; where the scan is missing it falls back to it. */
static void check_way(enum tide_pagemap_way way)
{
	const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	TIDE_AUTO_FD int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char *area = mmap(NULL, PAGES * page_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct seen seen;

	seen = (struct seen){.base = (uintptr_t)area, .page_bytes = page_bytes};
	assert_true(fd >= 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	madvise(area, PAGES * page_bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < PAGES; i++)
		if (is_touched(i))
			area[i * page_bytes] = 1;
	assert_ok(tide_pagemap_present(fd, (uintptr_t)area, (uintptr_t)area + PAGES * page_bytes,
				       &way, note, &seen));
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(seen.present[i], is_touched(i));
	munmap(area, PAGES * page_bytes);
}

static void by_scan(void **state)
{
	(void)state;
	check_way(TIDE_PAGEMAP_SCAN);
}

static void by_read(void **state)
{
	(void)state;
	check_way(TIDE_PAGEMAP_READ);
}

static void what_is_not_mapped_is_not_present(void **state)
{
	const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	TIDE_AUTO_FD int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (int i = TIDE_PAGEMAP_SCAN; i <= TIDE_PAGEMAP_READ; i++) {
		enum tide_pagemap_way way = (enum tide_pagemap_way)i;
		static struct seen seen;

		seen = (struct seen){.base = page_bytes, .page_bytes = page_bytes};
		assert_ok(tide_pagemap_present(fd, page_bytes, 8 * page_bytes, &way, note, &seen));
		assert_ok(tide_pagemap_present(fd, page_bytes, page_bytes, &way, note, &seen));
		assert_int_equal(seen.run_cnt, 0);
	}
}

static void another_file_cannot_scan(void **state)
{
	TIDE_AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	enum tide_pagemap_way way = TIDE_PAGEMAP_SCAN;

	(void)state;
	/* Falls back to reading, which comes to the end at once. */
	assert_errno(tide_pagemap_present(fd, 0, 4096, &way, note, NULL), ESRCH);
	assert_int_equal(way, TIDE_PAGEMAP_READ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_scan),
		cmocka_unit_test(by_read),
		cmocka_unit_test(what_is_not_mapped_is_not_present),
		cmocka_unit_test(another_file_cannot_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
