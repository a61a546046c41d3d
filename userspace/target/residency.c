/* Which pages are in RAM.
 *
 * smaps says for every mapping how much of it is resident; of the anonymous writable private ones
 * that have anything resident, pagemap then says which pages:
 *
 *	mappings (spans)    |--- A ---|      |- B -|  |------ C ------|
 *	first_bit           0                10       16
 *	bits                1 1 0 0 0 1 1 1 1 0 1 1 0 0 1 1 ...
 *
 * The spans ascend, so that a block is found by binary search; blocks come in no order, yet often
 * near the one before, so every thread remembers the span of its last question.
 */
#include "target/residency.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "target/pagemap.h"
#include "target/procfs.h"
#include "target/smaps.h"

#define STATUS_MAX_BYTES (64 * 1024)
#define GROUP_GAP_BYTES	 (1u << 20)
#define MAX_PAGES	 (TIDE_RESIDENCY_MAX_BYTES * 8ULL)

struct span {
	uint64_t start, end;
	uint64_t first_bit;
	uint64_t resident_bytes;
	bool heap;   /* [heap], the brk region */
	bool marked; /* a range asked for lies in it */
};

struct tide_residency {
	struct span *spans; /* ascending */
	size_t span_cnt, span_sz;
	uint64_t *bits;
	uint64_t bit_cnt;
	unsigned page_shift;
	bool truncated;
};

static unsigned page_shift(void)
{
	return (unsigned)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
}

static int add_span(struct tide_residency *res, const struct tide_mapping *m, bool heap)
{
	uint64_t pages = (m->end - m->start) >> res->page_shift;
	size_t sz = res->span_sz ? res->span_sz * 2 : 64;

	/* An address sanitizer's shadow is terabytes: leave it out, not what comes after it. */
	if (pages > MAX_PAGES - res->bit_cnt || res->span_cnt >= TIDE_MAX_MAPPINGS) {
		res->truncated = true;
		return 0;
	}
	if (res->span_cnt == res->span_sz) {
		struct span *grown = realloc(res->spans, sz * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		res->spans = grown;
		res->span_sz = sz;
	}
	res->spans[res->span_cnt++] = (struct span){
		.start = m->start, .end = m->end, .first_bit = res->bit_cnt, .heap = heap};
	res->bit_cnt += pages;
	return 0;
}

static bool is_of_interest(const struct tide_smaps *smaps)
{
	/* Both kinds are private. */
	return smaps->mapping.write &&
	       (smaps->kind == TIDE_RSS_ANON || smaps->kind == TIDE_RSS_HEAP);
}

static int read_smaps(struct tide_residency *res, pid_t tid, struct tide_rss *ret_rss)
{
	TIDE_CLEANUP(tide_procfs_lines_done) struct tide_procfs_lines lines = {.fd = -1};
	struct tide_smaps smaps = {};
	const char *line;
	uint64_t bytes;
	int r = tide_procfs_lines_open(tid, "smaps", &lines);

	if (r < 0)
		return r;
	while ((r = tide_procfs_next_line(&lines, &line)) > 0) {
		if (tide_smaps_feed(&smaps, line, &bytes) != TIDE_SMAPS_RSS || bytes == 0 ||
		    !is_of_interest(&smaps))
			continue;
		r = add_span(res, &smaps.mapping, smaps.kind == TIDE_RSS_HEAP);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	/* Every program has mappings; no line at all: its memory has just gone. */
	if (!smaps.in_mapping)
		return -ESRCH;
	*ret_rss = smaps.sums;
	return 0;
}

struct noter {
	struct tide_residency *res;
	size_t at; /* runs ascend: no span before it is of interest any more */
};

static void set_bits(struct tide_residency *res, uint64_t first, uint64_t cnt)
{
	for (uint64_t bit = first; bit < first + cnt; bit++)
		res->bits[bit / 64] |= 1ULL << (bit % 64);
}

/* A run of present pages may lie in several spans, and between them. */
static void note_run(uint64_t start, uint64_t end, void *ctx)
{
	struct noter *noter = ctx;
	struct tide_residency *res = noter->res;

	while (noter->at < res->span_cnt && res->spans[noter->at].end <= start)
		noter->at++;
	for (size_t i = noter->at; i < res->span_cnt && res->spans[i].start < end; i++) {
		struct span *span = &res->spans[i];
		uint64_t from = start > span->start ? start : span->start;
		uint64_t to = end < span->end ? end : span->end;

		set_bits(res, span->first_bit + ((from - span->start) >> res->page_shift),
			 (to - from) >> res->page_shift);
		span->resident_bytes += to - from;
	}
}

/* Spans with little between them are asked for at once: some programs have ten thousands. */
static size_t group_end(const struct tide_residency *res, size_t first)
{
	size_t next = first + 1;

	while (next < res->span_cnt &&
	       res->spans[next].start - res->spans[next - 1].end <= GROUP_GAP_BYTES)
		next++;
	return next;
}

static int read_pagemap(struct tide_residency *res, pid_t tid)
{
	enum tide_pagemap_way way = TIDE_PAGEMAP_SCAN;
	struct noter noter = {.res = res};
	TIDE_AUTO_FD int fd = -1;
	size_t next;
	int r = 0;

	if (res->span_cnt == 0)
		return 0;
	fd = tide_procfs_open(tid, "pagemap", O_RDONLY);
	if (fd < 0)
		return fd;
	res->bits = calloc((size_t)(res->bit_cnt / 64 + 1), sizeof(*res->bits));
	if (!res->bits)
		return -ENOMEM;
	for (size_t i = 0; i < res->span_cnt && r == 0; i = next) {
		next = group_end(res, i);
		r = tide_pagemap_present(fd, res->spans[i].start, res->spans[next - 1].end, &way,
					 note_run, &noter);
	}
	return r;
}

int tide_rss_read_quick(const struct tide_proc *proc, uint64_t *ret_rss_bytes,
			uint64_t *ret_peak_bytes)
{
	TIDE_AUTO_FREE char *text = NULL;
	uint64_t rss_kb, peak_kb;
	const char *rss, *peak;
	pid_t tid;
	int r = tide_proc_live_tid(proc->tgid, &tid);

	if (r == 0)
		r = tide_procfs_read(tid, "status", STATUS_MAX_BYTES, &text, NULL);
	if (r < 0)
		return r;
	rss = tide_procfs_find_key(text, "VmRSS:");
	peak = tide_procfs_find_key(text, "VmHWM:");
	/* A task without memory of its own has no such lines. */
	if (!rss || !peak || !tide_proc_alive(proc))
		return -ESRCH;
	if (tide_procfs_parse_dec(rss, &rss_kb, NULL) < 0 ||
	    tide_procfs_parse_dec(peak, &peak_kb, NULL) < 0)
		return -EBADMSG;
	*ret_rss_bytes = rss_kb * 1024;
	*ret_peak_bytes = peak_kb > rss_kb ? peak_kb * 1024 : rss_kb * 1024;
	return 0;
}

static int read_all(const struct tide_proc *proc, struct tide_residency *res, struct tide_rss *rss)
{
	uint64_t quick_bytes, peak_bytes;
	pid_t tid;
	int r = tide_proc_live_tid(proc->tgid, &tid);

	if (r == 0)
		r = read_smaps(res, tid, rss);
	if (r == 0)
		r = read_pagemap(res, tid);
	if (r == 0)
		r = tide_rss_read_quick(proc, &quick_bytes, &peak_bytes);
	/* The files of a dying process fail in many ways. */
	if (r < 0)
		return tide_proc_alive(proc) && !tide_proc_live_tid(proc->tgid, &tid) ? r : -ESRCH;
	rss->peak_rss_bytes = peak_bytes > rss->rss_bytes ? peak_bytes : rss->rss_bytes;
	return 0;
}

int tide_residency_read(const struct tide_proc *proc, struct tide_residency **ret,
			struct tide_rss *ret_rss)
{
	TIDE_CLEANUP(tide_residency_free) struct tide_residency *res = calloc(1, sizeof(*res));
	struct tide_rss rss = {};
	int r;

	if (!res)
		return -ENOMEM;
	res->page_shift = page_shift();
	r = read_all(proc, res, &rss);
	if (r < 0)
		return r;
	*ret_rss = rss;
	*ret = TIDE_TAKE_PTR(res);
	return 0;
}

void tide_residency_free(struct tide_residency **res)
{
	if (!*res)
		return;
	free((*res)->spans);
	free((*res)->bits);
	free(*res);
	*res = NULL;
}

bool tide_residency_truncated(const struct tide_residency *res)
{
	return res->truncated;
}

/* The first span that ends beyond addr; span_cnt when there is none. */
static size_t find_span(const struct tide_residency *res, uint64_t addr)
{
	static _Thread_local size_t last;
	size_t low = 0, high = res->span_cnt;

	/* A guess, checked: it may stem from another object. */
	if (last < res->span_cnt && addr >= res->spans[last].start && addr < res->spans[last].end)
		return last;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (res->spans[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	last = low;
	return low;
}

static bool is_present(const struct tide_residency *res, uint64_t bit)
{
	return res->bits[bit / 64] >> (bit % 64) & 1;
}

/* Bits set in [from, to). */
static uint64_t count_present(const struct tide_residency *res, uint64_t from, uint64_t to)
{
	uint64_t cnt = 0;

	while (from < to) {
		uint64_t in_word = 64 - from % 64;
		uint64_t word = res->bits[from / 64] >> (from % 64);

		if (in_word > to - from) {
			in_word = to - from;
			word &= (1ULL << in_word) - 1;
		}
		cnt += (uint64_t)__builtin_popcountll(word);
		from += in_word;
	}
	return cnt;
}

/* Resident bytes of [from, to), all of it inside the span. */
static uint64_t span_bytes(const struct tide_residency *res, const struct span *span, uint64_t from,
			   uint64_t to)
{
	const uint64_t page_bytes = 1ULL << res->page_shift;
	uint64_t first = (from - span->start) >> res->page_shift;
	uint64_t last = (to - 1 - span->start) >> res->page_shift;
	uint64_t head = (from - span->start) & (page_bytes - 1);
	uint64_t tail = page_bytes - 1 - ((to - 1 - span->start) & (page_bytes - 1));
	uint64_t bytes = count_present(res, span->first_bit + first, span->first_bit + last + 1)
			 << res->page_shift;

	/* The two end pages belong to it in part. */
	if (is_present(res, span->first_bit + first))
		bytes -= head;
	if (is_present(res, span->first_bit + last))
		bytes -= tail;
	return bytes;
}

uint64_t tide_residency_bytes(uint64_t addr, uint64_t bytes, void *ctx)
{
	const struct tide_residency *res = ctx;
	uint64_t end, sum = 0;

	if (bytes == 0)
		return 0;
	if (__builtin_add_overflow(addr, bytes, &end))
		end = UINT64_MAX;
	for (size_t i = find_span(res, addr); i < res->span_cnt; i++) {
		struct span *span = &res->spans[i];
		uint64_t from = addr > span->start ? addr : span->start;
		uint64_t to = end < span->end ? end : span->end;

		if (span->start >= end)
			break;
		if (!__atomic_load_n(&span->marked, __ATOMIC_RELAXED))
			__atomic_store_n(&span->marked, true, __ATOMIC_RELAXED);
		sum += span_bytes(res, span, from, to);
	}
	return sum;
}

uint64_t tide_residency_marked_bytes(const struct tide_residency *res)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < res->span_cnt; i++)
		if (!res->spans[i].heap && __atomic_load_n(&res->spans[i].marked, __ATOMIC_RELAXED))
			sum += res->spans[i].resident_bytes;
	return sum;
}
