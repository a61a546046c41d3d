/* Tables made here in each layout, and those of programs that the Go toolchain built, if there is
 * one.
 */
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/util.h"
#include "symbolize/gopclntab.h"
#include "symbolize/module.h"

#define TABLE_BYTES 1024
#define TEXT	    0x401000

/* Where the parts of our tables begin. */
enum { NAMES = 128, UNITS = 192, FILES = 224, VALUES = 288, FUNCTIONS = 320 };

struct table {
	uint8_t bytes[TABLE_BYTES];
	struct tide_gopclntab tab;
};

static void put(struct table *table, size_t off, uint64_t value, size_t len)
{
	assert_true(off + len <= TABLE_BYTES);
	for (size_t i = 0; i < len; i++)
		table->bytes[off + i] = (uint8_t)(value >> 8 * i);
}

/* Two functions: main.load, 0x40 bytes from batch.go:10, then line 12; main.main, 0x20 bytes. */
static void make_table(struct table *table, uint32_t magic, uint64_t text)
{
	static const uint8_t programs[] = {0,	 /* no program at 0 */
					   22,	 /* -1 + 11 = 10 */
					   0x10, /* until 0x10 */
					   4,	 /* + 2 = 12 */
					   0x30, /* until 0x40 */
					   0,	 /* end */
					   2,	 /* -1 + 1 = 0 */
					   0x40, /* until 0x40 */
					   0};
	bool old = magic == 0xfffffffa;
	size_t field = old ? 8 : 4, at = 24;
	uint64_t base = old ? text : 0;
	static const uint64_t parts[] = {NAMES, UNITS, FILES, VALUES, FUNCTIONS};

	memset(table->bytes, 0, sizeof(table->bytes));
	put(table, 0, magic, 4);
	table->bytes[6] = 1;
	table->bytes[7] = 8;
	put(table, 8, 2, 8);
	put(table, 16, 1, 8);
	if (!old) {
		put(table, at, text, 8);
		at += 8;
	}
	for (size_t i = 0; i < TIDE_ARRAY_CNT(parts); i++)
		put(table, at + 8 * i, parts[i], 8);
	memcpy(table->bytes + NAMES, "\0main.load\0main.main", 21);
	put(table, UNITS + 4, 1, 4); /* unit 1, its file 0 */
	memcpy(table->bytes + FILES, "\0/src/batch.go", 15);
	memcpy(table->bytes + VALUES, programs, sizeof(programs));
	put(table, FUNCTIONS, base, field);
	put(table, FUNCTIONS + field, 64, field);
	put(table, FUNCTIONS + 2 * field, base + 0x40, field);
	put(table, FUNCTIONS + 3 * field, 128, field);
	put(table, FUNCTIONS + 4 * field, base + 0x60, field);
	for (size_t i = 0; i < 2; i++) {
		size_t record = FUNCTIONS + 64 * (i + 1);

		put(table, record, base + 0x40 * i, field);
		put(table, record + field, i ? 11 : 1, 4);
		put(table, record + field + 16, 6, 4);
		put(table, record + field + 20, 1, 4);
		put(table, record + field + 28, 1, 4);
	}
}

static void assert_found(struct table *table, uint64_t vaddr, const char *function, uint32_t line)
{
	struct tide_gopclntab_name name;

	assert_true(tide_gopclntab_find(&table->tab, vaddr, &name));
	assert_string_equal(name.function, function);
	assert_string_equal(name.file, "/src/batch.go");
	assert_int_equal(name.line, line);
}

static void every_layout_is_read(void **state)
{
	static const uint32_t magics[] = {0xfffffffa, 0xfffffff0, 0xfffffff1};
	struct tide_gopclntab_name name;
	struct table table;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(magics); i++) {
		make_table(&table, magics[i], TEXT);
		assert_ok(tide_gopclntab_init(&table.tab, table.bytes, sizeof(table.bytes)));
		assert_true(table.tab.text_known);
		assert_found(&table, TEXT, "main.load", 10);
		assert_found(&table, TEXT + 0xf, "main.load", 10);
		assert_found(&table, TEXT + 0x10, "main.load", 12);
		assert_found(&table, TEXT + 0x3f, "main.load", 12);
		assert_found(&table, TEXT + 0x40, "main.main", 10);
		assert_false(tide_gopclntab_find(&table.tab, TEXT - 1, &name));
		assert_false(tide_gopclntab_find(&table.tab, TEXT + 0x60, &name));
		assert_false(tide_gopclntab_find(&table.tab, 0, &name));
		assert_false(tide_gopclntab_find(&table.tab, UINT64_MAX, &name));
	}
}

static void a_start_left_to_relocation_is_said_to_be(void **state)
{
	struct table table;

	(void)state;
	make_table(&table, 0xfffffff1, 0);
	assert_ok(tide_gopclntab_init(&table.tab, table.bytes, sizeof(table.bytes)));
	assert_false(table.tab.text_known);
	table.tab.text_vaddr = 0x1000;
	assert_found(&table, 0x1040, "main.main", 10);
}

static void other_tables_are_refused(void **state)
{
	static const struct {
		size_t off;
		uint64_t value;
		size_t len;
	} damages[] = {
		{0, 0xfffffffb, 4}, /* Go 1.2 to 1.15 */
		{0, 0xfbffffff, 4}, /* big-endian */
		{4, 1, 1},	    {6, 3, 1},	    {7, 4, 1},
		{8, 0, 8},	    {8, 1000, 8},   {8, -1ULL, 8},
		{32, 2000, 8},	    {40, -1ULL, 8}, {64, TABLE_BYTES, 8},
	};
	struct table table;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(damages); i++) {
		make_table(&table, 0xfffffff1, TEXT);
		put(&table, damages[i].off, damages[i].value, damages[i].len);
		assert_errno(tide_gopclntab_init(&table.tab, table.bytes, sizeof(table.bytes)),
			     EBADMSG);
	}
	make_table(&table, 0xfffffff1, TEXT);
	for (size_t len = 0; len < FUNCTIONS; len++)
		assert_errno(tide_gopclntab_init(&table.tab, table.bytes, len), EBADMSG);
}

static void what_points_outside_is_unknown(void **state)
{
	static const struct {
		size_t off;
		uint32_t value;
	} damages[] = {
		{FUNCTIONS + 4, 5000},	     /* the record */
		{FUNCTIONS + 64 + 4, 900},   /* the name: zeros */
		{FUNCTIONS + 64 + 20, 5000}, /* the file's program */
		{FUNCTIONS + 64 + 24, 5000}, /* the line's program */
		{FUNCTIONS + 64 + 32, -1U},  /* the unit */
		{UNITS + 4, -1U},	     /* no file */
		{UNITS + 4, 5000},
	};
	struct tide_gopclntab_name name;
	struct table table;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(damages); i++) {
		make_table(&table, 0xfffffff1, TEXT);
		put(&table, damages[i].off, damages[i].value, 4);
		assert_ok(tide_gopclntab_init(&table.tab, table.bytes, sizeof(table.bytes)));
		if (tide_gopclntab_find(&table.tab, TEXT, &name))
			assert_true(!name.function || !name.file || !name.line);
	}
}

/* ---- a real program, which says itself what the runtime takes its code for ---- */

static const char program[] =
	"package main\n"
	"import (\"bufio\"; \"fmt\"; \"os\"; \"runtime\"; \"strings\")\n"
	"func main() {\n"
	"	maps, _ := os.Open(\"/proc/self/maps\")\n"
	"	exe, _ := os.Executable()\n"
	"	lines := bufio.NewScanner(maps)\n"
	"	for lines.Scan() {\n"
	"		var start, end, off uintptr\n"
	"		var flags string\n"
	"		fmt.Sscanf(lines.Text(), \"%x-%x %s %x\", &start, &end, &flags, &off)\n"
	"		if flags != \"r-xp\" || !strings.HasSuffix(lines.Text(), exe) { continue }\n"
	"		for pc := start + 1; pc < end; pc += 211 {\n"
	"			f := runtime.FuncForPC(pc)\n"
	"			if f == nil { continue }\n"
	"			file, line := f.FileLine(pc)\n"
	"			name := runtime.FuncForPC(f.Entry()).Name()\n"
	"			fmt.Printf(\"%x %s %d %s\\n\", pc-start+off, file, line, name)\n"
	"		}\n"
	"	}\n"
	"}\n";

static void run(const char *format, const char *dir)
{
	char command[1024];

	snprintf(command, sizeof(command), format, dir, dir, dir);
	assert_int_equal(system(command), 0);
}

struct agreement {
	unsigned int asked, names, places;
};

static void compare_line(struct tide_name_module *module, const char *line,
			 struct agreement *agreement)
{
	struct tide_dwarf_level level = {0};
	char file[512], name[512];
	unsigned long off;
	uint32_t line_nr;

	if (sscanf(line, "%lx %511s %u %511[^\n]", &off, file, &line_nr, name) != 4)
		return;
	agreement->asked++;
	if (!tide_name_module_find(module, off, &level, 1))
		return;
	agreement->names += level.name && !strcmp(level.name, name);
	/* Padding behind a function is in no file, which the runtime calls "?". */
	agreement->places += level.line == line_nr && !strcmp(level.file ? level.file : "?", file);
}

static void compare_program(const char *dir)
{
	struct tide_name_module *module = NULL;
	struct agreement agreement = {0};
	char path[256], line[2048];
	FILE *truth;
	int fd;

	snprintf(path, sizeof(path), "%s/p", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(tide_name_module_new(path, fd, false, &module));
	truth = popen(path, "r");
	assert_non_null(truth);
	while (fgets(line, sizeof(line), truth))
		compare_line(module, line, &agreement);
	assert_int_equal(pclose(truth), 0);
	print_message("%u addresses: %u functions, %u places agree\n", agreement.asked,
		      agreement.names, agreement.places);
	assert_true(agreement.asked > 1000);
	assert_int_equal(agreement.places, agreement.asked);
	/* The runtime names what is inlined at a function's very beginning instead of it. */
	assert_true(agreement.names > agreement.asked * 0.97);
	tide_name_module_free(&module);
	close(fd);
}

static void stripped_go_programs_keep_their_names(void **state)
{
	static const char *const modes[] = {"exe", "pie"};
	char dir[] = "/tmp/tide-go-XXXXXX", path[64], command[256];
	FILE *source;

	(void)state;
	if (system("command -v go >/dev/null"))
		skip_because("no Go toolchain (package golang-go)");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/p.go", dir);
	source = fopen(path, "w");
	assert_non_null(source);
	assert_true(fputs(program, source) >= 0);
	assert_int_equal(fclose(source), 0);
	for (size_t i = 0; i < TIDE_ARRAY_CNT(modes); i++) {
		snprintf(command, sizeof(command),
			 "cd %%s && CGO_ENABLED=0 GOFLAGS= GOCACHE=%%s/cache HOME=%%s "
			 "go build -buildmode=%s -ldflags='-s -w' -o p p.go && strip p",
			 modes[i]);
		run(command, dir);
		compare_program(dir);
	}
	run("rm -rf %s", dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_is_read),
		cmocka_unit_test(a_start_left_to_relocation_is_said_to_be),
		cmocka_unit_test(other_tables_are_refused),
		cmocka_unit_test(what_points_outside_is_unknown),
		cmocka_unit_test(stripped_go_programs_keep_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
