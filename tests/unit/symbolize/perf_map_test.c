/* The list that just-in-time compilers write for perf. */
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "symbolize/perf_map.h"

static void parse(struct tide_perf_map *map, const char *text)
{
	assert_ok(tide_perf_map_parse(map, strdup(text), strlen(text)));
}

static void addresses_have_the_name_of_their_line(void **state)
{
	struct tide_perf_map map;

	(void)state;
	parse(&map, "7f00002000 20 LazyCompile:*add /app/sum.js:12:5\n"
		    "0x7f00001000 0x100 Builtin:Call with blanks\n"
		    "7F00003000 1 x\n");
	assert_int_equal(map.cnt, 3);
	assert_string_equal(tide_perf_map_find(&map, 0x7f00001000), "Builtin:Call with blanks");
	assert_string_equal(tide_perf_map_find(&map, 0x7f000010ff), "Builtin:Call with blanks");
	assert_string_equal(tide_perf_map_find(&map, 0x7f0000201f),
			    "LazyCompile:*add /app/sum.js:12:5");
	assert_string_equal(tide_perf_map_find(&map, 0x7f00003000), "x");
	assert_null(tide_perf_map_find(&map, 0x7f00000fff));
	assert_null(tide_perf_map_find(&map, 0x7f00001100));
	assert_null(tide_perf_map_find(&map, 0x7f00003001));
	assert_null(tide_perf_map_find(&map, 0));
	assert_null(tide_perf_map_find(&map, UINT64_MAX));
	tide_perf_map_done(&map);
}

static void of_two_lines_the_newer_holds(void **state)
{
	struct tide_perf_map map;

	(void)state;
	parse(&map, "1000 100 old\n1000 80 new\n1040 10 newest\n2000 100 whole\n1f00 200 over\n");
	assert_string_equal(tide_perf_map_find(&map, 0x1000), "new");
	assert_string_equal(tide_perf_map_find(&map, 0x1044), "newest");
	assert_string_equal(tide_perf_map_find(&map, 0x1080), "old");
	assert_string_equal(tide_perf_map_find(&map, 0x2010), "over");
	tide_perf_map_done(&map);
}

static void other_lines_are_passed_over(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"\n\n\n",
		"1000",
		"1000 100 name without its newline",
		"1000 100\n",
		"1000 100 \n",
		"1000 0 nothing\n",
		"100 g0 name\n",
		"1000\t100\tname\n",
		"-1 100 name\n",
		" 1000 100 name\n",
		"10000000000000000 1 too long\n",
		"ffffffffffffffff 2 beyond the end\n",
		"0x 100 name\n",
	};
	struct tide_perf_map map;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(texts); i++) {
		parse(&map, texts[i]);
		assert_int_equal(map.cnt, 0);
		assert_null(tide_perf_map_find(&map, 0x1000));
		tide_perf_map_done(&map);
	}
}

static void zeros_end_a_name_and_no_more(void **state)
{
	static const char text[] = "1000 10 a\0b\n2000 10 c\n";
	char *copy = malloc(sizeof(text) - 1);
	struct tide_perf_map map;

	(void)state;
	memcpy(copy, text, sizeof(text) - 1);
	assert_ok(tide_perf_map_parse(&map, copy, sizeof(text) - 1));
	assert_string_equal(tide_perf_map_find(&map, 0x1000), "a");
	assert_string_equal(tide_perf_map_find(&map, 0x2000), "c");
	tide_perf_map_done(&map);
}

static void of_too_many_lines_the_last_count(void **state)
{
	const size_t line_len = strlen("00000000 10 f\n"), cnt = TIDE_PERF_MAP_MAX_ENTRIES + 10;
	char *text = malloc(cnt * line_len + 1);
	struct tide_perf_map map;

	(void)state;
	for (size_t i = 0; i < cnt; i++)
		snprintf(text + i * line_len, line_len + 1, "%08zx 10 f\n", 0x1000 + i * 16);
	assert_ok(tide_perf_map_parse(&map, text, cnt * line_len));
	assert_int_equal(map.cnt, TIDE_PERF_MAP_MAX_ENTRIES);
	assert_null(tide_perf_map_find(&map, 0x1000));
	assert_non_null(tide_perf_map_find(&map, 0x1000 + (cnt - 1) * 16));
	tide_perf_map_done(&map);
}

/* ---- the file, in a root of our own ---- */

struct place {
	char dir[32], path[64];
	struct tide_proc proc;
};

static void make_place(struct place *place)
{
	strcpy(place->dir, "/tmp/tide-perf-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->path, sizeof(place->path), "%s/tmp", place->dir);
	assert_int_equal(mkdir(place->path, 0700), 0);
	snprintf(place->path, sizeof(place->path), "%s/tmp/perf-%d.map", place->dir, getpid());
	place->proc = (struct tide_proc){
		.tgid = getpid(), .root_fd = open(place->dir, O_PATH | O_CLOEXEC | O_DIRECTORY)};
	assert_true(place->proc.root_fd >= 0);
}

static void drop_place(struct place *place)
{
	char path[64];

	(void)unlink(place->path);
	snprintf(path, sizeof(path), "%s/tmp", place->dir);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(place->dir), 0);
	close(place->proc.root_fd);
}

static void append(const struct place *place, const char *text)
{
	FILE *file = fopen(place->path, "a");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void a_file_is_read_again_when_it_grew(void **state)
{
	struct tide_perf_file *file = NULL;
	struct place place;

	(void)state;
	make_place(&place);
	assert_ok(tide_perf_file_new(&place.proc, &file));
	assert_null(tide_perf_file_find(file, 0x1000));
	append(&place, "1000 10 first\n");
	assert_null(tide_perf_file_find(file, 0x1000));
	tide_perf_file_refresh(file);
	assert_string_equal(tide_perf_file_find(file, 0x1000), "first");
	append(&place, "1000 10 second\n");
	tide_perf_file_refresh(file);
	assert_string_equal(tide_perf_file_find(file, 0x1000), "second");
	/* What is known outlives the file. */
	assert_int_equal(unlink(place.path), 0);
	tide_perf_file_refresh(file);
	assert_string_equal(tide_perf_file_find(file, 0x1000), "second");
	tide_perf_file_free(&file);
	assert_null(file);
	drop_place(&place);
}

static void a_file_removed_after_opening_is_still_read(void **state)
{
	struct tide_perf_file *file = NULL;
	struct place place;

	(void)state;
	make_place(&place);
	append(&place, "1000 10 early\n");
	assert_ok(tide_perf_file_new(&place.proc, &file));
	assert_int_equal(unlink(place.path), 0);
	assert_string_equal(tide_perf_file_find(file, 0x1000), "early");
	tide_perf_file_free(&file);
	drop_place(&place);
}

static void what_is_no_file_of_the_target_is_let_alone(void **state)
{
	struct tide_perf_file *file = NULL;
	char outside[] = "/tmp/tide-outside-XXXXXX";
	int fd = mkstemp(outside);
	struct place place;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1000 10 outside\n", 16), 16);
	close(fd);
	make_place(&place);
	assert_int_equal(symlink(outside, place.path), 0);
	assert_ok(tide_perf_file_new(&place.proc, &file));
	assert_null(tide_perf_file_find(file, 0x1000));
	assert_int_equal(unlink(place.path), 0);
	/* Opening a pipe would wait for a writer. */
	assert_int_equal(mkfifo(place.path, 0600), 0);
	tide_perf_file_refresh(file);
	assert_null(tide_perf_file_find(file, 0x1000));
	assert_int_equal(unlink(place.path), 0);
	if (geteuid() == 0) {
		append(&place, "1000 10 stranger\n");
		assert_int_equal(chown(place.path, 12345, 12345), 0);
		tide_perf_file_refresh(file);
		assert_null(tide_perf_file_find(file, 0x1000));
	}
	tide_perf_file_free(&file);
	unlink(outside);
	drop_place(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_the_name_of_their_line),
		cmocka_unit_test(of_two_lines_the_newer_holds),
		cmocka_unit_test(other_lines_are_passed_over),
		cmocka_unit_test(zeros_end_a_name_and_no_more),
		cmocka_unit_test(of_too_many_lines_the_last_count),
		cmocka_unit_test(a_file_is_read_again_when_it_grew),
		cmocka_unit_test(a_file_removed_after_opening_is_still_read),
		cmocka_unit_test(what_is_no_file_of_the_target_is_let_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
