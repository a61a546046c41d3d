#include "target/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/util.h"
#include "child.h"
#include "target/proc.h"

#define MEMORY_V1 "36 31 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
#define UNIFIED	  "42 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"

static void finds_the_group_that_accounts_for_memory(void **state)
{
	static const struct {
		const char *text, *group;
		bool is_v2;
	} cases[] = {
		{"0::/\n", "/", true},
		{"0::/user.slice/a:b c\n", "/user.slice/a:b c", true},
		{"9:name=systemd:/x\n4:memory:/jobs/1\n0::/\n", "/jobs/1", false},
		{"4:cpu,memory,io:/all\n", "/all", false},
		{"0::/unified\n4:memory:/v1\n", "/v1", false},
		{"3:memoryx:/no\n2:xmemory:/no\n0::/yes\n", "/yes", true},
		{"garbage\n:\n::\n0:relative\n0::/yes", "/yes", true},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		TIDE_AUTO_FREE char *text = strdup(cases[i].text);
		const char *group;
		bool is_v2;

		assert_ok(tide_cgroup_find_group(text, &group, &is_v2));
		assert_string_equal(group, cases[i].group);
		assert_int_equal(is_v2, cases[i].is_v2);
	}
}

static void no_group_is_enoent(void **state)
{
	static const char *const texts[] = {"", "\n", "1:cpu:/a\n", "0::a\n", "4:memory\n"};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(texts); i++) {
		TIDE_AUTO_FREE char *text = strdup(texts[i]);
		const char *group;
		bool is_v2;

		assert_errno(tide_cgroup_find_group(text, &group, &is_v2), ENOENT);
	}
}

static void finds_the_directory_through_the_mounts(void **state)
{
	static const struct {
		const char *text, *group;
		bool is_v2;
		const char *dir;
		size_t mount_len;
	} cases[] = {
		{MEMORY_V1 UNIFIED, "/jobs/1", false, "/sys/fs/cgroup/memory/jobs/1", 21},
		{MEMORY_V1 UNIFIED, "/jobs/1", true, "/sys/fs/cgroup/unified/jobs/1", 22},
		{"1 1 0:1 /docker/c1 /cg rw - cgroup2 none rw\n", "/docker/c1/in", true, "/cg/in",
		 3},
		{"1 1 0:1 /docker/c1 /cg rw - cgroup2 none rw\n", "/docker/c1", true, "/cg", 3},
		{"1 1 0:1 / /a\\040b rw - cgroup2 none rw\n", "/g", true, "/a b/g", 4},
		{"1 1 0:1 / /m rw a:1 b:2 - cgroup2 none rw\n", "/x..y", true, "/m/x..y", 2},
		/* The first mount does not show the group, the second does. */
		{"1 1 0:1 /other /m rw - cgroup2 none rw\n2 1 0:1 / /n rw - cgroup2 none rw\n",
		 "/g", true, "/n/g", 2},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		TIDE_AUTO_FREE char *text = strdup(cases[i].text);
		char dir[256];
		size_t mount_len;

		assert_ok(tide_cgroup_find_dir(text, cases[i].group, cases[i].is_v2, dir,
					       sizeof(dir), &mount_len));
		assert_string_equal(dir, cases[i].dir);
		assert_int_equal(mount_len, cases[i].mount_len);
	}
}

static void unusable_mounts_are_enoent(void **state)
{
	static const struct {
		const char *text, *group;
		bool is_v2;
	} cases[] = {
		{"", "/g", true},
		{"x\n - \n1 2 3 - cgroup2\n1 1 0:1 / /m rw - cgroup2 none\n", "/g", true},
		{UNIFIED, "/g", false},
		{MEMORY_V1, "/g", true},
		{"1 1 0:1 / /m rw - cgroup cgroup rw,cpu\n", "/g", false},
		{"1 1 0:1 /c1 /m rw - cgroup2 none rw\n", "/c10", true},
		/* A group outside of our cgroup namespace. */
		{UNIFIED, "/../other", true},
		{UNIFIED, "/a/..", true},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		TIDE_AUTO_FREE char *text = strdup(cases[i].text);
		size_t mount_len;
		char dir[256];

		assert_errno(tide_cgroup_find_dir(text, cases[i].group, cases[i].is_v2, dir,
						  sizeof(dir), &mount_len),
			     ENOENT);
	}
}

static void long_paths_are_refused(void **state)
{
	TIDE_AUTO_FREE char *text = strdup(UNIFIED);
	size_t mount_len;
	char dir[25];

	(void)state;
	assert_errno(tide_cgroup_find_dir(text, "/123", true, dir, sizeof(dir), &mount_len),
		     ENAMETOOLONG);
}

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	TIDE_AUTO_FD int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

static char *read_text(const char *path)
{
	char *text = NULL;
	size_t sz = 0;
	FILE *file = fopen(path, "r");

	if (!file || getdelim(&text, &sz, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	return text;
}

/* The directory of our own group, by the functions tested above. */
static bool own_dir(char *dir, size_t dir_sz, bool *ret_is_v2)
{
	TIDE_AUTO_FREE char *cgroup = read_text("/proc/self/cgroup");
	TIDE_AUTO_FREE char *mounts = read_text("/proc/self/mountinfo");
	const char *group;
	size_t mount_len;

	return cgroup && mounts && tide_cgroup_find_group(cgroup, &group, ret_is_v2) == 0 &&
	       tide_cgroup_find_dir(mounts, group, *ret_is_v2, dir, dir_sz, &mount_len) == 0;
}

/* A group with the lower limit above one with the higher: what counts is the lower. */
static void least_limit_of_all_parents_counts(void **state)
{
	char outer[PATH_MAX], inner[PATH_MAX + 8], own[PATH_MAX - 32], number[16];
	uint64_t limit_bytes = 0;
	bool is_v2, known = false, usable = false;
	struct tide_proc proc;
	char *path = NULL;
	const char *file;
	pid_t tgid;
	int err;

	(void)state;
	need_root();
	if (!own_dir(own, sizeof(own), &is_v2))
		skip_because("needs a mounted control group file system");
	file = is_v2 ? "memory.max" : "memory.limit_in_bytes";
	snprintf(outer, sizeof(outer), "%s/tidemark-test-%d", own, getpid());
	snprintf(inner, sizeof(inner), "%s/inner", outer);
	tgid = child_start(NULL, NULL);
	snprintf(number, sizeof(number), "%d", tgid);
	if (mkdir(outer, 0755) == 0 &&
	    (!is_v2 || !write_file(outer, "cgroup.subtree_control", "+memory")) &&
	    mkdir(inner, 0755) == 0)
		usable = !write_file(outer, file, "104857600") &&
			 !write_file(inner, file, "209715200") &&
			 !write_file(inner, "cgroup.procs", number);
	if (usable) {
		assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
		tide_proc_cgroup(&proc, &path, &known, &limit_bytes);
		tide_proc_close(&proc);
	}
	child_end(tgid);
	rmdir(inner);
	rmdir(outer);
	if (!usable)
		skip_because("needs a writable memory control group");
	assert_true(known);
	/* Our own group may well have less. */
	assert_true(limit_bytes <= 104857600);
	assert_non_null(strstr(path, "/inner"));
	free(path);
}

static void process_gone_has_no_group(void **state)
{
	struct tide_proc proc = {.tgid = child_gone(), .pidfd = -1, .root_fd = -1};
	uint64_t limit_bytes = 1;
	char *path = (char *)"x";
	bool known = true;

	(void)state;
	tide_proc_cgroup(&proc, &path, &known, &limit_bytes);
	assert_null(path);
	assert_false(known);
	assert_int_equal(limit_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_group_that_accounts_for_memory),
		cmocka_unit_test(no_group_is_enoent),
		cmocka_unit_test(finds_the_directory_through_the_mounts),
		cmocka_unit_test(unusable_mounts_are_enoent),
		cmocka_unit_test(long_paths_are_refused),
		cmocka_unit_test(least_limit_of_all_parents_counts),
		cmocka_unit_test(process_gone_has_no_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
