/* Go's runtime needs its functions' names and lines for its own tracebacks, so that they are in
 *every binary, whatever -s, -w or strip took away:
 *
 *	header     magic, 0, 0, quantum, 8 │ functions, files │ [text] │ offsets of the parts:
 *	names      "main.load\0main.main\0..."
 *	units      file offsets of each compilation unit, 32 bits each
 *	files      "/src/batch.go\0..."
 *	values     programs (below)
 *	functions  (address, offset of record) ..., (end) ─┐
 *	           records: address, name, ..., file and   ◄┘
 *	                    line programs, ..., unit
 *
 * A program is pairs of varints: (zig-zag step of the value, step of the address); the value, from
 * -1 on, holds until the address. Addresses are 8 bytes in Go 1.16 and 1.17, since 1.18 4 bytes
 * counted from `text`.
 *
 * Layouts: Go's src/debug/gosym/pclntab.go, src/runtime/symtab.go (pcHeader, functab) and
 * runtime2.go (_func) of 1.16, 1.18, 1.19, 1.20. A function inlined into another is not named:
 * its tree hangs on the runtime's module data, which a stripped file does not locate.
 */
#include "symbolize/gopclntab.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define MAGIC_1_16 0xfffffffaU
#define MAGIC_1_18 0xfffffff0U
#define MAGIC_1_20 0xfffffff1U

#define HEADER_BYTES  72 /* the longer one, of 1.18; every real table goes on far behind it */
#define MAX_FUNCTIONS (64U << 20)
/* Pairs of a program: so many are followed. */
#define PROGRAM_BUDGET (1U << 20)
#define NO_FILE	       UINT32_MAX

/* Fields of a function's record, in bytes behind its address. */
#define RECORD_NAME	 0
#define RECORD_FILE_PROG 16
#define RECORD_LINE_PROG 20
#define RECORD_UNIT	 28

static bool read_u32(const struct tide_gopclntab_part *part, uint64_t off, uint32_t *ret)
{
	if (part->len < sizeof(*ret) || off > part->len - sizeof(*ret))
		return false;
	memcpy(ret, part->bytes + off, sizeof(*ret));
	*ret = le32toh(*ret);
	return true;
}

static bool read_u64(const struct tide_gopclntab_part *part, uint64_t off, uint64_t *ret)
{
	if (part->len < sizeof(*ret) || off > part->len - sizeof(*ret))
		return false;
	memcpy(ret, part->bytes + off, sizeof(*ret));
	*ret = le64toh(*ret);
	return true;
}

/* Parts reach to the end of the table: where the next one begins is not theirs to say. */
static bool find_part(const struct tide_gopclntab_part *table, uint64_t header_off,
		      struct tide_gopclntab_part *ret)
{
	uint64_t off;

	if (!read_u64(table, header_off, &off) || off >= table->len)
		return false;
	*ret = (struct tide_gopclntab_part){table->bytes + off, table->len - off};
	return true;
}

int tide_gopclntab_init(struct tide_gopclntab *tab, const void *bytes, size_t len)
{
	struct tide_gopclntab_part table = {bytes, len};
	uint64_t parts_off = 24;
	uint32_t magic;

	*tab = (struct tide_gopclntab){.field_bytes = 8, .text_known = true};
	if (len < HEADER_BYTES || !read_u32(&table, 0, &magic))
		return -EBADMSG;
	tab->quantum = table.bytes[6];
	if (table.bytes[4] || table.bytes[5] || table.bytes[7] != 8 ||
	    (tab->quantum != 1 && tab->quantum != 2 && tab->quantum != 4))
		return -EBADMSG;
	if (magic == MAGIC_1_18 || magic == MAGIC_1_20) {
		(void)read_u64(&table, TIDE_GOPCLNTAB_TEXT_OFF, &tab->text_vaddr);
		tab->text_known = tab->text_vaddr != 0;
		tab->field_bytes = 4;
		parts_off = TIDE_GOPCLNTAB_TEXT_OFF + 8;
	} else if (magic != MAGIC_1_16) {
		return -EBADMSG;
	}
	if (!read_u64(&table, 8, &tab->function_cnt) || !tab->function_cnt ||
	    tab->function_cnt > MAX_FUNCTIONS || !find_part(&table, parts_off, &tab->names) ||
	    !find_part(&table, parts_off + 8, &tab->units) ||
	    !find_part(&table, parts_off + 16, &tab->files) ||
	    !find_part(&table, parts_off + 24, &tab->values) ||
	    !find_part(&table, parts_off + 32, &tab->functions) ||
	    (tab->function_cnt * 2 + 1) * tab->field_bytes > tab->functions.len)
		return -EBADMSG;
	return 0;
}

/* The n-th word of the function table, whose length init has checked. */
static uint64_t function_word(const struct tide_gopclntab *tab, uint64_t n)
{
	uint64_t word = 0;
	uint32_t half = 0;

	if (tab->field_bytes == 4) {
		(void)read_u32(&tab->functions, n * 4, &half);
		return half;
	}
	(void)read_u64(&tab->functions, n * 8, &word);
	return word;
}

/* The index of the last function that begins at or before off, which is in the table's terms. */
static bool find_function(const struct tide_gopclntab *tab, uint64_t off, uint64_t *ret)
{
	uint64_t low = 0, high = tab->function_cnt;

	if (off < function_word(tab, 0) || off >= function_word(tab, 2 * tab->function_cnt))
		return false;
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (function_word(tab, 2 * mid) <= off)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return false;
	*ret = low - 1;
	return true;
}

/* A string that ends within its part and is not empty. */
static const char *string_at(const struct tide_gopclntab_part *part, uint32_t off)
{
	if (off >= part->len || !part->bytes[off] ||
	    !memchr(part->bytes + off, '\0', part->len - off))
		return NULL;
	return (const char *)part->bytes + off;
}

static bool read_varint(const struct tide_gopclntab_part *part, uint64_t *at, uint32_t *ret)
{
	uint32_t value = 0;

	for (unsigned int shift = 0; shift < 32 && *at < part->len; shift += 7) {
		uint8_t byte = part->bytes[(*at)++];

		value |= (uint32_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* Runs the program at prog_off up to `delta` bytes into the function. */
static bool run_program(const struct tide_gopclntab *tab, uint32_t prog_off, uint64_t delta,
			uint32_t *ret)
{
	uint64_t at = prog_off, reached = 0;
	uint32_t value = UINT32_MAX; /* -1 */

	for (uint32_t step = 0; step < PROGRAM_BUDGET; step++) {
		uint32_t zigzag, advance;

		if (!read_varint(&tab->values, &at, &zigzag) || (!zigzag && step) ||
		    !read_varint(&tab->values, &at, &advance))
			return false;
		value += zigzag & 1 ? ~(zigzag >> 1) : zigzag >> 1;
		reached += (uint64_t)advance * tab->quantum;
		if (delta < reached) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static void find_place(const struct tide_gopclntab *tab, uint64_t record, uint64_t delta,
		       struct tide_gopclntab_name *ret)
{
	uint32_t program, unit, file, line, file_off;

	if (read_u32(&tab->functions, record + RECORD_LINE_PROG, &program) && program &&
	    run_program(tab, program, delta, &line) && line <= INT32_MAX)
		ret->line = line;
	if (!read_u32(&tab->functions, record + RECORD_FILE_PROG, &program) || !program ||
	    !run_program(tab, program, delta, &file) || file > INT32_MAX ||
	    !read_u32(&tab->functions, record + RECORD_UNIT, &unit) ||
	    !read_u32(&tab->units, ((uint64_t)unit + file) * 4, &file_off) || file_off == NO_FILE)
		return;
	ret->file = string_at(&tab->files, file_off);
}

bool tide_gopclntab_find(const struct tide_gopclntab *tab, uint64_t vaddr,
			 struct tide_gopclntab_name *ret)
{
	uint64_t off = vaddr - tab->text_vaddr, function, record;
	uint32_t name;

	if (vaddr < tab->text_vaddr || !find_function(tab, off, &function))
		return false;
	record = function_word(tab, 2 * function + 1);
	if (record >= tab->functions.len)
		return false;
	record += tab->field_bytes; /* the record begins with the address */
	if (!read_u32(&tab->functions, record + RECORD_NAME, &name))
		return false;
	*ret = (struct tide_gopclntab_name){.function = string_at(&tab->names, name)};
	find_place(tab, record, off - function_word(tab, 2 * function), ret);
	return ret->function || ret->file;
}
