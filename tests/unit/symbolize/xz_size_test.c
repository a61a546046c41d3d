/* Streams that xz made, and damaged ones. */
#include "harness/test.h"

#include <errno.h>

#include "symbolize/xz_size.h"

#define STREAM_BYTES (4U << 20)

static size_t run_xz(const char *command, uint8_t *stream)
{
	FILE *out = popen(command, "r");
	size_t len;

	assert_non_null(out);
	len = fread(stream, 1, STREAM_BYTES, out);
	assert_int_equal(pclose(out), 0);
	assert_in_range(len, 1, STREAM_BYTES - 1);
	return len;
}

static void sizes_are_what_xz_put_in(void **state)
{
	static const struct {
		const char *command;
		uint64_t bytes;
	} cases[] = {
		{"head -c 0 /dev/zero | xz -c", 0},
		{"head -c 1 /dev/zero | xz -c", 1},
		{"head -c 3000000 /dev/zero | xz -c", 3000000},
		{"head -c 3000000 /dev/zero | xz -c -0 --check=none", 3000000},
		{"head -c 3000000 /dev/zero | xz -c --check=sha256 --block-size=100000", 3000000},
		{"head -c 3000000 /dev/zero | xz -c -T2 --block-size=1000000", 3000000},
		{"head -c 700000 /dev/urandom | xz -c", 700000},
		{"head -c 100001 /bin/bash | xz -c --x86 --lzma2", 100001},
	};
	uint8_t *stream = malloc(STREAM_BYTES);
	uint64_t bytes;

	(void)state;
	assert_non_null(stream);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = run_xz(cases[i].command, stream);

		assert_ok(tide_xz_size(stream, len, &bytes));
		assert_int_equal(bytes, cases[i].bytes);
	}
	free(stream);
}

static void a_bomb_is_known_by_its_chunks(void **state)
{
	uint8_t *stream = malloc(STREAM_BYTES);
	uint64_t bytes;
	size_t len = run_xz("head -c 512M /dev/zero | xz -c -0 -T2", stream);

	(void)state;
	assert_ok(tide_xz_size(stream, len, &bytes));
	assert_int_equal(bytes, 512ULL << 20);
	free(stream);
}

static void what_is_cut_or_no_stream_is_refused(void **state)
{
	uint8_t *stream = malloc(STREAM_BYTES);
	size_t len = run_xz("head -c 100000 /dev/zero | xz -c", stream), index;
	uint64_t bytes = 42;

	(void)state;
	/* The index and footer take 28 bytes and are not looked at. */
	index = len - 28;
	for (size_t i = 0; i < index; i++)
		assert_errno(tide_xz_size(stream, i, &bytes), EBADMSG);
	assert_int_equal(bytes, 42);
	stream[0] ^= 1;
	assert_errno(tide_xz_size(stream, len, &bytes), EBADMSG);
	/* The older format, which lzma's decoder would also take. */
	len = run_xz("echo text | xz -c --format=lzma", stream);
	assert_errno(tide_xz_size(stream, len, &bytes), EBADMSG);
	free(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_what_xz_put_in),
		cmocka_unit_test(a_bomb_is_known_by_its_chunks),
		cmocka_unit_test(what_is_cut_or_no_stream_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
