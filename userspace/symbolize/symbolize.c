#include "symbolize/symbolize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "symbolize/module.h"
#include "symbolize/perf_map.h"
#include "symbolize/strings.h"

#define MAX_CACHED 65536
/* A name of generated code may be as long as its file. */
#define MAX_JIT_NAME_BYTES 4096
/* A power of two, twice the entries, so that chains stay short. */
#define BUCKET_CNT (2 * MAX_CACHED)

struct cached {
	uint64_t return_addr;
	struct tide_symbol *symbols;
	uint32_t symbol_cnt;
	uint32_t next; /* index + 1 of the next in the bucket */
};

struct lazy_module {
	struct tide_name_module *names; /* NULL: not tried yet, or without names */
	bool tried;
};

struct tide_symbolizer {
	struct tide_modules *mods;
	struct tide_strings *strings;
	struct tide_perf_file *perf_map; /* NULL: not asked for */
	bool may_fetch;
	struct lazy_module *modules; /* by module id */
	size_t module_cnt;
	struct cached *cached; /* in the order of first use */
	size_t cached_cnt, cached_capacity;
	uint32_t *buckets; /* index + 1; 0: empty */
};

int tide_symbolizer_new(struct tide_modules *mods, struct tide_symbolizer **ret)
{
	struct tide_symbolizer *sym = calloc(1, sizeof(*sym));

	if (!sym)
		return -ENOMEM;
	sym->mods = mods;
	sym->buckets = calloc(BUCKET_CNT, sizeof(*sym->buckets));
	if (!sym->buckets || tide_strings_new(&sym->strings) < 0) {
		tide_symbolizer_free(&sym);
		return -ENOMEM;
	}
	*ret = sym;
	return 0;
}

void tide_symbolizer_free(struct tide_symbolizer **sym)
{
	struct tide_symbolizer *gone = *sym;

	if (!gone)
		return;
	for (size_t i = 0; i < gone->module_cnt; i++)
		tide_name_module_free(&gone->modules[i].names);
	for (size_t i = 0; i < gone->cached_cnt; i++)
		free(gone->cached[i].symbols);
	tide_perf_file_free(&gone->perf_map);
	tide_strings_free(&gone->strings);
	free(gone->modules);
	free(gone->cached);
	free(gone->buckets);
	free(gone);
	*sym = NULL;
}

int tide_symbolizer_use_perf_map(struct tide_symbolizer *sym, const struct tide_proc *proc)
{
	return sym->perf_map ? 0 : tide_perf_file_new(proc, &sym->perf_map);
}

void tide_symbolizer_use_debuginfod(struct tide_symbolizer *sym)
{
	sym->may_fetch = true;
}

void tide_symbolizer_refresh(struct tide_symbolizer *sym)
{
	if (sym->perf_map)
		tide_perf_file_refresh(sym->perf_map);
}

static uint32_t *bucket_of(struct tide_symbolizer *sym, uint64_t return_addr)
{
	/* Fibonacci hashing: 2^64 over the golden ratio. */
	return &sym->buckets[(return_addr * 0x9e3779b97f4a7c15) >> 47 & (BUCKET_CNT - 1)];
}

static const struct cached *cache_find(struct tide_symbolizer *sym, uint64_t return_addr)
{
	for (uint32_t i = *bucket_of(sym, return_addr); i; i = sym->cached[i - 1].next)
		if (sym->cached[i - 1].return_addr == return_addr)
			return &sym->cached[i - 1];
	return NULL;
}

static void cache_link(struct tide_symbolizer *sym, size_t i)
{
	uint32_t *bucket = bucket_of(sym, sym->cached[i].return_addr);

	sym->cached[i].next = *bucket;
	*bucket = i + 1;
}

static void cache_drop_oldest_half(struct tide_symbolizer *sym)
{
	size_t dropped = sym->cached_cnt / 2;

	for (size_t i = 0; i < dropped; i++)
		free(sym->cached[i].symbols);
	sym->cached_cnt -= dropped;
	memmove(sym->cached, sym->cached + dropped, sym->cached_cnt * sizeof(*sym->cached));
	memset(sym->buckets, 0, BUCKET_CNT * sizeof(*sym->buckets));
	for (size_t i = 0; i < sym->cached_cnt; i++)
		cache_link(sym, i);
}

/* Without memory nothing is cached, which costs time only. */
static void cache_add(struct tide_symbolizer *sym, uint64_t return_addr,
		      const struct tide_symbol *symbols, size_t symbol_cnt)
{
	struct tide_symbol *copy;

	if (sym->cached_cnt == MAX_CACHED)
		cache_drop_oldest_half(sym);
	if (sym->cached_cnt == sym->cached_capacity) {
		size_t capacity = sym->cached_capacity ? sym->cached_capacity * 2 : 256;
		struct cached *cached = reallocarray(sym->cached, capacity, sizeof(*cached));

		if (!cached)
			return;
		sym->cached = cached;
		sym->cached_capacity = capacity;
	}
	copy = reallocarray(NULL, symbol_cnt, sizeof(*copy));
	if (!copy)
		return;
	memcpy(copy, symbols, symbol_cnt * sizeof(*copy));
	sym->cached[sym->cached_cnt] = (struct cached){
		.return_addr = return_addr,
		.symbols = copy,
		.symbol_cnt = symbol_cnt,
	};
	cache_link(sym, sym->cached_cnt++);
}

static int names_of(struct tide_symbolizer *sym, const struct tide_module *module,
		    struct tide_name_module **ret)
{
	struct lazy_module *lazy;

	if (module->id >= sym->module_cnt) {
		size_t cnt = module->id + 1;
		struct lazy_module *grown = reallocarray(sym->modules, cnt, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memset(grown + sym->module_cnt, 0, (cnt - sym->module_cnt) * sizeof(*grown));
		sym->modules = grown;
		sym->module_cnt = cnt;
	}
	lazy = &sym->modules[module->id];
	if (!lazy->tried && module->fd >= 0 &&
	    tide_name_module_new(module->path, module->fd, sym->may_fetch, &lazy->names) == -ENOMEM)
		return -ENOMEM;
	lazy->tried = true;
	*ret = lazy->names;
	return 0;
}

/* "malloc@@GLIBC_2.2.5" is called malloc. */
static char *readable_name(const char *name)
{
	const char *version = strchr(name + 1, '@');
	TIDE_AUTO_FREE char *plain = NULL;

	if (!version)
		return tide_demangle(name);
	plain = strndup(name, version - name);
	return plain ? tide_demangle(plain) : NULL;
}

static int set_level(struct tide_symbolizer *sym, const struct tide_dwarf_level *level,
		     struct tide_symbol *ret)
{
	TIDE_AUTO_FREE char *name = NULL;

	if (level->name) {
		name = readable_name(level->name);
		if (!name)
			return -ENOMEM;
	}
	ret->function = tide_strings_keep(sym->strings, name);
	ret->file = tide_strings_keep(sym->strings, level->file);
	ret->line = level->line;
	return 0;
}

/* Names of the code at file_off in a module. Returns their number, at least 1, or -ENOMEM. */
static int name_code(struct tide_symbolizer *sym, const struct tide_module *module,
		     uint64_t file_off, struct tide_symbol *ret)
{
	struct tide_dwarf_level levels[TIDE_MAX_INLINED] = {0};
	struct tide_name_module *names = NULL;
	size_t cnt;
	int r = names_of(sym, module, &names);

	if (r < 0)
		return r;
	cnt = names ? tide_name_module_find(names, file_off, levels, TIDE_MAX_INLINED) : 0;
	if (!cnt)
		cnt = 1;
	for (size_t i = 0; i < cnt; i++) {
		ret[i] = (struct tide_symbol){
			.module = tide_strings_keep(sym->strings, module->path),
			.build_id = module->build_id[0]
					    ? tide_strings_keep(sym->strings, module->build_id)
					    : NULL,
			.offset = file_off + 1,
			.inlined = i + 1 < cnt,
		};
		r = set_level(sym, &levels[i], &ret[i]);
		if (r < 0)
			return r;
	}
	return cnt;
}

/* An address in no file: generated code, or nothing we know. Returns 1 or -ENOMEM. Not cached: code
 * is generated anew, and the next update of the modules may bring the file.
 */
static int name_generated(struct tide_symbolizer *sym, uint64_t return_addr,
			  struct tide_symbol *ret)
{
	const char *found = sym->perf_map && return_addr
				    ? tide_perf_file_find(sym->perf_map, return_addr - 1)
				    : NULL;
	TIDE_AUTO_FREE char *cut = found ? strndup(found, MAX_JIT_NAME_BYTES) : NULL;
	TIDE_AUTO_FREE char *name = cut ? tide_demangle(cut) : NULL;

	if (found && !name)
		return -ENOMEM;
	*ret = (struct tide_symbol){
		.function = tide_strings_keep(sym->strings, name),
		.offset = return_addr,
	};
	return 1;
}

int tide_symbolizer_resolve(struct tide_symbolizer *sym, uint64_t return_addr,
			    struct tide_symbol *ret)
{
	const struct cached *cached = cache_find(sym, return_addr);
	const struct tide_range *range;
	uint64_t file_off = 0;
	int cnt;

	if (cached) {
		memcpy(ret, cached->symbols, cached->symbol_cnt * sizeof(*ret));
		return cached->symbol_cnt;
	}
	range = return_addr ? tide_modules_find(sym->mods, return_addr - 1, &file_off) : NULL;
	if (!range || !tide_modules_get(sym->mods, range->module_id))
		return name_generated(sym, return_addr, ret);
	cnt = name_code(sym, tide_modules_get(sym->mods, range->module_id), file_off, ret);
	if (cnt > 0)
		cache_add(sym, return_addr, ret, cnt);
	return cnt;
}
