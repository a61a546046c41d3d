/* Reads the BPF maps from userspace: the live map again after losses, totals, stacks, counters.
 *
 * Batches. BPF_MAP_LOOKUP_BATCH walks bucket by bucket under the bucket's lock, so an entry that
 * stays in the map is read exactly once (kernel/bpf/hashtab.c,
 * __htab_map_lookup_and_delete_batch); -ENOSPC means that one bucket holds more than the batch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/internal.h"

#include <bpf/bpf.h>

#include "base/util.h"

#define BATCH_CNT     4096u
#define BATCH_MAX_CNT (1u << 20)

struct batch {
	void *keys, *values;
	uint32_t room_cnt;
	size_t key_sz, value_sz;
};

static void batch_done(struct batch *b)
{
	free(b->keys);
	free(b->values);
}

static int batch_resize(struct batch *b, uint32_t room_cnt)
{
	void *keys = realloc(b->keys, room_cnt * b->key_sz);
	void *values;

	if (!keys)
		return -ENOMEM;
	b->keys = keys;
	values = realloc(b->values, room_cnt * b->value_sz);
	if (!values)
		return -ENOMEM;
	b->values = values;
	b->room_cnt = room_cnt;
	return 0;
}

typedef int (*entry_fn)(const void *key, const void *value, void *ctx);

static int batch_hand_over(const struct batch *b, uint32_t cnt, entry_fn fn, void *ctx)
{
	for (uint32_t i = 0; i < cnt; i++) {
		int err = fn((char *)b->keys + i * b->key_sz, (char *)b->values + i * b->value_sz,
			     ctx);

		if (err)
			return err;
	}
	return 0;
}

static int map_foreach(int map_fd, struct batch *b, entry_fn fn, void *ctx)
{
	uint64_t from = 0, next = 0; /* the kernel's cursor: a bucket number, 4 bytes */
	bool first = true;
	int err;

	err = batch_resize(b, BATCH_CNT);
	while (!err) {
		uint32_t cnt = b->room_cnt;
		int end = bpf_map_lookup_batch(map_fd, first ? NULL : &from, &next, b->keys,
					       b->values, &cnt, NULL);

		if (end == -ENOSPC && b->room_cnt < BATCH_MAX_CNT) {
			err = batch_resize(b, b->room_cnt * 2);
			continue;
		}
		if (end && end != -ENOENT)
			return end;
		err = batch_hand_over(b, cnt, fn, ctx);
		if (end == -ENOENT)
			break;
		from = next;
		first = false;
	}
	return err;
}

struct live_ctx {
	tide_live_fn fn;
	void *ctx;
};

static int live_entry(const void *key, const void *value, void *ctx)
{
	const struct live_ctx *c = ctx;

	return c->fn(*(const uint64_t *)key, value, c->ctx);
}

int tide_probe_read_live(struct tide_probe *p, tide_live_fn fn, void *ctx)
{
	TIDE_CLEANUP(batch_done)
	struct batch b = {.key_sz = sizeof(uint64_t), .value_sz = sizeof(struct tide_live_block)};
	struct live_ctx c = {fn, ctx};

	return map_foreach(p->live_fd, &b, live_entry, &c);
}

static int thread_entry(const void *key, const void *value, void *ctx)
{
	const struct tide_thread *thread = value;
	const struct live_ctx *c = ctx;

	(void)key;
	return thread->old_addr ? c->fn(thread->old_addr, &thread->old, c->ctx) : 0;
}

int tide_probe_read_in_flight(struct tide_probe *p, tide_live_fn fn, void *ctx)
{
	TIDE_CLEANUP(batch_done)
	struct batch b = {.key_sz = sizeof(uint32_t), .value_sz = sizeof(struct tide_thread)};
	struct live_ctx c = {fn, ctx};

	return map_foreach(p->threads_fd, &b, thread_entry, &c);
}

struct site_ctx {
	tide_site_fn fn;
	void *ctx;
};

static int site_entry(const void *key, const void *value, void *ctx)
{
	const struct site_ctx *c = ctx;

	return c->fn(*(const uint64_t *)key, value, c->ctx);
}

int tide_probe_read_sites(struct tide_probe *p, tide_site_fn fn, void *ctx)
{
	TIDE_CLEANUP(batch_done)
	struct batch b = {.key_sz = sizeof(uint64_t), .value_sz = sizeof(struct tide_site_totals)};
	struct site_ctx c = {fn, ctx};

	return map_foreach(p->sites_fd, &b, site_entry, &c);
}

int tide_probe_read_stack(struct tide_probe *p, uint64_t stack_key, struct tide_stack *ret)
{
	return bpf_map_lookup_elem(p->stacks_fd, &stack_key, ret);
}

int tide_probe_read_stats(struct tide_probe *p, uint64_t ret[TIDE_STAT_CNT])
{
	TIDE_AUTO_FREE uint64_t *by_cpu = NULL;
	uint32_t zero = 0;
	int err;

	by_cpu = calloc((size_t)p->cpu_cnt, TIDE_STAT_CNT * sizeof(uint64_t));
	if (!by_cpu)
		return -ENOMEM;
	err = bpf_map_lookup_elem(p->stats_fd, &zero, by_cpu);
	if (err)
		return err;
	memset(ret, 0, TIDE_STAT_CNT * sizeof(uint64_t));
	for (int cpu = 0; cpu < p->cpu_cnt; cpu++)
		for (int i = 0; i < TIDE_STAT_CNT; i++)
			ret[i] += by_cpu[(size_t)cpu * TIDE_STAT_CNT + (size_t)i];
	return 0;
}

/* Bytes of one hash entry: the kernel's 48-byte head (struct htab_elem), key and value, rounded up
 * to bpf_mem_alloc's size classes (kernel/bpf/memalloc.c: 96, 192, then powers of two).
 */
static uint64_t entry_bytes(uint64_t key_value_bytes)
{
	static const uint64_t classes[] = {64, 96, 128, 192, 256, 512, 1024, 2048, 4096};
	uint64_t bytes = 48 + key_value_bytes;

	for (size_t i = 0; i < TIDE_ARRAY_CNT(classes); i++)
		if (bytes <= classes[i])
			return classes[i];
	return bytes;
}

static uint64_t buckets_bytes(uint64_t max_entries)
{
	uint64_t cnt = 1;

	while (cnt < max_entries)
		cnt <<= 1;
	return cnt * 16; /* struct bucket: a list head and a lock */
}

uint64_t tide_probe_kernel_bytes(const struct tide_probe *p, uint64_t live_blocks, uint64_t sites)
{
	const struct tide_probe_opts *o = &p->opts;
	uint64_t bytes =
		o->ring_bytes + buckets_bytes(o->max_blocks) + 2 * buckets_bytes(o->max_sites);

	bytes += live_blocks * entry_bytes(8 + sizeof(struct tide_live_block));
	bytes += sites * (entry_bytes(8 + sizeof(struct tide_site_totals)) +
			  entry_bytes(8 + sizeof(struct tide_stack)));
	return bytes;
}
