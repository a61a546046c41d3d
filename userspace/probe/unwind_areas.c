#include "probe/unwind_areas.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "base/util.h"

/* Two pages on every kernel since 2014 (arch/x86/entry/vdso); more is not believed. */
#define MAX_VDSO_BYTES (64 << 10)

struct areas {
	struct tide_unwind_area *area;
	size_t cnt;
	pid_t tgid;
	void *vdso;
};

static void areas_done(struct areas *a)
{
	free(a->area);
	free(a->vdso);
}

/* The vDSO is the same code for all processes of one kind on this kernel, but where would one know
 * the kind from: its build id is in mods, and without it its address tells processes apart.
 */
static void fill_vdso(struct areas *a, const struct tide_mapping *m, struct tide_unwind_area *area)
{
	size_t bytes = m->end - m->start;
	struct iovec to, from = {(void *)(uintptr_t)m->start, bytes};

	if (a->vdso || bytes > MAX_VDSO_BYTES)
		return;
	a->vdso = malloc(bytes);
	if (!a->vdso)
		return;
	to = (struct iovec){a->vdso, bytes};
	if (process_vm_readv(a->tgid, &to, 1, &from, 1, 0) != (ssize_t)bytes)
		return;
	area->kind = TIDE_AREA_IMAGE;
	area->file_off = 0;
	area->src.inode = m->start;
	area->src.data = a->vdso;
	area->src.data_bytes = bytes;
}

static void fill_area(struct areas *a, const struct tide_maps *maps,
		      const struct tide_modules *mods, const struct tide_mapping *m)
{
	struct tide_unwind_area *area = &a->area[a->cnt++];
	const char *path = tide_mapping_path(maps, m);
	const struct tide_module *module;
	const struct tide_range *range;
	uint64_t file_off;

	*area = (struct tide_unwind_area){
		.start = m->start,
		.end = m->end,
		.file_off = m->file_off,
		.kind = m->inode ? TIDE_AREA_OPAQUE : TIDE_AREA_GENERATED,
		.src = {.build_id = "", .fd = -1},
	};
	if (!strcmp(path, "[uprobes]")) {
		area->kind = TIDE_AREA_RETURN_PROBE;
		return;
	}
	range = tide_modules_find(mods, m->start, &file_off);
	module = range ? tide_modules_get(mods, range->module_id) : NULL;
	if (module)
		area->src.build_id = module->build_id;
	if (!strcmp(path, "[vdso]")) {
		fill_vdso(a, m, area);
	} else if (module && m->inode && module->inode == m->inode && module->fd >= 0) {
		area->kind = TIDE_AREA_FILE;
		area->src.fd = module->fd;
		area->src.dev = module->dev;
		area->src.inode = module->inode;
	}
}

int tide_unwind_areas_update(struct tide_unwind_tables *tables, pid_t tgid,
			     const struct tide_maps *maps, const struct tide_modules *mods)
{
	TIDE_CLEANUP(areas_done) struct areas a = {.tgid = tgid};

	a.area = calloc(maps->cnt + 1, sizeof(*a.area));
	if (!a.area)
		return -ENOMEM;
	for (size_t i = 0; i < maps->cnt; i++)
		if (maps->mappings[i].exec)
			fill_area(&a, maps, mods, &maps->mappings[i]);
	return tide_unwind_tables_update(tables, tgid, a.area, a.cnt);
}
