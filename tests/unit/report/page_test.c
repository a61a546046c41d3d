#include "harness/test.h"

#include <errno.h>

#include "base/util.h"
#include "report/page.h"

struct sheet {
	struct tide_page page;
	FILE *out;
	char *text;
	size_t len;
};

static void open_sheet(struct sheet *sheet, uint32_t width, bool colour)
{
	*sheet = (struct sheet){0};
	sheet->out = open_memstream(&sheet->text, &sheet->len);
	assert_non_null(sheet->out);
	tide_page_init(&sheet->page, sheet->out, width, colour);
}

static void assert_sheet(struct sheet *sheet, const char *expected)
{
	assert_ok(tide_page_done(&sheet->page));
	fclose(sheet->out);
	assert_string_equal(sheet->text, expected);
	free(sheet->text);
}

static void paragraphs_wrap_between_words(void **state)
{
	struct sheet sheet;

	(void)state;
	open_sheet(&sheet, 20, false);
	tide_page_print(&sheet.page, "why  ");
	tide_page_add(&sheet.page, "rose from one to two and stays");
	tide_page_end_paragraph(&sheet.page, 5, 5);
	assert_sheet(&sheet, "why  rose from one\n     to two and\n     stays\n");
}

static void without_a_width_nothing_wraps(void **state)
{
	struct sheet sheet;

	(void)state;
	open_sheet(&sheet, 0, false);
	tide_page_add(&sheet.page, "rose from one to two and stays");
	tide_page_end_paragraph(&sheet.page, 5, 5);
	assert_sheet(&sheet, "rose from one to two and stays\n");
}

static void figures_keep_their_unit(void **state)
{
	struct sheet sheet;

	(void)state;
	open_sheet(&sheet, 12, false);
	tide_page_add(&sheet.page, "it holds ");
	tide_page_add_figure(&sheet.page, "810 MB");
	tide_page_add(&sheet.page, " now");
	tide_page_end_paragraph(&sheet.page, 0, 2);
	assert_sheet(&sheet, "it holds\n  810 MB now\n");
}

static void a_word_wider_than_the_page_stands_alone(void **state)
{
	struct sheet sheet;

	(void)state;
	open_sheet(&sheet, 8, false);
	tide_page_add(&sheet.page, "a /usr/lib/libc.so.6 b");
	tide_page_end_paragraph(&sheet.page, 0, 2);
	assert_sheet(&sheet, "a\n  /usr/lib/libc.so.6\n  b\n");
}

static void names_are_cut_and_made_printable(void **state)
{
	struct sheet sheet;

	(void)state;
	open_sheet(&sheet, 0, false);
	tide_page_add_name(&sheet.page,
			   "\x1b"
			   "ab\1c",
			   100);
	tide_page_add(&sheet.page, " ");
	tide_page_add_name(&sheet.page, "connection_pool", 9);
	tide_page_add(&sheet.page, " ");
	tide_page_add_name(&sheet.page, NULL, 9);
	tide_page_end_paragraph(&sheet.page, 0, 0);
	assert_sheet(&sheet, "\\x1bab\\x01c con...ool ?\n");
}

static void colours_are_only_for_those_who_want_them(void **state)
{
	struct sheet sheet;

	(void)state;
	for (int colour = 0; colour < 2; colour++) {
		open_sheet(&sheet, 80, colour);
		tide_page_style(&sheet.page, TIDE_STYLE_ALARM);
		tide_page_print(&sheet.page, "x");
		tide_page_style(&sheet.page, TIDE_STYLE_PLAIN);
		assert_sheet(&sheet, colour ? "\033[1;31mx\033[0m" : "x");
	}
}

static void the_first_error_stays(void **state)
{
	struct tide_page page;
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	tide_page_init(&page, full, 80, false);
	tide_page_print(&page, "x");
	tide_page_add(&page, "left over");
	assert_errno(page.err, ENOSPC);
	assert_errno(tide_page_done(&page), ENOSPC);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paragraphs_wrap_between_words),
		cmocka_unit_test(without_a_width_nothing_wraps),
		cmocka_unit_test(figures_keep_their_unit),
		cmocka_unit_test(a_word_wider_than_the_page_stands_alone),
		cmocka_unit_test(names_are_cut_and_made_printable),
		cmocka_unit_test(colours_are_only_for_those_who_want_them),
		cmocka_unit_test(the_first_error_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
