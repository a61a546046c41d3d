/* Our own walk over DWARF's tree.
 *
 *   unit  [0x1000, 0x9000) ──► functions of the unit, sorted      (built when first needed)
 *                               main   [0x1000, 0x1200) ──► DIE
 *                               insert [0x1200, 0x1800) ──► DIE ─┬ lexical block
 *                                                                │  └ inlined resize  call_line 120
 *                                                                │     └ inlined grow call_line 88
 *                                                                └ ...
 *
 * libdw could find the unit itself, but only through .debug_aranges, which clang and rustc do not
 * write; and its dwarf_getscopes() recurses as deep as the file says. An address inside `grow`
 * yields three levels: grow at the line table's position, resize at grow's call_line, insert at
 * resize's call_line.
 *
 * The file is the target's and may be hostile: sibling references may point backwards and blocks
 * may nest without end. Hence a fixed stack instead of recursion and a budget on every walk.
 */
#include "symbolize/dwarf.h"

#include <dwarf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Deepest nesting of namespaces, classes and functions in which functions are looked for. */
#define MAX_NESTING 64
/* DIEs visited to index one unit, and to follow one address within its function. */
#define UNIT_BUDGET	(32U << 20)
#define FUNCTION_BUDGET (1U << 20)
/* Ranges that overlap an address: so many are looked at. */
#define MAX_STEPS_BACK 16

struct range {
	Dwarf_Addr start, end; /* [start, end) */
	uint64_t value;	       /* a unit's index or a DIE's offset */
};

struct ranges {
	struct range *items;
	size_t cnt, capacity;
};

struct unit {
	Dwarf_Off die_off;
	struct ranges functions;
	bool indexed;
};

struct tide_dwarf {
	Dwarf *dwarf;
	struct unit *units;
	size_t unit_cnt, unit_capacity;
	struct ranges unit_ranges;
	size_t range_cnt; /* of all tables together */
};

static int ranges_add(struct tide_dwarf *index, struct ranges *ranges, struct range added)
{
	if (index->range_cnt >= TIDE_DWARF_MAX_RANGES)
		return -ENOSPC;
	if (ranges->cnt == ranges->capacity) {
		size_t capacity = ranges->capacity ? ranges->capacity * 2 : 16;
		struct range *items = reallocarray(ranges->items, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		ranges->items = items;
		ranges->capacity = capacity;
	}
	ranges->items[ranges->cnt++] = added;
	index->range_cnt++;
	return 0;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end == b->end ? 0 : a->end < b->end ? -1 : 1;
}

static void ranges_sort(struct ranges *ranges)
{
	if (ranges->cnt)
		qsort(ranges->items, ranges->cnt, sizeof(*ranges->items), compare_ranges);
}

static const struct range *ranges_find(const struct ranges *ranges, Dwarf_Addr addr)
{
	size_t low = 0, high = ranges->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ranges->items[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t step = 0; step < MAX_STEPS_BACK && step < low; step++) {
		const struct range *range = &ranges->items[low - 1 - step];

		if (addr < range->end)
			return range;
	}
	return NULL;
}

/* All address ranges of a DIE into a table. */
static int add_die_ranges(struct tide_dwarf *index, struct ranges *ranges, Dwarf_Die *die,
			  uint64_t value)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t off = 0;

	while ((off = dwarf_ranges(die, off, &base, &start, &end)) > 0) {
		int r;

		/* What the linker threw away stands at 0. */
		if (!start || end <= start)
			continue;
		r = ranges_add(index, ranges, (struct range){start, end, value});
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_unit(struct tide_dwarf *index, Dwarf_Die *die)
{
	if (index->unit_cnt == index->unit_capacity) {
		size_t capacity = index->unit_capacity ? index->unit_capacity * 2 : 64;
		struct unit *units = reallocarray(index->units, capacity, sizeof(*units));

		if (!units)
			return -ENOMEM;
		index->units = units;
		index->unit_capacity = capacity;
	}
	index->units[index->unit_cnt] = (struct unit){.die_off = dwarf_dieoffset(die)};
	return add_die_ranges(index, &index->unit_ranges, die, index->unit_cnt++);
}

static int index_units(struct tide_dwarf *index)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t unit_type;

	/* Without a place for the split unit libdw opens no .dwo file by a name that the target
	 * chose.
	 */
	while (dwarf_get_units(index->dwarf, cu, &cu, NULL, &unit_type, &die, NULL) == 0) {
		int r;

		if (unit_type != DW_UT_compile && unit_type != DW_UT_skeleton)
			continue;
		r = add_unit(index, &die);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			break;
	}
	ranges_sort(&index->unit_ranges);
	return 0;
}

int tide_dwarf_new(Dwarf *dwarf, struct tide_dwarf **ret)
{
	struct tide_dwarf *index = calloc(1, sizeof(*index));
	int r;

	if (!index)
		return -ENOMEM;
	index->dwarf = dwarf;
	r = index_units(index);
	if (r < 0) {
		tide_dwarf_free(&index);
		return r;
	}
	*ret = index;
	return 0;
}

void tide_dwarf_free(struct tide_dwarf **index)
{
	struct tide_dwarf *gone = *index;

	if (!gone)
		return;
	for (size_t i = 0; i < gone->unit_cnt; i++)
		free(gone->units[i].functions.items);
	free(gone->units);
	free(gone->unit_ranges.items);
	free(gone);
	*index = NULL;
}

/* The next DIE on the same level. A sibling reference that leads backwards ends the level. */
static bool next_sibling(Dwarf_Die *die, Dwarf_Die *ret)
{
	return dwarf_siblingof(die, ret) == 0 && dwarf_dieoffset(ret) > dwarf_dieoffset(die);
}

/* A walk in document order with a stack of our own. */
struct walk {
	Dwarf_Die path[MAX_NESTING];
	int depth; /* -1: at the end */
	uint32_t budget;
};

/* Goes on to the next DIE: into this one's children when `into`, else to what follows it. */
static void walk_next(struct walk *walk, bool into)
{
	Dwarf_Die *here = &walk->path[walk->depth];

	if (!walk->budget--) {
		walk->depth = -1;
		return;
	}
	if (into && walk->depth + 1 < MAX_NESTING && dwarf_child(here, here + 1) == 0) {
		walk->depth++;
		return;
	}
	while (walk->depth >= 0) {
		Dwarf_Die next;

		here = &walk->path[walk->depth];
		if (next_sibling(here, &next)) {
			*here = next;
			return;
		}
		walk->depth--;
	}
}

static bool walk_start(struct walk *walk, Dwarf_Die *parent, uint32_t budget)
{
	walk->depth = dwarf_child(parent, &walk->path[0]) == 0 ? 0 : -1;
	walk->budget = budget;
	return walk->depth == 0;
}

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
		return true;
	default:
		return false;
	}
}

/* A unit whose table could not be built whole answers from what it has. */
static void index_functions(struct tide_dwarf *index, struct unit *unit, Dwarf_Die *unit_die)
{
	struct walk walk;

	unit->indexed = true;
	for (walk_start(&walk, unit_die, UNIT_BUDGET); walk.depth >= 0;) {
		Dwarf_Die *die = &walk.path[walk.depth];
		int tag = dwarf_tag(die);

		if (tag == DW_TAG_subprogram &&
		    add_die_ranges(index, &unit->functions, die, dwarf_dieoffset(die)) < 0)
			break;
		walk_next(&walk, may_hold_functions(tag));
	}
	ranges_sort(&unit->functions);
}

/* The inlined functions around addr within one function. */
struct scopes {
	Dwarf_Die *dies; /* [0] is the function itself, the innermost inlined one last */
	size_t cnt, max_cnt;
};

static bool is_scope(int tag)
{
	return tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* Scopes nest and their siblings do not overlap: each one that holds addr is entered, and what
 * follows it on the same level is never needed.
 */
static void find_scopes(Dwarf_Die *function, Dwarf_Addr addr, struct scopes *scopes)
{
	uint32_t budget = FUNCTION_BUDGET;
	Dwarf_Die die, next;
	bool more;

	scopes->dies[0] = *function;
	scopes->cnt = 1;
	more = dwarf_child(function, &die) == 0;
	while (more && budget-- && scopes->cnt < scopes->max_cnt) {
		int tag = dwarf_tag(&die);

		if (is_scope(tag) && dwarf_haspc(&die, addr) > 0) {
			if (tag == DW_TAG_inlined_subroutine)
				scopes->dies[scopes->cnt++] = die;
			more = dwarf_child(&die, &next) == 0;
		} else {
			more = next_sibling(&die, &next);
		}
		die = next;
	}
}

static const char *string_attr(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute attr;
	const char *text;

	/* Follows abstract origins and specifications, 16 at most. */
	if (!dwarf_attr_integrate(die, attribute, &attr))
		return NULL;
	text = dwarf_formstring(&attr);
	return text && *text ? text : NULL;
}

/* The linkage name has a C++ or Rust function's full path; in C it is but an alias that the
 * source does not show (glibc: "__GI_qsort").
 */
static const char *name_of(Dwarf_Die *die)
{
	const char *linkage = string_attr(die, DW_AT_linkage_name);

	if (!linkage)
		linkage = string_attr(die, DW_AT_MIPS_linkage_name);
	if (linkage && (!strncmp(linkage, "_Z", 2) || !strncmp(linkage, "_R", 2)))
		return linkage;
	return string_attr(die, DW_AT_name);
}

static bool unsigned_attr(Dwarf_Die *die, unsigned int attribute, uint32_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr(die, attribute, &attr) || dwarf_formudata(&attr, &value) ||
	    value > UINT32_MAX)
		return false;
	*ret = value;
	return true;
}

/* Up to DWARF 4 files are counted from 1, and 0 means none; since 5 they are counted from 0. */
static uint32_t first_file_of(Dwarf_Die *unit_die)
{
	Dwarf_Half version = 0;

	if (dwarf_cu_info(unit_die->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL))
		return 1;
	return version < 5;
}

static void set_call_site(struct tide_dwarf_level *level, Dwarf_Die *unit_die, Dwarf_Die *inlined)
{
	Dwarf_Files *files;
	size_t file_cnt;
	uint32_t file;

	level->line = 0;
	level->file = NULL;
	(void)unsigned_attr(inlined, DW_AT_call_line, &level->line); /* else unknown */
	if (unsigned_attr(inlined, DW_AT_call_file, &file) && file >= first_file_of(unit_die) &&
	    dwarf_getsrcfiles(unit_die, &files, &file_cnt) == 0 && file < file_cnt)
		level->file = dwarf_filesrc(files, file, NULL, NULL);
}

static void set_position(struct tide_dwarf_level *level, Dwarf_Die *unit_die, Dwarf_Addr addr)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit_die, addr);
	int line_nr = 0;

	level->file = NULL;
	level->line = 0;
	if (!line)
		return;
	level->file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &line_nr) == 0 && line_nr > 0)
		level->line = line_nr;
}

static size_t fill_levels(const struct scopes *scopes, Dwarf_Die *unit_die, Dwarf_Addr addr,
			  struct tide_dwarf_level *ret)
{
	set_position(&ret[0], unit_die, addr);
	for (size_t i = 0; i < scopes->cnt; i++) {
		Dwarf_Die *die = &scopes->dies[scopes->cnt - 1 - i];

		ret[i].name = name_of(die);
		if (i + 1 < scopes->cnt)
			set_call_site(&ret[i + 1], unit_die, die);
	}
	return scopes->cnt;
}

size_t tide_dwarf_find(struct tide_dwarf *index, Dwarf_Addr addr, struct tide_dwarf_level *ret,
		       size_t max_cnt)
{
	const struct range *range = ranges_find(&index->unit_ranges, addr);
	Dwarf_Die unit_die, function, dies[MAX_NESTING];
	struct scopes scopes = {dies, 0, max_cnt < MAX_NESTING ? max_cnt : MAX_NESTING};
	struct unit *unit;

	if (!range)
		return 0;
	unit = &index->units[range->value];
	if (!dwarf_offdie(index->dwarf, unit->die_off, &unit_die))
		return 0;
	if (!unit->indexed)
		index_functions(index, unit, &unit_die);
	range = ranges_find(&unit->functions, addr);
	if (!range || !dwarf_offdie(index->dwarf, range->value, &function)) {
		ret[0].name = NULL;
		set_position(&ret[0], &unit_die, addr);
		return ret[0].file ? 1 : 0;
	}
	find_scopes(&function, addr, &scopes);
	return fill_levels(&scopes, &unit_die, addr, ret);
}
