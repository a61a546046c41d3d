/* Lines of a text report: wrapping, colours, names made safe.
 *
 * Owns: the paragraph being collected. Never: lets a byte of a foreign name reach the terminal
 * before it has been made printable; cuts numbers.
 * Threads: one user at a time. Memory: one paragraph.
 *
 * A paragraph is collected piece by piece and written when it is complete:
 *     tide_page_add(), tide_page_add_name(), ... then tide_page_end_paragraph().
 * Errors (no memory, the stream's) stay in err; everything after the first does nothing.
 */
#ifndef TIDE_REPORT_PAGE_H
#define TIDE_REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum tide_style {
	TIDE_STYLE_PLAIN,
	TIDE_STYLE_STRONG, /* titles */
	TIDE_STYLE_FAINT,  /* labels */
	TIDE_STYLE_ALARM,  /* high-water */
	TIDE_STYLE_WARN,   /* growing; what was lost */
	TIDE_STYLE_GOOD,   /* released */
};

struct tide_page {
	FILE *out;
	size_t width; /* SIZE_MAX: lines are not wrapped */
	bool colour;
	int err; /* 0 or -errno */
	FILE *paragraph;
	char *text;
	size_t text_len;
};

void tide_page_init(struct tide_page *page, FILE *out, uint32_t width, bool colour);
/* Flushes the stream and frees what is left. Returns err. */
int tide_page_done(struct tide_page *page);

/* Straight to the page. */
void tide_page_print(struct tide_page *page, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void tide_page_style(struct tide_page *page, enum tide_style style);
void tide_page_newline(struct tide_page *page);

/* To the paragraph. */
void tide_page_add(struct tide_page *page, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A number with its unit, which no line break separates. */
void tide_page_add_figure(struct tide_page *page, const char *figure);
/* A foreign name, cut in its middle beyond max_columns. "?" for NULL. */
void tide_page_add_name(struct tide_page *page, const char *name, size_t max_columns);
/* Writes the paragraph: the page is at first_column, further lines begin at indent. */
void tide_page_end_paragraph(struct tide_page *page, size_t first_column, size_t indent);

#endif
