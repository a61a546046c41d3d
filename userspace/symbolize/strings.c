#include "symbolize/strings.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define FIRST_BUCKET_CNT 256

struct string {
	struct string *next;
	uint64_t hash;
	char text[];
};

struct tide_strings {
	struct string **buckets;
	size_t bucket_cnt; /* a power of two */
	size_t string_cnt;
	size_t text_bytes;
};

/* FNV-1a, 64 bits: offset basis and prime as its authors give them. */
static uint64_t hash_of(const char *text, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
	return hash;
}

int tide_strings_new(struct tide_strings **ret)
{
	struct tide_strings *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	set->buckets = calloc(FIRST_BUCKET_CNT, sizeof(*set->buckets));
	if (!set->buckets) {
		free(set);
		return -ENOMEM;
	}
	set->bucket_cnt = FIRST_BUCKET_CNT;
	*ret = set;
	return 0;
}

void tide_strings_free(struct tide_strings **set)
{
	struct tide_strings *s = *set;

	if (!s)
		return;
	for (size_t i = 0; i < s->bucket_cnt; i++) {
		while (s->buckets[i]) {
			struct string *gone = s->buckets[i];

			s->buckets[i] = gone->next;
			free(gone);
		}
	}
	free(s->buckets);
	free(s);
	*set = NULL;
}

/* Without memory for more buckets the chains grow, which is slower and still right. */
static void grow(struct tide_strings *set)
{
	size_t cnt = set->bucket_cnt * 2;
	struct string **buckets = calloc(cnt, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < set->bucket_cnt; i++) {
		while (set->buckets[i]) {
			struct string *moved = set->buckets[i];
			struct string **bucket = &buckets[moved->hash & (cnt - 1)];

			set->buckets[i] = moved->next;
			moved->next = *bucket;
			*bucket = moved;
		}
	}
	free(set->buckets);
	set->buckets = buckets;
	set->bucket_cnt = cnt;
}

static const char *add(struct tide_strings *set, const char *text, size_t len, uint64_t hash)
{
	struct string *added, **bucket;

	if (len >= TIDE_STRINGS_MAX_BYTES - set->text_bytes)
		return NULL;
	added = malloc(sizeof(*added) + len + 1);
	if (!added)
		return NULL;
	if (set->string_cnt >= set->bucket_cnt)
		grow(set);
	memcpy(added->text, text, len + 1);
	added->hash = hash;
	bucket = &set->buckets[hash & (set->bucket_cnt - 1)];
	added->next = *bucket;
	*bucket = added;
	set->string_cnt++;
	set->text_bytes += len + 1;
	return added->text;
}

const char *tide_strings_keep(struct tide_strings *set, const char *text)
{
	size_t len;
	uint64_t hash;

	if (!text)
		return NULL;
	len = strlen(text);
	hash = hash_of(text, len);
	for (const struct string *s = set->buckets[hash & (set->bucket_cnt - 1)]; s; s = s->next)
		if (s->hash == hash && !strcmp(s->text, text))
			return s->text;
	return add(set, text, len, hash);
}
