#include "target/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "child.h"

static void parses_what_the_kernel_writes(void **state)
{
	static const struct {
		const char *line;
		struct tide_mapping want;
		const char *path;
	} cases[] = {
		{"55a479eb8000-55a479ebc000 r--p 00000000 fe:00 1048601                    /usr/bin/ls",
		 {.start = 0x55a479eb8000,
		  .end = 0x55a479ebc000,
		  .inode = 1048601,
		  .dev_major = 0xfe,
		  .read = true},
		 "/usr/bin/ls"},
		{"1000-2000 rwxs 0000f000 103:0a 7 /a b (deleted)",
		 {.start = 0x1000,
		  .end = 0x2000,
		  .file_off = 0xf000,
		  .inode = 7,
		  .dev_major = 0x103,
		  .dev_minor = 10,
		  .read = true,
		  .write = true,
		  .exec = true,
		  .shared = true,
		  .deleted = true},
		 "/a b"},
		{"1000-2000 ---p 00000000 00:00 0 ", {.start = 0x1000, .end = 0x2000}, ""},
		{"1000-2000 ---p 00000000 00:00 0", {.start = 0x1000, .end = 0x2000}, ""},
		{"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]",
		 {.start = 0xffffffffff600000, .end = 0xffffffffff601000, .exec = true},
		 "[vsyscall]"},
		{"0-ffffffffffffffff rw-p ffffffffffffffff ffffffff:ffffffff 18446744073709551615 x",
		 {.end = UINT64_MAX,
		  .file_off = UINT64_MAX,
		  .inode = UINT64_MAX,
		  .dev_major = UINT32_MAX,
		  .dev_minor = UINT32_MAX,
		  .read = true,
		  .write = true},
		 "x"},
		/* Only files are deleted, and something must be left of the name. */
		{"1-2 r--p 0 0:0 0 [anon:x (deleted)",
		 {.start = 1, .end = 2, .read = true},
		 "[anon:x (deleted)"},
		{"1-2 r--p 0 0:0 1 / (deleted)",
		 {.start = 1, .end = 2, .inode = 1, .read = true, .deleted = true},
		 "/"},
		{"1-2 r--p 0 0:0 1 /a (deleted) (deleted)",
		 {.start = 1, .end = 2, .inode = 1, .read = true, .deleted = true},
		 "/a (deleted)"},
		{"1-2 r--p 0 0:0 1 /x\\012y",
		 {.start = 1, .end = 2, .inode = 1, .read = true},
		 "/x\\012y"},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		const struct tide_mapping *want = &cases[i].want;
		struct tide_mapping m;
		const char *path;
		size_t path_len;

		assert_ok(tide_mapping_parse(cases[i].line, &m, &path, &path_len));
		assert_true(m.start == want->start && m.end == want->end);
		assert_true(m.file_off == want->file_off && m.inode == want->inode);
		assert_true(m.dev_major == want->dev_major && m.dev_minor == want->dev_minor);
		assert_true(m.read == want->read && m.write == want->write);
		assert_true(m.exec == want->exec && m.shared == want->shared);
		assert_true(m.deleted == want->deleted);
		assert_int_equal(path_len, strlen(cases[i].path));
		assert_memory_equal(path, cases[i].path, path_len);
	}
}

static void refuses_what_is_no_mapping(void **state)
{
	static const char *const lines[] = {
		"",
		"-",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 r",
		"1000-2000 r--p",
		"1000-2000 r--p ",
		"1000-2000 r--p 0",
		"1000-2000 r--p 0 0",
		"1000-2000 r--p 0 0:0",
		"1000-2000 r--p 0 0:0 ",
		"1000-2000 r--p 0 0:0 x",
		"1000-2000 r--p 0 0:0 1x",
		"1000-2000 r--p 0 100000000:0 1",
		"1000-2000 r--p 0 0:100000000 1",
		"1000-2000 r--p 0 0:0 18446744073709551616",
		"1000-2000 r-- p 0 0:0 1",
		"1000-2000 w--p 0 0:0 1",
		"1000-2000 r--x 0 0:0 1",
		"1000-2000 r--pp 0 0:0 1",
		"10000000000000000-20000000000000000 r--p 0 0:0 1",
		"2000-1000 r--p 0 0:0 1",
		"1000-1000 r--p 0 0:0 1",
		" 1000-2000 r--p 0 0:0 1",
		"-1000-2000 r--p 0 0:0 1",
		"0x1000-0x2000 r--p 0 0:0 1",
		"Rss:                   4 kB",
	};
	struct tide_mapping m = {.start = 9};
	const char *path;
	size_t path_len;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(lines); i++)
		assert_errno(tide_mapping_parse(lines[i], &m, &path, &path_len), EINVAL);
	assert_int_equal(m.start, 9);
}

static void reads_itself(void **state)
{
	TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {};
	static const char in_rodata[] = "a constant";
	const struct tide_mapping *m;
	char on_stack;

	(void)state;
	assert_ok(tide_maps_read(getpid(), &maps));
	assert_false(maps.truncated);
	for (size_t i = 1; i < maps.cnt; i++)
		assert_true(maps.mappings[i - 1].end <= maps.mappings[i].start);
	m = tide_maps_find(&maps, (uintptr_t)reads_itself);
	assert_true(m && m->exec && !m->write && m->inode);
	assert_non_null(strstr(tide_mapping_path(&maps, m), "maps_test"));
	m = tide_maps_find(&maps, (uintptr_t)in_rodata);
	assert_true(m && m->read && !m->write);
	m = tide_maps_find(&maps, (uintptr_t)&on_stack);
	assert_true(m && m->write && !m->inode);
	assert_null(tide_maps_find(&maps, 0));
	assert_null(tide_maps_find(&maps, UINT64_MAX));
}

static void finds_at_the_very_edges(void **state)
{
	struct tide_mapping list[] = {
		{.start = 10, .end = 20}, {.start = 20, .end = 30}, {.start = 40, .end = 50}};
	struct tide_maps maps = {.mappings = list, .cnt = 3}, none = {};

	(void)state;
	assert_null(tide_maps_find(&maps, 9));
	assert_ptr_equal(tide_maps_find(&maps, 10), &list[0]);
	assert_ptr_equal(tide_maps_find(&maps, 19), &list[0]);
	assert_ptr_equal(tide_maps_find(&maps, 20), &list[1]);
	assert_null(tide_maps_find(&maps, 30));
	assert_null(tide_maps_find(&maps, 39));
	assert_ptr_equal(tide_maps_find(&maps, 49), &list[2]);
	assert_null(tide_maps_find(&maps, 50));
	assert_null(tide_maps_find(&none, 0));
}

/* Two names that differ only behind what a careless reader takes for the end. */
static void odd_names_come_back_as_they_are(void **state)
{
	static const char *const suffixes[] = {"a b\nc", "x (deleted) y", " "};
	TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {};
	char paths[3][128];
	void *at[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		TIDE_AUTO_FD int fd = -1;

		snprintf(paths[i], sizeof(paths[i]), "/tmp/tidemark-maps-%d-%s", getpid(),
			 suffixes[i]);
		fd = open(paths[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_ok(ftruncate(fd, 4096));
		at[i] = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		assert_ptr_not_equal(at[i], MAP_FAILED);
	}
	assert_ok(unlink(paths[2]));
	assert_ok(tide_maps_read(getpid(), &maps));
	for (int i = 0; i < 3; i++) {
		const struct tide_mapping *m = tide_maps_find(&maps, (uintptr_t)at[i]);

		assert_non_null(m);
		assert_string_equal(tide_mapping_path(&maps, m), paths[i]);
		assert_int_equal(m->deleted, i == 2);
		munmap(at[i], 4096);
		unlink(paths[i]);
	}
}

/* The paths' buffer has to grow while offsets into it are held. */
static void many_mappings(void **state)
{
	enum { CNT = 3000 };
	TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {};
	char *area = mmap(NULL, CNT * 8192ul, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(area, MAP_FAILED);
	for (int i = 0; i < CNT; i++)
		assert_ok(mprotect(area + i * 8192ul, 4096, PROT_READ));
	assert_ok(tide_maps_read(getpid(), &maps));
	assert_true(maps.cnt >= 2 * CNT);
	for (int i = 0; i < CNT; i++) {
		const struct tide_mapping *m =
			tide_maps_find(&maps, (uintptr_t)area + (uint64_t)i * 8192);

		assert_true(m && m->read && m->end - m->start == 4096);
		assert_string_equal(tide_mapping_path(&maps, m), "");
	}
	munmap(area, CNT * 8192ul);
}

static void process_gone_is_esrch(void **state)
{
	struct tide_maps maps = {.cnt = 77};
	pid_t tgid = fork();
	siginfo_t info;

	(void)state;
	if (tgid == 0)
		_exit(0);
	assert_ok(waitid(P_PID, (id_t)tgid, &info, WEXITED | WNOWAIT));
	assert_errno(tide_maps_read(tgid, &maps), ESRCH);
	assert_int_equal(waitpid(tgid, NULL, 0), tgid);
	assert_errno(tide_maps_read(tgid, &maps), ESRCH);
	assert_errno(tide_maps_read(0, &maps), ESRCH);
	assert_int_equal(maps.cnt, 77);
}

static void dying_processes_give_no_other_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {};
		pid_t tgid = child_start(NULL, NULL);
		int r;

		kill(tgid, SIGKILL);
		r = tide_maps_read(tgid, &maps);
		assert_true(r == -ESRCH || (r == 0 && maps.cnt > 0));
		assert_int_equal(waitpid(tgid, NULL, 0), tgid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_what_the_kernel_writes),
		cmocka_unit_test(refuses_what_is_no_mapping),
		cmocka_unit_test(reads_itself),
		cmocka_unit_test(finds_at_the_very_edges),
		cmocka_unit_test(odd_names_come_back_as_they_are),
		cmocka_unit_test(many_mappings),
		cmocka_unit_test(process_gone_is_esrch),
		cmocka_unit_test(dying_processes_give_no_other_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
