#include "report/frame_name.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bpf/abi/event.h"
#include "encode/utf8.h"
#include "report/fold_table.h"
#include "report/short_name.h"

/* Fewer columns than this do not tell one function from another: the place goes first. */
#define MIN_FUNCTION_COLUMNS 12

/* Longest type parameter of Rust that is not a type of its own: "T", "&mut [u8]", "KeyType". */
#define MAX_PARAMETER_BYTES 64

/* Whether name, up to its arguments, is what the pattern says. One star is followed back at a time,
 * so the time is bounded by the product of the lengths.
 */
static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;

	for (;;) {
		if (*pattern == '*') {
			star = pattern++;
			retry = name;
			if (!*pattern)
				return true;
		} else if (!*pattern && (!*name || strchr("([<. @", *name))) {
			return true;
		} else if (*pattern && *pattern == *name) {
			pattern++;
			name++;
		} else if (star && *retry && !strchr("([<", *retry)) {
			pattern = star + 1;
			name = ++retry;
		} else {
			return false;
		}
	}
}

/* C++ templates begin with what they return: "std::vector<int> load<int>(int)" is load's. The last
 * blank before the arguments that is in no brackets ends it.
 */
static const char *skip_return_type(const char *function)
{
	const char *begin = function;
	size_t depth = 0;

	for (const char *at = function; *at; at++) {
		if (!depth && !strncmp(at, "operator", 8) && (at == begin || at[-1] == ':'))
			return begin;
		if (*at == '(' && !strncmp(at, "(anonymous namespace)", 21))
			at += 20;
		else if (*at == '(' && !depth)
			return at > function ? begin : function;
		else if (strchr("<({[", *at))
			depth++;
		else if (strchr(">)}]", *at) && depth && !(at > function && at[-1] == '-'))
			depth--;
		else if (*at == ' ' && !depth)
			begin = at + 1;
	}
	return function;
}

/* "<T as core::clone::Clone>::clone" is the library's, "<app::Row as core::clone::Clone>::clone"
 * the program's: a path names a type of a crate.
 */
static bool is_library_trait(const char *function)
{
	static const char *const crates[] = {"alloc::", "core::", "std::", "hashbrown::"};
	const char *as = *function == '<' ? strstr(function, " as ") : NULL;
	size_t len = as ? (size_t)(as - function) : 0;

	if (!as || len > MAX_PARAMETER_BYTES || memmem(function, len, "::", 2))
		return false;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(crates); i++)
		if (!strncmp(as + 4, crates[i], strlen(crates[i])))
			return true;
	return false;
}

static bool is_wrapper(const char *function)
{
	if (is_library_trait(function))
		return true;
	function = skip_return_type(function);
	for (size_t i = 0; i < TIDE_ARRAY_CNT(tide_fold_table); i++)
		if (matches(tide_fold_table[i], function))
			return true;
	return false;
}

static bool same_module(const struct tide_frame *a, const struct tide_frame *b)
{
	return a->module && b->module && !strcmp(a->module, b->module);
}

/* The first function that is no wrapper. Nameless frames before it are passed over only while they
 * lie in the same file: of a stripped program that a library calls back, the library's name would
 * blame the wrong one.
 */
const struct tide_frame *tide_site_frame(const struct tide_site_report *site)
{
	const struct tide_frame *nameless = NULL;

	for (size_t i = 0; i < site->frame_cnt; i++) {
		const struct tide_frame *frame = &site->frames[i];

		if (frame->function && is_wrapper(frame->function))
			continue;
		if (!frame->function) {
			nameless = nameless || !frame->module ? nameless : frame;
			continue;
		}
		return nameless && !same_module(nameless, frame) ? nameless : frame;
	}
	if (nameless)
		return nameless;
	return site->frame_cnt ? &site->frames[0] : NULL;
}

size_t tide_site_own_frames(const struct tide_site_report *site)
{
	/* glibc, then musl. */
	static const char *const starts[] = {
		"_start",
		"__libc_start_main",
		"__libc_start_main_impl",
		"__libc_start_call_main",
		"start_thread",
		"clone",
		"__clone",
		"clone3",
		"__clone3",
		"_start_c",
		"libc_start_main_stage2",
		"start",
	};
	size_t cnt = site->frame_cnt;

	while (cnt > 1) {
		const char *function = site->frames[cnt - 1].function;
		size_t i = 0;

		while (function && i < TIDE_ARRAY_CNT(starts) && strcmp(function, starts[i]))
			i++;
		if (!function || i == TIDE_ARRAY_CNT(starts))
			break;
		cnt--;
	}
	return cnt;
}

bool tide_site_stops_early(const struct tide_site_report *site)
{
	const char *outermost;

	if (site->stack_end == TIDE_STACK_COMPLETE)
		return false;
	if (!site->frame_cnt)
		return true;
	/* Something beyond the program's own frames was reached. */
	if (tide_site_own_frames(site) < site->frame_cnt)
		return false;
	outermost = site->frames[site->frame_cnt - 1].function;
	return !outermost || strcmp(outermost, "main");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

char *tide_frame_function(const struct tide_frame *frame, bool short_names)
{
	TIDE_AUTO_FREE char *module = NULL, *shorter = NULL;
	char *name;

	if (frame->function && short_names) {
		shorter = tide_short_name(frame->function);
		return shorter ? tide_utf8_printable(shorter) : NULL;
	}
	if (frame->function)
		return tide_utf8_printable(frame->function);
	if (!frame->module)
		return asprintf(&name, "0x%" PRIx64, frame->offset) < 0 ? NULL : name;
	module = tide_utf8_printable(base_name(frame->module));
	if (!module || asprintf(&name, "%s+0x%" PRIx64, module, frame->offset) < 0)
		return NULL;
	return name;
}

char *tide_frame_place(const struct tide_frame *frame)
{
	TIDE_AUTO_FREE char *file = NULL;
	char *place;

	if (!frame->file && !frame->function)
		return strdup("");
	if (!frame->file)
		return tide_utf8_printable(frame->module ? base_name(frame->module) : "");
	file = tide_utf8_printable(base_name(frame->file));
	if (!file || !frame->line)
		return TIDE_TAKE_PTR(file);
	return asprintf(&place, "%s:%" PRIu32, file, frame->line) < 0 ? NULL : place;
}

char *tide_site_label(const struct tide_site_report *site, size_t max_columns, bool short_names)
{
	const struct tide_frame *frame = tide_site_frame(site);
	TIDE_AUTO_FREE char *function = NULL, *place = NULL, *cut = NULL;
	size_t place_columns;
	char *label;

	if (!frame)
		return strdup("(no stack)");
	function = tide_frame_function(frame, short_names);
	place = tide_frame_place(frame);
	if (!function || !place)
		return NULL;
	/* " (" and ")" around it. */
	place_columns = *place ? tide_utf8_columns(place) + 3 : 0;
	if (place_columns + MIN_FUNCTION_COLUMNS > max_columns &&
	    place_columns + tide_utf8_columns(function) > max_columns)
		place_columns = 0;
	cut = tide_utf8_cut_middle(function, max_columns - place_columns);
	if (!cut || !place_columns)
		return TIDE_TAKE_PTR(cut);
	return asprintf(&label, "%s (%s)", cut, place) < 0 ? NULL : label;
}
