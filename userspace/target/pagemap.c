#include "target/pagemap.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/util.h"

/* Documentation/admin-guide/mm/pagemap.rst. This bit is shown to whoever may open the file. */
#define PRESENT_BIT (1ULL << 63)

#define CHUNK_PAGES   65536
#define CHUNK_REGIONS 4096

/* include/uapi/linux/fs.h of 6.7, which older installed headers lack. */
struct region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end;
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL	_IOWR('f', 16, struct scan_arg)
#define PAGE_IS_FILE	(1ULL << 2)
#define PAGE_IS_PRESENT (1ULL << 3)
#define PAGE_IS_PFNZERO (1ULL << 5)

static int present_by_scan(int fd, uint64_t start, uint64_t end, tide_present_fn fn, void *ctx)
{
	TIDE_AUTO_FREE struct region *regions = calloc(CHUNK_REGIONS, sizeof(*regions));

	if (!regions)
		return -ENOMEM;
	while (start < end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uintptr_t)regions,
			.vec_len = CHUNK_REGIONS,
			.category_inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO,
			.category_mask = PAGE_IS_PRESENT | PAGE_IS_FILE | PAGE_IS_PFNZERO,
			.return_mask = PAGE_IS_PRESENT,
		};
		uint64_t next;
		int cnt = ioctl(fd, SCAN_IOCTL, &arg);

		if (cnt < 0 && errno == EINTR)
			continue;
		if (cnt < 0)
			return -errno;
		for (int i = 0; i < cnt; i++)
			fn(regions[i].start, regions[i].end, ctx);
		next = arg.walk_end;
		/* After a walk that came to the end, walk_end may be where the kernel last emptied
		 * a buffer of its own (seen on 6.18); what was reported must not come again.
		 */
		if (cnt > 0 && regions[cnt - 1].end > next)
			next = regions[cnt - 1].end;
		if (next <= start)
			break;
		start = next;
	}
	return 0;
}

/* Reports the runs of present pages among cnt entries, the first of them for address at. */
static void report_runs(const uint64_t *entries, size_t cnt, uint64_t at, uint64_t page_bytes,
			tide_present_fn fn, void *ctx)
{
	for (size_t i = 0; i < cnt; i++) {
		size_t first = i;

		while (i < cnt && entries[i] & PRESENT_BIT)
			i++;
		if (i > first)
			fn(at + first * page_bytes, at + i * page_bytes, ctx);
	}
}

static int present_by_read(int fd, uint64_t start, uint64_t end, tide_present_fn fn, void *ctx)
{
	const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	TIDE_AUTO_FREE uint64_t *entries = malloc(CHUNK_PAGES * sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	while (start < end) {
		uint64_t page = start / page_bytes, left = (end - start) / page_bytes;
		size_t want = left < CHUNK_PAGES ? (size_t)left : CHUNK_PAGES;
		ssize_t got = pread(fd, entries, want * sizeof(*entries),
				    (off_t)(page * sizeof(*entries)));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		/* The end of the file: there is no memory any more. */
		if ((size_t)got < sizeof(*entries))
			return -ESRCH;
		got /= (ssize_t)sizeof(*entries);
		report_runs(entries, (size_t)got, start, page_bytes, fn, ctx);
		start += (uint64_t)got * page_bytes;
	}
	return 0;
}

int tide_pagemap_present(int pagemap_fd, uint64_t start, uint64_t end, enum tide_pagemap_way *way,
			 tide_present_fn fn, void *ctx)
{
	if (*way == TIDE_PAGEMAP_SCAN) {
		int r = present_by_scan(pagemap_fd, start, end, fn, ctx);

		/* Refused at the first call, before anything was reported. */
		if (r != -ENOTTY && r != -EINVAL && r != -EPERM)
			return r;
		*way = TIDE_PAGEMAP_READ;
	}
	return present_by_read(pagemap_fd, start, end, fn, ctx);
}
