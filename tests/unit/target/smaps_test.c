#include "target/smaps.h"

#include <errno.h>

#include "base/util.h"
#include "harness/test.h"

static void parses_kilobyte_lines(void **state)
{
	uint64_t bytes = 5;

	(void)state;
	assert_ok(tide_smaps_parse_kb("Rss:                   4 kB", "Rss:", &bytes));
	assert_int_equal(bytes, 4096);
	assert_ok(tide_smaps_parse_kb("Rss:0 kB\n", "Rss", &bytes));
	assert_int_equal(bytes, 0);
	assert_ok(tide_smaps_parse_kb("VmHWM:\t  18014398509481983 kB", "VmHWM:", &bytes));
	assert_true(bytes == UINT64_MAX - 1023);
}

static void refuses_other_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"Rss:",
		"Rss: ",
		"Rss: x kB",
		"Rss: -1 kB",
		"Rss: 1",
		"Rss: 1kB",
		"Rss: 1 kBx",
		"Rss: 1 MB",
		"Rss 1 kB",
		" Rss: 1 kB",
		"Pss: 1 kB",
		"Rss2: 1 kB",
		"RSS: 1 kB",
		"Rss: 18014398509481984 kB",
		"Rss: 99999999999999999999 kB",
	};
	uint64_t bytes = 5;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(lines); i++) {
		assert_errno(tide_smaps_parse_kb(lines[i], "Rss:", &bytes), EINVAL);
		assert_errno(tide_smaps_parse_kb(lines[i], "Rss", &bytes), EINVAL);
	}
	assert_int_equal(bytes, 5);
}

static void kinds_follow_the_name(void **state)
{
	static const struct {
		const char *path;
		enum tide_rss_kind private_kind, shared_kind;
	} cases[] = {
		{"", TIDE_RSS_ANON, TIDE_RSS_SHMEM},
		{"[heap]", TIDE_RSS_HEAP, TIDE_RSS_HEAP},
		{"[stack]", TIDE_RSS_STACK, TIDE_RSS_STACK},
		{"[stack:77]", TIDE_RSS_STACK, TIDE_RSS_STACK},
		{"[vdso]", TIDE_RSS_OTHER, TIDE_RSS_OTHER},
		{"[vvar_vclock]", TIDE_RSS_OTHER, TIDE_RSS_OTHER},
		{"[uprobes]", TIDE_RSS_OTHER, TIDE_RSS_OTHER},
		{"[heap]x", TIDE_RSS_OTHER, TIDE_RSS_OTHER},
		{"[anon:glibc: malloc]", TIDE_RSS_ANON, TIDE_RSS_SHMEM},
		{"[anon_shmem:x]", TIDE_RSS_SHMEM, TIDE_RSS_SHMEM},
		{"/usr/lib/libc.so.6", TIDE_RSS_FILE, TIDE_RSS_FILE},
		{"/dev/zero", TIDE_RSS_ANON, TIDE_RSS_SHMEM},
		{"/dev/zeros", TIDE_RSS_FILE, TIDE_RSS_FILE},
		{"/dev/shm/x", TIDE_RSS_SHMEM, TIDE_RSS_SHMEM},
		{"/dev/shmx", TIDE_RSS_FILE, TIDE_RSS_FILE},
		{"/memfd:jit", TIDE_RSS_SHMEM, TIDE_RSS_SHMEM},
		{"/SYSV00000000", TIDE_RSS_SHMEM, TIDE_RSS_SHMEM},
		{"/[aio]", TIDE_RSS_OTHER, TIDE_RSS_OTHER},
		{"anon_inode:[perf_event]", TIDE_RSS_OTHER, TIDE_RSS_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		struct tide_mapping m = {.write = true};
		size_t len = strlen(cases[i].path);

		assert_int_equal(tide_rss_kind_of(&m, cases[i].path, len), cases[i].private_kind);
		m.shared = true;
		assert_int_equal(tide_rss_kind_of(&m, cases[i].path, len), cases[i].shared_kind);
	}
}

static void sums_add_up(void **state)
{
	static const char *const lines[] = {
		"Rss: 1 kB", /* of no mapping */
		"1000-2000 rw-p 0 0:0 0 [heap]",
		"Size: 4 kB",
		"Rss: 2 kB",
		"Pss: 99 kB",
		"VmFlags: rd wr mr",
		"2000-3000 rw-p 0 0:0 0",
		"Rss: 4 kB",
		"3000-4000 r-xp 0 0:0 9 /lib/x (deleted)",
		"Rss: 8 kB",
		"nonsense",
		"4000-5000 rw-s 0 0:1 9 /dev/zero (deleted)",
		"Rss: 16 kB",
		"5000-6000 rw-p 0 0:0 0 [stack]",
		"Rss: 32 kB",
		"6000-7000 r-xp 0 0:0 0 [vdso]",
		"Rss: 64 kB",
	};
	struct tide_smaps smaps = {};
	uint64_t bytes, seen = 0;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(lines); i++)
		if (tide_smaps_feed(&smaps, lines[i], &bytes) == TIDE_SMAPS_RSS)
			seen += bytes;
	assert_int_equal(seen, 126 * 1024);
	assert_int_equal(smaps.sums.rss_bytes, 126 * 1024);
	assert_int_equal(smaps.sums.heap_bytes, 2 * 1024);
	assert_int_equal(smaps.sums.anon_bytes, 4 * 1024);
	assert_int_equal(smaps.sums.file_bytes, 8 * 1024);
	assert_int_equal(smaps.sums.shmem_bytes, 16 * 1024);
	assert_int_equal(smaps.sums.stack_bytes, 32 * 1024);
	assert_int_equal(smaps.sums.other_bytes, 64 * 1024);
}

static void overflow_stops_the_sum(void **state)
{
	struct tide_smaps smaps = {};
	uint64_t bytes;

	(void)state;
	tide_smaps_feed(&smaps, "1-2 rw-p 0 0:0 0", &bytes);
	assert_int_equal(tide_smaps_feed(&smaps, "Rss: 18014398509481983 kB", &bytes),
			 TIDE_SMAPS_RSS);
	assert_int_equal(tide_smaps_feed(&smaps, "Rss: 1 kB", &bytes), TIDE_SMAPS_IGNORED);
	assert_true(smaps.sums.rss_bytes == smaps.sums.anon_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_kilobyte_lines),  cmocka_unit_test(refuses_other_lines),
		cmocka_unit_test(kinds_follow_the_name),  cmocka_unit_test(sums_add_up),
		cmocka_unit_test(overflow_stops_the_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
