#include "report/frame_name.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bpf/abi/event.h"
#include "encode/utf8.h"

/* Fewer columns than this do not tell one function from another: the place goes first. */
#define MIN_FUNCTION_COLUMNS 12

/* Beginnings of names that only pass a request on. Those that end in a letter or digit must match
 * the whole name (up to its arguments).
 */
static const char *const wrappers[] = {
	"operator new",
	"std::",
	"__gnu_cxx::",
	"alloc::",
	"<alloc::",
	"core::",
	"<core::",
	"hashbrown::",
	"<hashbrown::",
	"__rust_",
	"__rdl_",
	"__rg_",
	"_Zn",
	"xmalloc",
	"xcalloc",
	"xrealloc",
	"xstrdup",
	"xzalloc",
	"g_malloc",
	"g_malloc0",
	"g_realloc",
	"g_try_malloc",
	"g_slice_alloc",
	"PyMem_Malloc",
	"PyMem_RawMalloc",
	"PyMem_Realloc",
	"PyMem_Calloc",
	"PyObject_Malloc",
	"PyObject_Realloc",
	"_PyMem_",
	"_PyObject_Malloc",
	"_PyObject_Realloc",
	"_PyObject_Calloc",
	"strdup",
	"strndup",
	"asprintf",
	"vasprintf",
	"zmalloc",
	"zcalloc",
	"zrealloc",
	"ztrymalloc",
	"ztryrealloc",
	"je_malloc",
};

/* C++ templates begin with what they return: "void std::vector<int>::reserve(...)". */
static const char *skip_return_type(const char *function)
{
	const char *space = strchr(function, ' ');

	if (!strncmp(function, "operator", 8) || !space || !strchr(function, '('))
		return function;
	return strcspn(function, "<(") > (size_t)(space - function) ? space + 1 : function;
}

static bool is_wrapper(const char *function)
{
	function = skip_return_type(function);
	for (size_t i = 0; i < TIDE_ARRAY_CNT(wrappers); i++) {
		size_t len = strlen(wrappers[i]);
		char last = wrappers[i][len - 1], next;

		if (strncmp(function, wrappers[i], len))
			continue;
		next = function[len];
		if (last == ':' || last == '_' || !next || strchr("([ @.", next))
			return true;
	}
	return false;
}

const struct tide_frame *tide_site_frame(const struct tide_site_report *site)
{
	for (size_t i = 0; i < site->frame_cnt; i++)
		if (site->frames[i].function && !is_wrapper(site->frames[i].function))
			return &site->frames[i];
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

char *tide_frame_function(const struct tide_frame *frame)
{
	TIDE_AUTO_FREE char *module = NULL;
	char *name;

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

char *tide_site_label(const struct tide_site_report *site, size_t max_columns)
{
	const struct tide_frame *frame = tide_site_frame(site);
	TIDE_AUTO_FREE char *function = NULL, *place = NULL, *cut = NULL;
	size_t place_columns;
	char *label;

	if (!frame)
		return strdup("(no stack)");
	function = tide_frame_function(frame);
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
