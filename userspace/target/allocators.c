#include "target/allocators.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "target/elf.h"

/* Functions that only one allocator has: they name one that was linked into another file. */
static const struct {
	const char *symbol, *name;
} signatures[] = {
	{"mallctl", "jemalloc"},   {"je_mallctl", "jemalloc"},	   {"mi_malloc", "mimalloc"},
	{"tc_malloc", "tcmalloc"}, {"__libc_malloc_impl", "musl"}, {"__libc_memalign", "glibc"},
};
#define SIGNATURE_CNT (sizeof(signatures) / sizeof(signatures[0]))

static const struct {
	const char *prefix, *name;
} file_names[] = {
	{"libc.so.6", "glibc"},	     {"libc.musl-", "musl"},	  {"ld-musl-", "musl"},
	{"libjemalloc", "jemalloc"}, {"libtcmalloc", "tcmalloc"}, {"libmimalloc", "mimalloc"},
};

static const char *const fn_symbols[TIDE_FN_CNT] = {
#define X(id, symbol, shape) [TIDE_FN_##id] = symbol,
	TIDE_ALLOC_FNS(X)
#undef X
};

static bool starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* glibc's dynamic loader has a malloc of its own for its first moments; libc's replaces it.
 * musl's loader is its libc.
 */
static bool is_loader(const char *soname, const char *file_name)
{
	if (starts_with(soname, "libc.musl-") || starts_with(file_name, "ld-musl-"))
		return false;
	return starts_with(soname, "ld-linux") || starts_with(file_name, "ld-linux") ||
	       starts_with(soname, "ld.so") || starts_with(file_name, "ld.so") ||
	       starts_with(soname, "ld64.so") || starts_with(file_name, "ld64.so");
}

static const char *allocator_name(const char *soname, const char *file_name,
				  const struct tide_elf_symbol *signature_found)
{
	for (size_t i = 0; i < sizeof(file_names) / sizeof(file_names[0]); i++)
		if (starts_with(soname, file_names[i].prefix) ||
		    starts_with(file_name, file_names[i].prefix))
			return file_names[i].name;
	/* musl as it is installed beside glibc; no other C library is called so. */
	if (!strcmp(soname, "libc.so") || !strcmp(file_name, "libc.so"))
		return "musl";
	for (size_t i = 0; i < SIGNATURE_CNT; i++)
		if (signature_found[i].file_off)
			return signatures[i].name;
	return file_name;
}

/* Aliases share an address; two probes there would count each call twice. */
static void add_point(struct tide_allocator *alloc, enum tide_alloc_fn fn, uint64_t file_off)
{
	if (!file_off)
		return;
	for (uint32_t i = 0; i < alloc->point_cnt; i++)
		if (alloc->points[i].file_off == file_off)
			return;
	alloc->points[alloc->point_cnt++] = (struct tide_alloc_point){fn, file_off};
}

static int add_allocator(const struct tide_module *module, const char *soname,
			 struct tide_allocators *ret)
{
	const char *names[TIDE_FN_CNT + SIGNATURE_CNT];
	struct tide_elf_symbol found[TIDE_FN_CNT + SIGNATURE_CNT];
	const char *file_name = base_name(module->path);
	struct tide_allocator *alloc;
	int r;

	for (size_t i = 0; i < TIDE_FN_CNT; i++)
		names[i] = fn_symbols[i];
	for (size_t i = 0; i < SIGNATURE_CNT; i++)
		names[TIDE_FN_CNT + i] = signatures[i].symbol;
	r = tide_elf_find_symbols(module->fd, names, TIDE_FN_CNT + SIGNATURE_CNT, found);
	if (r < 0)
		return r;
	if (!found[TIDE_FN_MALLOC].file_off || !found[TIDE_FN_FREE].file_off)
		return 0;
	if (ret->cnt >= TIDE_MAX_ALLOCATORS) {
		ret->truncated = true;
		return 0;
	}
	alloc = &ret->list[ret->cnt++];
	*alloc = (struct tide_allocator){.module_id = module->id};
	snprintf(alloc->name, sizeof(alloc->name), "%s",
		 allocator_name(soname, file_name, found + TIDE_FN_CNT));
	for (int fn = 0; fn < TIDE_FN_CNT; fn++)
		add_point(alloc, (enum tide_alloc_fn)fn, found[fn].file_off);
	return 0;
}

static void describe_main(const struct tide_elf_info *info, struct tide_allocators *ret)
{
	ret->main_is_go = info->is_go;
	/* A loader started as a command ("ld.so ./program") has no interpreter but a soname. */
	ret->main_is_static = !info->has_interp && !info->soname[0];
	ret->main_stripped = ret->main_is_static && !info->has_symtab;
}

int tide_allocators_find(const struct tide_modules *mods, struct tide_allocators *ret)
{
	uint32_t main_id = UINT32_MAX;

	memset(ret, 0, sizeof(*ret));
	tide_modules_main(mods, &main_id);
	for (uint32_t id = 0; id < tide_modules_cnt(mods); id++) {
		const struct tide_module *module = tide_modules_get(mods, id);
		struct tide_elf_info info = {};
		int r;

		if (module->fd < 0)
			continue;
		r = tide_elf_read_info(module->fd, &info);
		/* A library we cannot read does not hide the allocators of the others. */
		if (r == -EBADMSG || r == -ENOEXEC || r == -EIO)
			continue;
		if (r < 0)
			return r;
		if (id == main_id)
			describe_main(&info, ret);
		if (is_loader(info.soname, base_name(module->path)))
			continue;
		r = add_allocator(module, info.soname, ret);
		if (r < 0 && r != -EBADMSG && r != -EIO)
			return r;
	}
	return 0;
}
