#include "container.h"

#include <stdlib.h>

#include <uthash.h>

struct node {
	uint64_t key;
	struct bench_value value;
	UT_hash_handle hh;
};

struct table {
	struct node *head;
};

const char *bench_name(void)
{
	return "uthash";
}

void *bench_new(void)
{
	return calloc(1, sizeof(struct table));
}

static struct node *find(const struct table *table, uint64_t key)
{
	struct node *node;

	HASH_FIND(hh, table->head, &key, sizeof(key), node);
	return node;
}

void bench_put(void *map, uint64_t key, const struct bench_value *value)
{
	struct table *table = map;
	struct node *node = find(table, key);

	if (!node) {
		node = malloc(sizeof(*node));
		if (!node)
			abort();
		node->key = key;
		HASH_ADD(hh, table->head, key, sizeof(key), node);
	}
	node->value = *value;
}

bool bench_get(const void *map, uint64_t key, struct bench_value *ret)
{
	const struct node *node = find(map, key);

	if (!node)
		return false;
	*ret = node->value;
	return true;
}

bool bench_del(void *map, uint64_t key)
{
	struct table *table = map;
	struct node *node = find(table, key);

	if (!node)
		return false;
	HASH_DELETE(hh, table->head, node);
	free(node);
	return true;
}

/* uthash has no call for it. */
void bench_prefetch(const void *map, uint64_t key)
{
	(void)map;
	(void)key;
}

/* uthash has no call for it. */
void bench_shrink(void *map)
{
	(void)map;
}
