/* One file's names: this program's own, and what damage to it may not do. */
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "symbolize/module.h"

#define MAX_LEVELS 32

static int open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The file offset of one of our functions: the executable segment maps the file as it is, so
 * /proc/self/maps has the difference.
 */
static uint64_t offset_of(uintptr_t addr)
{
	TIDE_AUTO_FILE FILE *maps = fopen("/proc/self/maps", "r");
	char line[8192];
	unsigned long start, end, off;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &off) == 3 && addr >= start &&
		    addr < end)
			return addr - start + off;
	fail();
	return 0;
}

static void own_functions_have_names_and_lines(void **state)
{
	TIDE_AUTO_FD int fd = open_self();
	struct tide_name_module *module = NULL;
	struct tide_dwarf_level levels[MAX_LEVELS];
	size_t cnt;

	(void)state;
	assert_ok(tide_name_module_new("self", fd, false, &module));
	cnt = tide_name_module_find(module, offset_of((uintptr_t)offset_of) + 1, levels,
				    MAX_LEVELS);
	assert_int_equal(cnt, 1);
	assert_string_equal(levels[0].name, "offset_of");
	assert_non_null(strstr(levels[0].file, "module_test.c"));
	assert_true(levels[0].line > 20 && levels[0].line < 60);
	assert_int_equal(tide_name_module_find(module, UINT64_MAX, levels, MAX_LEVELS), 0);
	assert_int_equal(tide_name_module_find(module, 0, levels, MAX_LEVELS), 0);
	tide_name_module_free(&module);
	assert_null(module);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

static void what_is_no_elf_file_is_refused(void **state)
{
	static const char *const contents[] = {"",
					       "\x7f"
					       "ELF",
					       "#!/bin/sh\n"};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(contents); i++) {
		TIDE_AUTO_FD int fd = memfd_create("bad", MFD_CLOEXEC);
		struct tide_name_module *module = NULL;

		assert_true(fd >= 0);
		assert_int_equal(write(fd, contents[i], strlen(contents[i])), strlen(contents[i]));
		assert_errno(tide_name_module_new("bad", fd, false, &module), ENOEXEC);
		assert_null(module);
	}
	{
		struct tide_name_module *module = NULL;

		assert_errno(tide_name_module_new("closed", -1, false, &module), EBADF);
		assert_null(module);
	}
}

/* xorshift64: Marsaglia's. The same damage on every run. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

struct image {
	unsigned char *bytes;
	size_t len;
};

static struct image read_self(void)
{
	TIDE_AUTO_FD int fd = open_self();
	struct image image;
	struct stat st;
	size_t got = 0;

	assert_int_equal(fstat(fd, &st), 0);
	image.len = st.st_size;
	image.bytes = malloc(image.len);
	assert_non_null(image.bytes);
	while (got < image.len) {
		ssize_t r = pread(fd, image.bytes + got, image.len - got, got);

		assert_true(r > 0);
		got += r;
	}
	return image;
}

/* Damages the file behind the ELF header (so that it is still opened), then asks for addresses
 * all over it. Whatever comes back, it must come back, and be readable.
 */
static void ask_damaged(const struct image *image, uint64_t seed)
{
	TIDE_AUTO_FD int fd = memfd_create("damaged", MFD_CLOEXEC);
	struct tide_name_module *module = NULL;
	size_t byte_cnt = 1 + next_random(&seed) % 300;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->bytes, image->len), image->len);
	for (size_t i = 0; i < byte_cnt; i++) {
		unsigned char byte = next_random(&seed);
		off_t at = 64 + next_random(&seed) % (image->len - 64);

		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	if (tide_name_module_new("damaged", fd, false, &module) < 0)
		return;
	for (int i = 0; i < 50; i++) {
		struct tide_dwarf_level levels[MAX_LEVELS];
		size_t cnt = tide_name_module_find(module, next_random(&seed) % image->len, levels,
						   MAX_LEVELS);

		assert_true(cnt <= MAX_LEVELS);
		for (size_t level = 0; level < cnt; level++) {
			assert_true(!levels[level].name || strlen(levels[level].name) < SIZE_MAX);
			assert_true(!levels[level].file || strlen(levels[level].file) < SIZE_MAX);
		}
	}
	tide_name_module_free(&module);
}

static void damage_does_no_harm(void **state)
{
	struct image image = read_self();

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		ask_damaged(&image, seed * 0x9e3779b97f4a7c15);
	free(image.bytes);
}

static void truncation_does_no_harm(void **state)
{
	struct image image = read_self();

	(void)state;
	for (size_t part = 1; part < 16; part++) {
		struct image shorter = {image.bytes, image.len * part / 16};

		ask_damaged(&shorter, part);
	}
	free(image.bytes);
}

/* A mapped page that is gone would end this program with SIGBUS. */
static void a_file_that_shrinks_is_let_alone(void **state)
{
	struct image image = read_self();
	TIDE_AUTO_FD int fd = memfd_create("shrinking", MFD_CLOEXEC);
	uint64_t off = offset_of((uintptr_t)offset_of) + 1;
	struct tide_name_module *module = NULL;
	struct tide_dwarf_level levels[MAX_LEVELS];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, image.bytes, image.len), image.len);
	assert_ok(tide_name_module_new("shrinking", fd, false, &module));
	assert_int_equal(tide_name_module_find(module, off, levels, MAX_LEVELS), 1);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(tide_name_module_find(module, off, levels, MAX_LEVELS), 0);
	tide_name_module_free(&module);
	free(image.bytes);
}

/* ---- stripped programs ---- */

static char stripped_dir[32];

/* Runs a shell command in a directory that has this program as `self`, stripped as `bare`. */
static void shell(const char *command)
{
	char line[1024];

	if (!*stripped_dir) {
		strcpy(stripped_dir, "/tmp/tide-strip-XXXXXX");
		assert_non_null(mkdtemp(stripped_dir));
		snprintf(line, sizeof(line), "cp /proc/%d/exe %s/self && strip -o %s/bare %s/self",
			 getpid(), stripped_dir, stripped_dir, stripped_dir);
		assert_int_equal(system(line), 0);
	}
	snprintf(line, sizeof(line), "cd %s && %s", stripped_dir, command);
	assert_int_equal(system(line), 0);
}

static int drop_stripped(void **state)
{
	char line[64];

	(void)state;
	snprintf(line, sizeof(line), "rm -rf %s", stripped_dir);
	return *stripped_dir ? system(line) : 0;
}

/* What a file of that directory says of offset_of(), which no .dynsym has. */
static void assert_names(const char *name, bool function, bool file)
{
	char path[64];
	struct tide_name_module *module = NULL;
	struct tide_dwarf_level levels[MAX_LEVELS] = {0};
	int fd;

	snprintf(path, sizeof(path), "%s/%s", stripped_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(tide_name_module_new(path, fd, false, &module));
	(void)tide_name_module_find(module, offset_of((uintptr_t)offset_of) + 1, levels,
				    MAX_LEVELS);
	assert_int_equal(levels[0].name && !strcmp(levels[0].name, "offset_of"), function);
	assert_int_equal(levels[0].file && strstr(levels[0].file, "module_test.c"), file);
	tide_name_module_free(&module);
	close(fd);
}

static void a_bare_file_has_no_names(void **state)
{
	(void)state;
	shell("true");
	assert_names("self", true, true);
	assert_names("bare", false, false);
}

static void a_symbol_table_alone_gives_functions(void **state)
{
	(void)state;
	shell("strip --strip-debug -o symbols self");
	assert_names("symbols", true, false);
}

static void the_table_within_the_file_is_read(void **state)
{
	(void)state;
	shell("objcopy --only-keep-debug self m && strip --strip-debug m && xz -f m &&"
	      " objcopy --add-section .gnu_debugdata=m.xz bare mini");
	assert_names("mini", true, false);
}

static void a_table_that_unfolds_without_end_is_let_alone(void **state)
{
	struct rusage before, after;

	(void)state;
	shell("head -c 1G /dev/zero | xz -0 -T2 >z.xz &&"
	      " objcopy --add-section .gnu_debugdata=z.xz bare bomb");
	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	assert_names("bomb", false, false);
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_true(after.ru_maxrss - before.ru_maxrss < 256 << 10);
}

static void a_debug_link_counts_when_the_build_ids_agree(void **state)
{
	(void)state;
	shell("objcopy --only-keep-debug self linked.debug &&"
	      " objcopy --add-gnu-debuglink=linked.debug bare linked");
	assert_names("linked", true, true);
	shell("mkdir -p .debug && mv linked.debug .debug/");
	assert_names("linked", true, true);
	shell("objcopy --remove-section .note.gnu.build-id .debug/linked.debug");
	assert_names("linked", false, false);
	shell("rm .debug/linked.debug && mkfifo linked.debug");
	assert_names("linked", false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_functions_have_names_and_lines),
		cmocka_unit_test(what_is_no_elf_file_is_refused),
		cmocka_unit_test(damage_does_no_harm),
		cmocka_unit_test(truncation_does_no_harm),
		cmocka_unit_test(a_file_that_shrinks_is_let_alone),
		cmocka_unit_test(a_bare_file_has_no_names),
		cmocka_unit_test(a_symbol_table_alone_gives_functions),
		cmocka_unit_test(the_table_within_the_file_is_read),
		cmocka_unit_test(a_table_that_unfolds_without_end_is_let_alone),
		cmocka_unit_test(a_debug_link_counts_when_the_build_ids_agree),
	};

	return cmocka_run_group_tests(tests, NULL, drop_stripped);
}
