#include "stories.h"

#include "encode/utf8.h"

typedef struct tide_snapshot *(*story_fn)(void);

struct golden {
	const char *name;
	story_fn make;
	struct tide_report_opts opts;
};

static void check(const struct golden *golden)
{
	struct tide_snapshot *snap = golden->make();
	struct tide_report_opts opts = golden->opts;
	TIDE_AUTO_FREE char *text = NULL;

	opts.now_realtime_ns = WALL_NS;
	opts.top_cnt = opts.top_cnt ? opts.top_cnt : 10;
	text = report_of(tide_report_text, snap, &opts);
	assert_golden(golden->name, text);
	tide_snapshot_free(&snap);
}

#define GOLDEN_TEST(story, ...)                                                     \
	static void story##_is_as_agreed(void **state)                              \
	{                                                                           \
		const struct golden golden = {#story ".txt", story, {__VA_ARGS__}}; \
                                                                                    \
		(void)state;                                                        \
		check(&golden);                                                     \
	}

GOLDEN_TEST(story, .width = 100, .top_cnt = 5)
GOLDEN_TEST(killed, .width = 100)
GOLDEN_TEST(losses, .width = 100)
GOLDEN_TEST(hostile, .width = 100)
GOLDEN_TEST(empty, .width = 100)
GOLDEN_TEST(nameless, .width = 100)
GOLDEN_TEST(blocks, .width = 100, .show_blocks = true)

static void narrow_terminal_is_as_agreed(void **state)
{
	const struct golden golden = {"story-80.txt", story, {.width = 80}};

	(void)state;
	check(&golden);
}

static void colours_are_as_agreed(void **state)
{
	const struct golden golden = {
		"story-colour.txt", story, {.width = 100, .colour = true, .full_stacks = true}};

	(void)state;
	check(&golden);
}

static const story_fn stories[] = {story, killed, losses, hostile, empty, nameless, blocks};

/* No line is wider than the terminal, as long as its numbers and words leave a choice. */
static void width_is_respected(void **state)
{
	static const uint32_t widths[] = {80, 100, 132};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(stories) * TIDE_ARRAY_CNT(widths); i++) {
		struct tide_snapshot *snap = stories[i / TIDE_ARRAY_CNT(widths)]();
		struct tide_report_opts opts = default_opts();
		TIDE_AUTO_FREE char *text = NULL;

		opts.width = widths[i % TIDE_ARRAY_CNT(widths)];
		opts.show_blocks = true;
		text = report_of(tide_report_text, snap, &opts);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			if (tide_utf8_columns(line) > opts.width)
				fail_msg("wider than %u: %s", opts.width, line);
		tide_snapshot_free(&snap);
	}
}

/* Without colours not one byte that a terminal would obey, and all of it UTF-8. */
static void nothing_reaches_the_terminal_but_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(stories); i++) {
		struct tide_snapshot *snap = stories[i]();
		struct tide_report_opts opts = default_opts();
		TIDE_AUTO_FREE char *text = NULL;
		uint32_t code;
		size_t len;

		opts.width = 0;
		opts.full_stacks = true;
		opts.show_blocks = true;
		text = report_of(tide_report_text, snap, &opts);
		for (const char *at = text; (len = tide_utf8_decode(at, &code)); at += len) {
			assert_int_not_equal(code, TIDE_UTF8_INVALID);
			assert_true(code == '\n' || (code >= 0x20 && code != 0x7f));
			assert_int_not_equal(code, 0x202e);
		}
		tide_snapshot_free(&snap);
	}
}

static void last_line_is_the_coverage(void **state)
{
	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(stories); i++) {
		struct tide_snapshot *snap = stories[i]();
		struct tide_report_opts opts = default_opts();
		TIDE_AUTO_FREE char *text = NULL;
		char *last;

		opts.width = 0;
		text = report_of(tide_report_text, snap, &opts);
		text[strlen(text) - 1] = '\0';
		last = strrchr(text, '\n');
		assert_non_null(last);
		assert_int_equal(strncmp(last + 1, "Coverage: ", strlen("Coverage: ")), 0);
		tide_snapshot_free(&snap);
	}
}

static void a_stream_that_fails_is_an_error(void **state)
{
	struct tide_snapshot *snap = story();
	struct tide_report_opts opts = default_opts();
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_errno(tide_report_text(full, snap, &opts), ENOSPC);
	fclose(full);
	tide_snapshot_free(&snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(story_is_as_agreed),
		cmocka_unit_test(killed_is_as_agreed),
		cmocka_unit_test(losses_is_as_agreed),
		cmocka_unit_test(hostile_is_as_agreed),
		cmocka_unit_test(empty_is_as_agreed),
		cmocka_unit_test(nameless_is_as_agreed),
		cmocka_unit_test(blocks_is_as_agreed),
		cmocka_unit_test(narrow_terminal_is_as_agreed),
		cmocka_unit_test(colours_are_as_agreed),
		cmocka_unit_test(width_is_respected),
		cmocka_unit_test(nothing_reaches_the_terminal_but_text),
		cmocka_unit_test(last_line_is_the_coverage),
		cmocka_unit_test(a_stream_that_fails_is_an_error),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
