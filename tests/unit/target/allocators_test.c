#include "target/allocators.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>

#include "base/util.h"
#include "child.h"
#include "tiny_elf.h"

static int load_self(struct tide_modules **ret)
{
	struct tide_proc proc;
	int err, r;

	assert_int_equal(tide_proc_open(getpid(), &proc, &err), TIDE_PROC_OK);
	assert_ok(tide_modules_new(ret));
	r = tide_modules_update(*ret, &proc);
	tide_proc_close(&proc);
	return r;
}

static const struct tide_allocator *by_name(const struct tide_allocators *allocs, const char *name)
{
	for (uint32_t i = 0; i < allocs->cnt; i++)
		if (!strcmp(allocs->list[i].name, name))
			return &allocs->list[i];
	return NULL;
}

static uint64_t point_of(const struct tide_allocator *alloc, enum tide_alloc_fn fn)
{
	for (uint32_t i = 0; i < alloc->point_cnt; i++)
		if (alloc->points[i].fn == fn)
			return alloc->points[i].file_off;
	return 0;
}

/* The C library this test runs with, looked up by the dynamic linker. */
static void points_are_where_the_functions_are(void **state)
{
	static const struct {
		enum tide_alloc_fn fn;
		const char *name;
	} fns[] = {
		{TIDE_FN_MALLOC, "malloc"},   {TIDE_FN_CALLOC, "calloc"},
		{TIDE_FN_REALLOC, "realloc"}, {TIDE_FN_POSIX_MEMALIGN, "posix_memalign"},
		{TIDE_FN_FREE, "free"},
	};
	struct tide_allocators *allocs = calloc(1, sizeof(*allocs));
	TIDE_CLEANUP(tide_modules_free) struct tide_modules *mods = NULL;
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	const struct tide_allocator *glibc;

	(void)state;
	if (!libc)
		skip_because("needs a process with glibc");
	assert_true(load_self(&mods) > 0);
	assert_ok(tide_allocators_find(mods, allocs));
	assert_false(allocs->truncated || allocs->main_is_go || allocs->main_is_static);
	glibc = by_name(allocs, "glibc");
	assert_non_null(glibc);
	for (size_t i = 0; i < TIDE_ARRAY_CNT(fns); i++) {
		uint64_t off = 0;
		const struct tide_range *range =
			tide_modules_find(mods, (uintptr_t)dlsym(libc, fns[i].name), &off);

		assert_true(range && range->module_id == glibc->module_id);
		assert_int_equal(point_of(glibc, fns[i].fn), off);
	}
	dlclose(libc);
	free(allocs);
}

static void aliases_are_listed_once(void **state)
{
	struct tide_allocators *allocs = calloc(1, sizeof(*allocs));
	TIDE_CLEANUP(tide_modules_free) struct tide_modules *mods = NULL;

	(void)state;
	assert_true(load_self(&mods) > 0);
	assert_ok(tide_allocators_find(mods, allocs));
	assert_true(allocs->cnt > 0);
	for (uint32_t i = 0; i < allocs->cnt; i++) {
		const struct tide_allocator *alloc = &allocs->list[i];

		assert_true(point_of(alloc, TIDE_FN_MALLOC) && point_of(alloc, TIDE_FN_FREE));
		for (uint32_t a = 0; a < alloc->point_cnt; a++)
			for (uint32_t b = 0; b < a; b++)
				assert_true(alloc->points[a].file_off != alloc->points[b].file_off);
	}
	free(allocs);
}

static void the_loader_is_no_allocator(void **state)
{
	struct tide_allocators *allocs = calloc(1, sizeof(*allocs));
	TIDE_CLEANUP(tide_modules_free) struct tide_modules *mods = NULL;

	(void)state;
	assert_true(load_self(&mods) > 0);
	assert_ok(tide_allocators_find(mods, allocs));
	for (uint32_t i = 0; i < allocs->cnt; i++) {
		const struct tide_module *module =
			tide_modules_get(mods, allocs->list[i].module_id);

		assert_null(strstr(module->path, "/ld-linux"));
	}
	free(allocs);
}

/* What the kernel maps of it does not matter: the table only looks at mapped files. */
static void map_as_module(struct tiny_elf *e, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, e, sizeof(*e)), sizeof(*e));
	assert_ptr_not_equal(mmap(NULL, sizeof(*e), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0),
			     MAP_FAILED);
	close(fd);
}

static void make_allocator(struct tiny_elf *e, const char *soname, const char *extra)
{
	tiny_elf_init(e);
	memset(e->dynstr, 0, sizeof(e->dynstr));
	strcpy(e->dynstr + 1, soname);
	e->dynsym[1] = tiny_fn(tiny_string(e->dynstr, sizeof(e->dynstr), "malloc"), 8);
	e->dynsym[2] = tiny_fn(tiny_string(e->dynstr, sizeof(e->dynstr), "free"), 16);
	e->dynsym[3] = tiny_fn(tiny_string(e->dynstr, sizeof(e->dynstr), "cfree"), 16);
	e->dynsym[4] = tiny_fn(tiny_string(e->dynstr, sizeof(e->dynstr), "memalign"), 24);
	e->dynsym[5] = tiny_fn(tiny_string(e->dynstr, sizeof(e->dynstr), "aligned_alloc"), 24);
	if (extra)
		e->dynsym[6] = tiny_fn(tiny_string(e->dynstr, sizeof(e->dynstr), extra), 32);
}

struct naming {
	const char *file, *soname, *extra, *name; /* name NULL: is no allocator */
};

static void check_naming(const struct naming *c)
{
	struct tide_allocators *allocs = calloc(1, sizeof(*allocs));
	TIDE_CLEANUP(tide_modules_free) struct tide_modules *mods = NULL;
	char dir[] = "/tmp/tidemark-allocs-XXXXXX", path[128];
	const struct tide_allocator *alloc = NULL;
	struct tiny_elf e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, c->file);
	make_allocator(&e, c->soname, c->extra);
	map_as_module(&e, path);
	assert_true(load_self(&mods) > 0);
	assert_ok(tide_allocators_find(mods, allocs));
	for (uint32_t i = 0; i < allocs->cnt; i++)
		if (!strcmp(tide_modules_get(mods, allocs->list[i].module_id)->path, path))
			alloc = &allocs->list[i];
	unlink(path);
	rmdir(dir);
	assert_int_equal(alloc != NULL, c->name != NULL);
	if (alloc) {
		assert_string_equal(alloc->name, c->name);
		assert_int_equal(alloc->point_cnt, 3);
		assert_int_equal(point_of(alloc, TIDE_FN_MALLOC), TINY_OFF(text) + 8);
		assert_int_equal(point_of(alloc, TIDE_FN_FREE), TINY_OFF(text) + 16);
		assert_int_equal(point_of(alloc, TIDE_FN_ALIGNED_ALLOC), TINY_OFF(text) + 24);
	}
	free(allocs);
}

/* Each in a child, which ends with its mappings; a failed assert there is its exit status. */
static void names_follow_file_soname_and_signature(void **state)
{
	static const struct naming cases[] = {
		{"a.so", "libc.so.6", NULL, "glibc"},
		{"a.so", "libc.so", NULL, "musl"},
		{"a.so", "libc.musl-x86_64.so.1", NULL, "musl"},
		{"ld-musl-x86_64.so.1", "", NULL, "musl"},
		{"libjemalloc.so.2", "", NULL, "jemalloc"},
		{"x", "libtcmalloc_minimal.so.4", NULL, "tcmalloc"},
		{"libmimalloc.so", "", NULL, "mimalloc"},
		{"server", "", "mallctl", "jemalloc"},
		{"server", "", "mi_malloc", "mimalloc"},
		{"server", "", "tc_malloc", "tcmalloc"},
		{"server", "", "__libc_malloc_impl", "musl"},
		{"server", "", "__libc_memalign", "glibc"},
		{"my pool.so", "", NULL, "my pool.so"},
		{"ld-2.31.so", "ld-linux-x86-64.so.2", NULL, NULL},
		{"ld.so", "", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases); i++) {
		pid_t tgid = fork();
		int status;

		if (tgid == 0) {
			check_naming(&cases[i]);
			_exit(0);
		}
		assert_int_equal(waitpid(tgid, &status, 0), tgid);
		assert_int_equal(status, 0);
	}
}

static void no_modules_no_allocators(void **state)
{
	struct tide_allocators *allocs = calloc(1, sizeof(*allocs));
	TIDE_CLEANUP(tide_modules_free) struct tide_modules *mods = NULL;

	(void)state;
	assert_ok(tide_modules_new(&mods));
	allocs->cnt = 5;
	allocs->main_is_go = true;
	assert_ok(tide_allocators_find(mods, allocs));
	assert_int_equal(allocs->cnt, 0);
	assert_false(allocs->main_is_go);
	free(allocs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_are_where_the_functions_are),
		cmocka_unit_test(aliases_are_listed_once),
		cmocka_unit_test(the_loader_is_no_allocator),
		cmocka_unit_test(names_follow_file_soname_and_signature),
		cmocka_unit_test(no_modules_no_allocators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
