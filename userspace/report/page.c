#include "report/page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "encode/utf8.h"

/* Stands for a space within a word. No name can bring it in: names are printable. */
#define JOINT '\1'

/* ECMA-48 "select graphic rendition". */
static const char *const styles[] = {
	[TIDE_STYLE_PLAIN] = "\033[0m", [TIDE_STYLE_STRONG] = "\033[1m",
	[TIDE_STYLE_FAINT] = "\033[2m", [TIDE_STYLE_ALARM] = "\033[1;31m",
	[TIDE_STYLE_WARN] = "\033[33m", [TIDE_STYLE_GOOD] = "\033[32m",
};

static void fail(struct tide_page *page, int err)
{
	if (!page->err)
		page->err = err;
}

void tide_page_init(struct tide_page *page, FILE *out, uint32_t width, bool colour)
{
	*page = (struct tide_page){
		.out = out,
		.width = width ? width : SIZE_MAX,
		.colour = colour,
	};
}

int tide_page_done(struct tide_page *page)
{
	if (page->paragraph)
		fclose(page->paragraph);
	free(page->text);
	page->paragraph = NULL;
	page->text = NULL;
	errno = 0;
	if (fflush(page->out) || ferror(page->out))
		fail(page, errno ? -errno : -EIO);
	return page->err;
}

void tide_page_print(struct tide_page *page, const char *fmt, ...)
{
	va_list args;

	if (page->err)
		return;
	va_start(args, fmt);
	errno = 0;
	if (vfprintf(page->out, fmt, args) < 0)
		fail(page, errno ? -errno : -EIO);
	va_end(args);
}

void tide_page_style(struct tide_page *page, enum tide_style style)
{
	if (page->colour)
		tide_page_print(page, "%s", styles[style]);
}

void tide_page_newline(struct tide_page *page)
{
	tide_page_print(page, "\n");
}

static FILE *paragraph_of(struct tide_page *page)
{
	if (!page->paragraph && !page->err) {
		page->paragraph = open_memstream(&page->text, &page->text_len);
		if (!page->paragraph)
			fail(page, -ENOMEM);
	}
	return page->paragraph;
}

void tide_page_add(struct tide_page *page, const char *fmt, ...)
{
	FILE *paragraph = paragraph_of(page);
	va_list args;

	if (!paragraph)
		return;
	va_start(args, fmt);
	if (vfprintf(paragraph, fmt, args) < 0)
		fail(page, -ENOMEM);
	va_end(args);
}

void tide_page_add_figure(struct tide_page *page, const char *figure)
{
	for (; *figure; figure++)
		tide_page_add(page, "%c", *figure == ' ' ? JOINT : *figure);
}

void tide_page_add_name(struct tide_page *page, const char *name, size_t max_columns)
{
	TIDE_AUTO_FREE char *printable = tide_utf8_printable(name ? name : "?");
	TIDE_AUTO_FREE char *cut = NULL;

	if (printable)
		cut = tide_utf8_cut_middle(printable, max_columns);
	if (cut)
		tide_page_add(page, "%s", cut);
	else
		fail(page, -ENOMEM);
}

static char *next_word(const char *text, size_t len)
{
	char *word = strndup(text, len);

	for (char *joint = word; joint && (joint = strchr(joint, JOINT));)
		*joint = ' ';
	return word;
}

/* Words are separated by single spaces; one that is wider than the page stands alone. */
static void wrap(struct tide_page *page, const char *text, size_t column, size_t indent)
{
	bool line_is_empty = true;

	while (*text) {
		size_t len = strcspn(text, " ");
		TIDE_AUTO_FREE char *word = next_word(text, len);
		size_t columns = word ? tide_utf8_columns(word) : 0;

		if (!word) {
			fail(page, -ENOMEM);
			return;
		}
		if (!line_is_empty && columns + 1 > page->width - column) {
			tide_page_print(page, "\n%*s", (int)indent, "");
			column = indent;
			line_is_empty = true;
		}
		tide_page_print(page, "%s%s", line_is_empty ? "" : " ", word);
		column += columns + !line_is_empty;
		if (column > page->width)
			column = page->width;
		line_is_empty = false;
		text += len;
		text += strspn(text, " ");
	}
}

void tide_page_end_paragraph(struct tide_page *page, size_t first_column, size_t indent)
{
	if (!page->paragraph)
		return;
	if (fclose(page->paragraph))
		fail(page, -ENOMEM);
	page->paragraph = NULL;
	if (!page->err)
		wrap(page, page->text, first_column < page->width ? first_column : page->width,
		     indent);
	tide_page_newline(page);
	free(page->text);
	page->text = NULL;
}
