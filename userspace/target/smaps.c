#include "target/smaps.h"

#include <errno.h>
#include <string.h>

#include "target/procfs.h"

static bool path_starts_with(const char *path, size_t path_len, const char *prefix)
{
	size_t len = strlen(prefix);

	return path_len >= len && !memcmp(path, prefix, len);
}

static bool path_is(const char *path, size_t path_len, const char *text)
{
	return path_len == strlen(text) && path_starts_with(path, path_len, text);
}

/* Names in brackets: fs/proc/task_mmu.c and arch_vma_name(). "anon" names are the program's
 * (prctl PR_SET_VMA_ANON_NAME).
 */
static enum tide_rss_kind kind_of_bracketed(const struct tide_mapping *m, const char *path,
					    size_t path_len)
{
	if (path_is(path, path_len, "[heap]"))
		return TIDE_RSS_HEAP;
	/* Kernels before 4.5 wrote "[stack:TID]" for threads. */
	if (path_starts_with(path, path_len, "[stack"))
		return TIDE_RSS_STACK;
	if (path_starts_with(path, path_len, "[anon_shmem:"))
		return TIDE_RSS_SHMEM;
	if (path_starts_with(path, path_len, "[anon:"))
		return m->shared ? TIDE_RSS_SHMEM : TIDE_RSS_ANON;
	return TIDE_RSS_OTHER;
}

enum tide_rss_kind tide_rss_kind_of(const struct tide_mapping *m, const char *path, size_t path_len)
{
	if (path_len == 0)
		return m->shared ? TIDE_RSS_SHMEM : TIDE_RSS_ANON;
	if (path[0] == '[')
		return kind_of_bracketed(m, path, path_len);
	if (path[0] != '/')
		return TIDE_RSS_OTHER;
	/* Shared anonymous memory is a file of the kernel's that goes by this name. */
	if (path_is(path, path_len, "/dev/zero"))
		return m->shared ? TIDE_RSS_SHMEM : TIDE_RSS_ANON;
	if (path_starts_with(path, path_len, "/dev/shm/") ||
	    path_starts_with(path, path_len, "/memfd:") ||
	    path_starts_with(path, path_len, "/SYSV"))
		return TIDE_RSS_SHMEM;
	/* "/[aio]", "/[perf]": rings that the kernel made. */
	if (path_starts_with(path, path_len, "/["))
		return TIDE_RSS_OTHER;
	return TIDE_RSS_FILE;
}

int tide_smaps_parse_kb(const char *line, const char *key, uint64_t *ret_bytes)
{
	size_t key_len = strlen(key);
	uint64_t bytes;
	const char *at;

	/* The key may be given with its colon or without. */
	if (strncmp(line, key, key_len))
		return -EINVAL;
	at = line + key_len;
	if (key_len == 0 || key[key_len - 1] != ':')
		if (*at++ != ':')
			return -EINVAL;
	at += strspn(at, " \t");
	if (tide_procfs_parse_dec(at, &bytes, &at) < 0 || strncmp(at, " kB", 3) ||
	    (at[3] != '\0' && at[3] != '\n'))
		return -EINVAL;
	if (__builtin_mul_overflow(bytes, 1024, &bytes))
		return -EINVAL;
	*ret_bytes = bytes;
	return 0;
}

static uint64_t *sum_of(struct tide_rss *sums, enum tide_rss_kind kind)
{
	switch (kind) {
	case TIDE_RSS_HEAP:
		return &sums->heap_bytes;
	case TIDE_RSS_STACK:
		return &sums->stack_bytes;
	case TIDE_RSS_FILE:
		return &sums->file_bytes;
	case TIDE_RSS_SHMEM:
		return &sums->shmem_bytes;
	case TIDE_RSS_ANON:
		return &sums->anon_bytes;
	case TIDE_RSS_OTHER:
		break;
	}
	return &sums->other_bytes;
}

enum tide_smaps_line tide_smaps_feed(struct tide_smaps *state, const char *line,
				     uint64_t *ret_bytes)
{
	const char *path;
	size_t path_len;
	uint64_t bytes, sum;

	if (state->in_mapping && tide_smaps_parse_kb(line, "Rss:", &bytes) == 0) {
		if (__builtin_add_overflow(state->sums.rss_bytes, bytes, &sum))
			return TIDE_SMAPS_IGNORED;
		state->sums.rss_bytes = sum;
		*sum_of(&state->sums, state->kind) += bytes;
		*ret_bytes = bytes;
		return TIDE_SMAPS_RSS;
	}
	if (tide_mapping_parse(line, &state->mapping, &path, &path_len) < 0)
		return TIDE_SMAPS_IGNORED;
	state->kind = tide_rss_kind_of(&state->mapping, path, path_len);
	state->in_mapping = true;
	return TIDE_SMAPS_MAPPING;
}
