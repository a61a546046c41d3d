#include "probe/unwind_objects.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

#define HASH_CNT 4096

struct tide_unwind_object {
	struct tide_unwind_object *next; /* of the same hash */
	char key[96];
	uint32_t slot; /* 0: no table */
	uint32_t ref_cnt;
	uint32_t page_cnt, block_cnt;
	uint64_t first_vaddr, row_cnt;
	struct tide_ehframe_info info;
};

/* Slots whose content changes at the next flush, and the maps that go there. */
struct pending {
	uint32_t *slots;
	int *fds;
	uint32_t cnt, cap;
};

struct tide_unwind_objects {
	int objects_fd, rules_fd;
	int empty_fd; /* an object without rows: what a freed slot holds */
	struct pending added, dropped;
	struct tide_unwind_rules *rules;
	size_t pushed_rules;
	struct tide_unwind_objects_stats stats;
	uint32_t next_slot;
	bool slot_used[TIDE_UNWIND_MAX_OBJECTS];
	struct tide_unwind_object *hash[HASH_CNT];
};

static uint32_t hash_of(const char *key)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h & (HASH_CNT - 1);
}

static void make_key(const struct tide_unwind_source *src, char *key, size_t sz)
{
	if (src->build_id && src->build_id[0])
		snprintf(key, sz, "%s", src->build_id);
	else
		snprintf(key, sz, "%llx:%llu", (unsigned long long)src->dev,
			 (unsigned long long)src->inode);
}

static int create_inner(uint32_t block_cnt)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "tide_uw_object", sizeof(uint32_t),
			      sizeof(struct tide_unwind_block), block_cnt, &opts);
}

static int pending_add(struct pending *p, uint32_t slot, int fd)
{
	uint32_t cap = p->cap ? p->cap * 2 : 64;
	uint32_t *slots;
	int *fds;

	if (p->cnt == p->cap) {
		slots = realloc(p->slots, cap * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		p->slots = slots;
		fds = realloc(p->fds, cap * sizeof(*fds));
		if (!fds)
			return -ENOMEM;
		p->fds = fds;
		p->cap = cap;
	}
	p->slots[p->cnt] = slot;
	p->fds[p->cnt++] = fd;
	return 0;
}

static void pending_done(struct pending *p)
{
	free(p->slots);
	free(p->fds);
	memset(p, 0, sizeof(*p));
}

int tide_unwind_objects_new(int objects_fd, int rules_fd, struct tide_unwind_objects **ret)
{
	TIDE_CLEANUP(tide_unwind_objects_free) struct tide_unwind_objects *o = NULL;
	int r;

	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->objects_fd = objects_fd;
	o->rules_fd = rules_fd;
	o->empty_fd = -1;
	r = tide_unwind_rules_new(&o->rules);
	if (r)
		return r;
	o->empty_fd = create_inner(1);
	if (o->empty_fd < 0)
		return o->empty_fd;
	*ret = TIDE_TAKE_PTR(o);
	return 0;
}

void tide_unwind_objects_free(struct tide_unwind_objects **objects)
{
	struct tide_unwind_objects *o = *objects;

	if (!o)
		return;
	for (size_t i = 0; i < HASH_CNT; i++) {
		while (o->hash[i]) {
			struct tide_unwind_object *obj = o->hash[i];

			o->hash[i] = obj->next;
			free(obj);
		}
	}
	for (uint32_t i = 0; i < o->added.cnt; i++)
		close(o->added.fds[i]);
	pending_done(&o->added);
	pending_done(&o->dropped);
	if (o->empty_fd >= 0)
		close(o->empty_fd);
	tide_unwind_rules_free(&o->rules);
	free(o);
	*objects = NULL;
}

/* ---- into the kernel ---- */

/* Elements [first, first + cnt) of an array map. */
static int push_elements(int fd, uint32_t first, uint32_t cnt, const void *values)
{
	TIDE_AUTO_FREE uint32_t *keys = malloc((size_t)cnt * sizeof(*keys));
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = cnt;
	int r;

	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < cnt; i++)
		keys[i] = first + i;
	r = bpf_map_update_batch(fd, keys, values, &done, &opts);
	if (r)
		return r;
	return done == cnt ? 0 : -EIO;
}

/* Rules first: a row must never name one that is not there yet. */
static int push_rules(struct tide_unwind_objects *o)
{
	size_t cnt;
	const struct tide_unwind_rule *rules = tide_unwind_rules_get(o->rules, &cnt);
	int r;

	if (cnt == o->pushed_rules)
		return 0;
	r = push_elements(o->rules_fd, o->pushed_rules, cnt - o->pushed_rules,
			  rules + o->pushed_rules);
	if (!r)
		o->pushed_rules = cnt;
	return r;
}

/* The image as an inner map that goes into its slot at the next flush. */
static int push_image(struct tide_unwind_objects *o, const struct tide_unwind_image *image,
		      uint32_t slot)
{
	TIDE_AUTO_FD int fd = -1;
	int r = push_rules(o);

	if (r)
		return r;
	fd = create_inner(image->block_cnt);
	if (fd < 0)
		return fd;
	r = push_elements(fd, 0, image->block_cnt, image->blocks);
	if (r)
		return r;
	r = pending_add(&o->added, slot, fd);
	if (!r)
		(void)TIDE_TAKE_FD(fd); /* pending has it */
	return r;
}

static int put_slots(struct tide_unwind_objects *o, const struct pending *p)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = p->cnt;
	int r;

	if (!p->cnt)
		return 0;
	r = bpf_map_update_batch(o->objects_fd, p->slots, p->fds, &done, &opts);
	return !r && done != p->cnt ? -EIO : r;
}

int tide_unwind_objects_flush(struct tide_unwind_objects *o)
{
	int added = put_slots(o, &o->added), dropped = put_slots(o, &o->dropped);

	/* The outer map keeps the inner ones alive from here on. */
	for (uint32_t i = 0; i < o->added.cnt; i++)
		close(o->added.fds[i]);
	for (uint32_t i = 0; i < o->dropped.cnt; i++)
		o->slot_used[o->dropped.slots[i]] = false;
	o->added.cnt = o->dropped.cnt = 0;
	return added ? added : dropped;
}

/* Slots are taken in turn, so that a freed one rests as long as possible. */
static uint32_t find_slot(struct tide_unwind_objects *o)
{
	for (uint32_t i = 0; i < TIDE_UNWIND_MAX_OBJECTS; i++) {
		uint32_t slot = (o->next_slot + i) % TIDE_UNWIND_MAX_OBJECTS;

		if (!slot || o->slot_used[slot])
			continue;
		o->next_slot = slot + 1;
		return slot;
	}
	return 0;
}

static int compile(struct tide_unwind_objects *o, const struct tide_unwind_source *src,
		   struct tide_unwind_object *obj)
{
	TIDE_CLEANUP(tide_unwind_image_done) struct tide_unwind_image image = {};
	uint64_t begin_ns = tide_clock_monotonic_ns();
	uint32_t slot;
	int r;

	if (src->fd >= 0)
		r = tide_ehframe_compile_fd(src->fd, o->rules, &image, &obj->info);
	else
		r = tide_ehframe_compile_mem(src->data, src->data_bytes, o->rules, &image,
					     &obj->info);
	if (r == -ENOMEM)
		return r;
	/* Code without a table is walked by frame pointers; no reason to give up on the rest. */
	if (r)
		return 0;
	o->stats.compile_ns += tide_clock_monotonic_ns() - begin_ns;
	slot = find_slot(o);
	if (!slot)
		return -ENOSPC;
	r = push_image(o, &image, slot);
	if (r)
		return r;
	o->slot_used[slot] = true;
	obj->slot = slot;
	obj->page_cnt = image.page_cnt;
	obj->block_cnt = image.block_cnt;
	obj->row_cnt = image.row_cnt;
	obj->first_vaddr = image.first_vaddr;
	o->stats.compiled++;
	return 0;
}

static void count_object(struct tide_unwind_objects *o, const struct tide_unwind_object *obj,
			 int sign)
{
	if (!obj->slot) {
		o->stats.without_cfi += sign;
		return;
	}
	o->stats.objects += sign;
	o->stats.blocks += sign * (int64_t)obj->block_cnt;
	o->stats.rows += sign * (int64_t)obj->row_cnt;
}

int tide_unwind_objects_get(struct tide_unwind_objects *o, const struct tide_unwind_source *src,
			    struct tide_unwind_object **ret)
{
	TIDE_AUTO_FREE struct tide_unwind_object *obj = calloc(1, sizeof(*obj));
	struct tide_unwind_object *known;
	uint32_t h;
	int r;

	if (!obj)
		return -ENOMEM;
	make_key(src, obj->key, sizeof(obj->key));
	h = hash_of(obj->key);
	for (known = o->hash[h]; known; known = known->next) {
		if (strcmp(known->key, obj->key))
			continue;
		known->ref_cnt++;
		*ret = known;
		return 0;
	}
	/* Also when the first object has no table: the fixed rules must be there. */
	r = push_rules(o);
	if (!r)
		r = compile(o, src, obj);
	if (r)
		return r;
	obj->ref_cnt = 1;
	obj->next = o->hash[h];
	count_object(o, obj, 1);
	*ret = o->hash[h] = TIDE_TAKE_PTR(obj);
	return 0;
}

void tide_unwind_objects_put(struct tide_unwind_objects *o, struct tide_unwind_object *obj)
{
	struct tide_unwind_object **at = &o->hash[hash_of(obj->key)];

	if (--obj->ref_cnt)
		return;
	while (*at != obj)
		at = &(*at)->next;
	*at = obj->next;
	count_object(o, obj, -1);
	/* Without memory for the note the slot keeps its table, and stays taken. */
	if (obj->slot)
		(void)pending_add(&o->dropped, obj->slot, o->empty_fd);
	free(obj);
}

void tide_unwind_object_map(const struct tide_unwind_object *obj, uint64_t start, uint64_t file_off,
			    struct tide_unwind_mapping *m)
{
	uint64_t vaddr;

	m->base = 0;
	m->object = 0;
	m->rule = TIDE_RULE_NONE;
	if (!obj->slot || tide_ehframe_vaddr(&obj->info, file_off, &vaddr))
		return;
	m->base = start - vaddr + obj->first_vaddr;
	m->object = obj->slot;
	m->page_cnt = obj->page_cnt;
}

void tide_unwind_objects_stats(const struct tide_unwind_objects *o,
			       struct tide_unwind_objects_stats *ret)
{
	size_t rules;

	*ret = o->stats;
	(void)tide_unwind_rules_get(o->rules, &rules);
	ret->rules = rules;
}
