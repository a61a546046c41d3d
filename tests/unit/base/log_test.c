#include "base/log.h"

#include <errno.h>
#include <fcntl.h>

#include "base/util.h"
#include "harness/test.h"

/* stderr goes into a pipe while a test speaks; 64 KiB fit, so no reader is needed meanwhile. */
struct capture {
	int read_fd;
	int saved_fd;
};

static void capture_begin(struct capture *c)
{
	int fds[2];

	assert_ok(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	c->read_fd = fds[0];
	c->saved_fd = dup(STDERR_FILENO);
	assert_true(c->saved_fd >= 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
}

static void capture_end(struct capture *c, char *buf, size_t buf_sz)
{
	ssize_t n;

	assert_int_equal(dup2(c->saved_fd, STDERR_FILENO), STDERR_FILENO);
	close(c->saved_fd);
	n = read(c->read_fd, buf, buf_sz - 1);
	close(c->read_fd);
	buf[n > 0 ? n : 0] = '\0';
}

static int restore_level(void **state)
{
	(void)state;
	tide_log_set_level(TIDE_LOG_INFO);
	return 0;
}

static void lines_carry_their_level(void **state)
{
	struct capture c;
	char out[512];

	(void)state;
	tide_log_set_level(TIDE_LOG_DEBUG);
	assert_int_equal(tide_log_get_level(), TIDE_LOG_DEBUG);
	capture_begin(&c);
	tide_err("no process %d", 12);
	tide_warn("ring full");
	tide_info("watching");
	tide_debug("%s", "rows");
	capture_end(&c, out, sizeof(out));
	assert_string_equal(out, "tidemark: no process 12\n"
				 "tidemark: warning: ring full\n"
				 "tidemark: watching\n"
				 "tidemark: debug: rows\n");
}

static void level_silences_what_is_beyond_it(void **state)
{
	struct capture c;
	char out[512];

	(void)state;
	capture_begin(&c);
	tide_debug("not by default");
	tide_log_set_level(TIDE_LOG_ERROR);
	tide_warn("not now");
	tide_err("always");
	capture_end(&c, out, sizeof(out));
	assert_string_equal(out, "tidemark: always\n");
}

static void errno_survives_and_is_readable(void **state)
{
	struct capture c;
	char out[512];
	int after;

	(void)state;
	capture_begin(&c);
	errno = ENOENT;
	tide_err("cannot open: %m");
	after = errno;
	capture_end(&c, out, sizeof(out));
	assert_int_equal(after, ENOENT);
	assert_string_equal(out, "tidemark: cannot open: No such file or directory\n");
}

static void long_message_is_cut_and_says_so(void **state)
{
	struct capture c;
	char text[8192], out[8192];
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	capture_begin(&c);
	tide_err("%s", text);
	capture_end(&c, out, sizeof(out));
	len = strlen(out);
	assert_in_range(len, 4096, sizeof(text) - 1);
	assert_string_equal(out + len - 5, "x...\n");
	assert_ptr_equal(strchr(out, '\n'), out + len - 1);
}

static void closed_stderr_does_no_harm(void **state)
{
	int saved_fd = dup(STDERR_FILENO);

	(void)state;
	assert_true(saved_fd >= 0);
	close(STDERR_FILENO);
	errno = 0;
	tide_err("to nobody");
	assert_int_equal(errno, 0);
	assert_int_equal(dup2(saved_fd, STDERR_FILENO), STDERR_FILENO);
	close(saved_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(lines_carry_their_level, restore_level),
		cmocka_unit_test_teardown(level_silences_what_is_beyond_it, restore_level),
		cmocka_unit_test_teardown(errno_survives_and_is_readable, restore_level),
		cmocka_unit_test_teardown(long_message_is_cut_and_says_so, restore_level),
		cmocka_unit_test_teardown(closed_stderr_does_no_harm, restore_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
