#include "target/procfs.h"

#include <errno.h>
#include <fcntl.h>

#include "base/util.h"
#include "child.h"

static void finds_keys_at_line_starts_only(void **state)
{
	const char *text = "Name:\tTgid: 9\nTgid:\t 42\nPid:\t7";

	(void)state;
	assert_true(!strncmp(tide_procfs_find_key(text, "Tgid:"), "42\n", 3));
	assert_string_equal(tide_procfs_find_key(text, "Pid:"), "7");
	assert_true(!strncmp(tide_procfs_find_key(text, "Name:"), "Tgid: 9", 7));
	assert_null(tide_procfs_find_key(text, "9"));
	assert_null(tide_procfs_find_key("", "Pid:"));
	assert_null(tide_procfs_find_key("\n\n", "Pid:"));
}

static void decimals_are_checked(void **state)
{
	const char *end;
	uint64_t value = 7;

	(void)state;
	assert_ok(tide_procfs_parse_dec("18446744073709551615 x", &value, &end));
	assert_true(value == UINT64_MAX);
	assert_string_equal(end, " x");
	value = 7;
	assert_errno(tide_procfs_parse_dec("18446744073709551616", &value, &end), ERANGE);
	assert_errno(tide_procfs_parse_dec("-1", &value, NULL), EINVAL);
	assert_errno(tide_procfs_parse_dec("", &value, NULL), EINVAL);
	assert_errno(tide_procfs_parse_dec(" 1", &value, NULL), EINVAL);
	assert_int_equal(value, 7);
}

static void reads_whole_files_up_to_the_bound(void **state)
{
	TIDE_AUTO_FREE char *text = NULL;
	char *untouched = NULL;
	size_t len;

	(void)state;
	assert_ok(tide_procfs_read(getpid(), "status", 65536, &text, &len));
	assert_int_equal(strlen(text), len);
	assert_non_null(tide_procfs_find_key(text, "Tgid:"));
	assert_errno(tide_procfs_read(getpid(), "status", 100, &untouched, NULL), EFBIG);
	assert_null(untouched);
}

static void gone_is_esrch_at_open_and_at_read(void **state)
{
	pid_t tgid = child_start(NULL, NULL);
	TIDE_AUTO_FD int fd = tide_procfs_open(tgid, "status", O_RDONLY);
	char *text = NULL;
	struct tide_procfs_lines lines = {.fd = -1};

	(void)state;
	assert_true(fd >= 0);
	child_end(tgid);
	assert_errno(tide_procfs_read_fd(fd, 4096, &text, NULL), ESRCH);
	assert_errno(tide_procfs_open(tgid, "status", O_RDONLY), ESRCH);
	assert_errno(tide_procfs_lines_open(tgid, "status", &lines), ESRCH);
	assert_errno(tide_procfs_open(0, "status", O_RDONLY), ESRCH);
	assert_errno(tide_procfs_open(-1, "status", O_RDONLY), ESRCH);
}

static void lines_come_without_newline(void **state)
{
	TIDE_CLEANUP(tide_procfs_lines_done) struct tide_procfs_lines lines = {.fd = -1};
	const char *line;
	int fds[2];

	(void)state;
	assert_ok(pipe(fds));
	assert_int_equal(write(fds[1], "one\n\nlast", 9), 9);
	close(fds[1]);
	lines = (struct tide_procfs_lines){.fd = fds[0], .buf = malloc(TIDE_PROCFS_LINE_SZ)};
	assert_int_equal(tide_procfs_next_line(&lines, &line), 1);
	assert_string_equal(line, "one");
	assert_int_equal(tide_procfs_next_line(&lines, &line), 1);
	assert_string_equal(line, "");
	assert_int_equal(tide_procfs_next_line(&lines, &line), 1);
	assert_string_equal(line, "last");
	assert_int_equal(tide_procfs_next_line(&lines, &line), 0);
	assert_int_equal(tide_procfs_next_line(&lines, &line), 0);
}

/* Lines that cross what one read() gives, up to the longest that fits and one that does not. */
static void long_lines_fit_or_are_refused(void **state)
{
	static const size_t lens[] = {1, 4000, 5000, TIDE_PROCFS_LINE_SZ - 2,
				      TIDE_PROCFS_LINE_SZ - 1};
	TIDE_CLEANUP(tide_procfs_lines_done) struct tide_procfs_lines lines = {.fd = -1};
	FILE *file = tmpfile();
	const char *line;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(lens); i++) {
		for (size_t c = 0; c < lens[i]; c++)
			fputc('a' + (int)i, file);
		fputc('\n', file);
	}
	rewind(file);
	lines = (struct tide_procfs_lines){.fd = dup(fileno(file)),
					   .buf = malloc(TIDE_PROCFS_LINE_SZ)};
	for (size_t i = 0; i < TIDE_ARRAY_CNT(lens) - 1; i++) {
		assert_int_equal(tide_procfs_next_line(&lines, &line), 1);
		assert_int_equal(strlen(line), lens[i]);
		assert_int_equal(line[lens[i] - 1], 'a' + (int)i);
	}
	assert_errno(tide_procfs_next_line(&lines, &line), EBADMSG);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_keys_at_line_starts_only),
		cmocka_unit_test(decimals_are_checked),
		cmocka_unit_test(reads_whole_files_up_to_the_bound),
		cmocka_unit_test(gone_is_esrch_at_open_and_at_read),
		cmocka_unit_test(lines_come_without_newline),
		cmocka_unit_test(long_lines_fit_or_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
