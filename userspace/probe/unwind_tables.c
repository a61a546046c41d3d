/* A process's table is replaced as a whole: the new inner map is filled before the outer map
 * points to it, so a walk sees the old table or the new one. The syscall that replaces it returns
 * after an RCU grace period (maybe_wait_bpf_programs() in kernel/bpf/syscall.c): only then
 * are objects let go that the old table alone used, and no walk meets a slot with another's rows.
 */
#include "probe/unwind_tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

#define MAX_GENERATION ((1U << TIDE_UNWIND_GENERATION_BITS) - 1)

_Static_assert(TIDE_UNWIND_MAX_PROCS < MAX_GENERATION, "there is always a generation not in use");

struct process {
	struct process *next;
	pid_t tgid;
	uint32_t generation;
	struct tide_unwind_mapping *mappings; /* as in the kernel */
	size_t mapping_cnt;
	struct tide_unwind_object **objects; /* one reference each */
	size_t object_cnt;
};

struct tide_unwind_tables {
	struct tide_unwind_maps maps;
	struct tide_unwind_objects *objects;
	struct process *procs;
	uint32_t generation; /* the last one given out */
	bool in_use[MAX_GENERATION + 1];
	struct tide_unwind_tables_stats stats;
};

/* What an update builds before anything changes. */
struct draft {
	struct tide_unwind_tables *tables;
	struct tide_unwind_mapping *mappings;
	size_t mapping_cnt;
	struct tide_unwind_object **objects;
	size_t object_cnt;
};

int tide_unwind_tables_new(const struct tide_unwind_maps *maps, struct tide_unwind_tables **ret)
{
	TIDE_CLEANUP(tide_unwind_tables_free) struct tide_unwind_tables *t = NULL;
	int r;

	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->maps = *maps;
	r = tide_unwind_objects_new(maps->objects_fd, maps->rules_fd, &t->objects);
	if (r)
		return r;
	*ret = TIDE_TAKE_PTR(t);
	return 0;
}

void tide_unwind_tables_free(struct tide_unwind_tables **tables)
{
	struct tide_unwind_tables *t = *tables;

	if (!t)
		return;
	while (t->procs)
		tide_unwind_tables_remove(t, t->procs->tgid);
	tide_unwind_objects_free(&t->objects);
	free(t);
	*tables = NULL;
}

static struct process **find_process(struct tide_unwind_tables *t, pid_t tgid)
{
	struct process **at = &t->procs;

	while (*at && (*at)->tgid != tgid)
		at = &(*at)->next;
	return at;
}

/* ---- generations ---- */

static int clear_memo(struct tide_unwind_tables *t)
{
	static const uint64_t zeros[1 << TIDE_UNWIND_LG_MEMO];
	TIDE_AUTO_FREE uint32_t *keys = malloc(sizeof(*keys) << TIDE_UNWIND_LG_MEMO);
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t cnt = 1 << TIDE_UNWIND_LG_MEMO;

	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < cnt; i++)
		keys[i] = i;
	return bpf_map_update_batch(t->maps.memo_fd, keys, zeros, &cnt, &opts);
}

/* See "memo" in bpf/abi/unwind.h for why twice a cycle. */
static int next_generation(struct tide_unwind_tables *t, uint32_t *ret)
{
	uint32_t g = t->generation;
	int r;

	do {
		g = g == MAX_GENERATION ? 1 : g + 1;
		if (g == 1 || g == MAX_GENERATION / 2) {
			r = clear_memo(t);
			if (r)
				return r;
		}
	} while (t->in_use[g]);
	t->generation = g;
	*ret = g;
	return 0;
}

/* ---- drafts ---- */

static void draft_done(struct draft *d)
{
	for (size_t i = 0; i < d->object_cnt; i++)
		tide_unwind_objects_put(d->tables->objects, d->objects[i]);
	/* What fails here leaves old tables in slots that nothing names. */
	(void)tide_unwind_objects_flush(d->tables->objects);
	free(d->objects);
	free(d->mappings);
	d->objects = NULL;
	d->mappings = NULL;
	d->object_cnt = 0;
}

/* One reference per area, not per distinct object: simpler, and they are returned all at once. */
static int draft_file(struct draft *d, const struct tide_unwind_area *area,
		      struct tide_unwind_mapping *m)
{
	struct tide_unwind_object *obj;
	int r = tide_unwind_objects_get(d->tables->objects, &area->src, &obj);

	if (r)
		return r;
	d->objects[d->object_cnt++] = obj;
	tide_unwind_object_map(obj, area->start, area->file_off, m);
	return 0;
}

static bool draft_merge(struct draft *d, const struct tide_unwind_mapping *m)
{
	struct tide_unwind_mapping *last;

	/* A JIT has many small mappings side by side; what one rule covers is one mapping. */
	if (!d->mapping_cnt || m->object)
		return false;
	last = &d->mappings[d->mapping_cnt - 1];
	if (last->object || last->rule != m->rule || last->end != m->start)
		return false;
	last->end = m->end;
	return true;
}

static int draft_area(struct draft *d, const struct tide_unwind_area *area)
{
	struct tide_unwind_mapping m = {.start = area->start, .end = area->end};
	int r = 0;

	if (area->start >= area->end || area->end >> TIDE_UNWIND_ADDR_BITS)
		return 0;
	switch (area->kind) {
	case TIDE_AREA_FILE:
	case TIDE_AREA_IMAGE:
		r = draft_file(d, area, &m);
		break;
	case TIDE_AREA_GENERATED:
		m.rule = TIDE_RULE_FRAME;
		break;
	case TIDE_AREA_RETURN_PROBE:
		m.rule = TIDE_RULE_RETURN_PROBE;
		break;
	case TIDE_AREA_OPAQUE:
		m.rule = TIDE_RULE_NONE;
		break;
	}
	if (r || draft_merge(d, &m))
		return r;
	if (d->mapping_cnt == TIDE_UNWIND_MAX_MAPPINGS)
		d->tables->stats.mappings_dropped++;
	else
		d->mappings[d->mapping_cnt++] = m;
	return 0;
}

static int compare_areas(const void *a, const void *b)
{
	const struct tide_unwind_area *const *x = a, *const *y = b;

	return (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

static int draft_make(struct draft *d, const struct tide_unwind_area *areas, size_t cnt)
{
	TIDE_AUTO_FREE const struct tide_unwind_area **sorted = calloc(cnt + 1, sizeof(*sorted));
	int r;

	d->mappings = calloc(cnt + 1, sizeof(*d->mappings));
	d->objects = calloc(cnt + 1, sizeof(*d->objects));
	if (!sorted || !d->mappings || !d->objects)
		return -ENOMEM;
	for (size_t i = 0; i < cnt; i++)
		sorted[i] = &areas[i];
	qsort(sorted, cnt, sizeof(*sorted), compare_areas);
	d->tables->stats.mappings_dropped = 0;
	for (size_t i = 0; i < cnt; i++) {
		r = draft_area(d, sorted[i]);
		if (r)
			return r;
	}
	return 0;
}

/* ---- into the kernel ---- */

static int push_blocks(struct tide_unwind_tables *t, pid_t tgid,
		       const struct tide_unwind_map_block *blocks, uint32_t cnt)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	TIDE_AUTO_FD int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tide_uw_process",
					     sizeof(uint32_t), sizeof(*blocks), cnt, &opts);
	uint32_t key = tgid;
	int r;

	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < cnt; i++) {
		r = bpf_map_update_elem(fd, &i, &blocks[i], BPF_ANY);
		if (r)
			return r;
	}
	r = bpf_map_update_elem(t->maps.procs_fd, &key, &fd, BPF_ANY);
	return r == -E2BIG ? -ENOSPC : r;
}

static int publish(struct draft *d, struct process *p)
{
	TIDE_AUTO_FREE struct tide_unwind_map_block *blocks = NULL;
	struct tide_unwind_tables *t = d->tables;
	uint32_t generation, cnt;
	int r = next_generation(t, &generation);

	if (r)
		return r;
	r = tide_unwind_map_blocks(d->mappings, d->mapping_cnt, generation, &blocks, &cnt);
	if (r)
		return r;
	r = push_blocks(t, p->tgid, blocks, cnt);
	if (r)
		return r;
	t->in_use[p->generation] = false;
	t->in_use[generation] = true;
	p->generation = generation;
	t->stats.updates++;
	return 0;
}

static bool same_as_before(const struct draft *d, const struct process *p)
{
	return p->generation && p->mapping_cnt == d->mapping_cnt &&
	       !memcmp(p->mappings, d->mappings, d->mapping_cnt * sizeof(*d->mappings));
}

/* The process takes the draft's references and table, the draft what the process had. */
static void exchange(struct draft *d, struct process *p)
{
	struct draft old = {
		.tables = d->tables,
		.mappings = p->mappings,
		.mapping_cnt = p->mapping_cnt,
		.objects = p->objects,
		.object_cnt = p->object_cnt,
	};

	p->mappings = d->mappings;
	p->mapping_cnt = d->mapping_cnt;
	p->objects = d->objects;
	p->object_cnt = d->object_cnt;
	*d = old;
}

int tide_unwind_tables_update(struct tide_unwind_tables *t, pid_t tgid,
			      const struct tide_unwind_area *areas, size_t cnt)
{
	TIDE_CLEANUP(draft_done) struct draft d = {.tables = t};
	TIDE_AUTO_FREE struct process *fresh = NULL;
	struct process *p = *find_process(t, tgid);
	int r = draft_make(&d, areas, cnt);

	if (r)
		return r;
	if (!p) {
		if (t->stats.procs == TIDE_UNWIND_MAX_PROCS)
			return -ENOSPC;
		p = fresh = calloc(1, sizeof(*fresh));
		if (!fresh)
			return -ENOMEM;
		fresh->tgid = tgid;
	}
	if (same_as_before(&d, p))
		return 0;
	r = tide_unwind_objects_flush(t->objects);
	if (!r)
		r = publish(&d, p);
	if (r)
		return r;
	exchange(&d, p);
	if (fresh) {
		fresh->next = t->procs;
		t->procs = TIDE_TAKE_PTR(fresh);
		t->stats.procs++;
	}
	return 0;
}

void tide_unwind_tables_remove(struct tide_unwind_tables *t, pid_t tgid)
{
	TIDE_CLEANUP(draft_done) struct draft d = {.tables = t};
	struct process **at = find_process(t, tgid), *p = *at;
	uint32_t key = tgid;

	if (!p)
		return;
	/* Fails only if the maps are gone already, and the table with them. */
	(void)bpf_map_delete_elem(t->maps.procs_fd, &key);
	exchange(&d, p);
	t->in_use[p->generation] = false;
	*at = p->next;
	free(p);
	t->stats.procs--;
}

void tide_unwind_tables_stats(const struct tide_unwind_tables *t,
			      struct tide_unwind_tables_stats *ret)
{
	*ret = t->stats;
	tide_unwind_objects_stats(t->objects, &ret->objects);
}
