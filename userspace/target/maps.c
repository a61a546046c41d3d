/* /proc/PID/maps, line by line:
 *
 *	7f1c2a000000-7f1c2a021000 r-xp 00026000 fe:00 1048601      /usr/lib/libc.so.6 (deleted)
 *	start        end          perm offset   dev   inode        path
 *
 * The path runs to the end of the line: it may hold blanks, and a newline in it is written
 * "\012" (a backslash is not escaped, so a name that really holds those four characters looks the
 * same; whoever opens the file checks its inode).
 */
#include "target/maps.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "target/procfs.h"

#define DELETED_MARK " (deleted)"
/* Paths are written once for a run of mappings of one file: far beyond any real process. */
#define PATHS_MAX_BYTES (256u << 20)

static int parse_hex(const char **at, uint64_t *ret)
{
	uint64_t value = 0;
	const char *text = *at;

	for (; isxdigit((unsigned char)*text); text++) {
		unsigned digit = (unsigned char)*text;

		if (value >> 60)
			return -EINVAL;
		digit = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
		value = value << 4 | digit;
	}
	if (text == *at)
		return -EINVAL;
	*at = text;
	*ret = value;
	return 0;
}

/* A hexadecimal number and the one character that must follow it, consumed too. */
static int parse_hex_until(const char **at, char delimiter, uint64_t *ret)
{
	if (parse_hex(at, ret) < 0 || **at != delimiter)
		return -EINVAL;
	(*at)++;
	return 0;
}

static int parse_perms(const char **at, struct tide_mapping *m)
{
	static const char set[] = "rwxs", clear[] = "---p";
	bool on[4];

	for (int i = 0; i < 4; i++) {
		char c = (*at)[i];

		if (c == '\0' || (c != set[i] && c != clear[i]))
			return -EINVAL;
		on[i] = c == set[i];
	}
	if ((*at)[4] != ' ')
		return -EINVAL;
	m->read = on[0];
	m->write = on[1];
	m->exec = on[2];
	m->shared = on[3];
	*at += 5;
	return 0;
}

int tide_mapping_parse(const char *line, struct tide_mapping *ret, const char **ret_path,
		       size_t *ret_path_len)
{
	struct tide_mapping m = {};
	const size_t mark_len = strlen(DELETED_MARK);
	const char *at = line;
	uint64_t major, minor;
	size_t len;

	if (parse_hex_until(&at, '-', &m.start) < 0 || parse_hex_until(&at, ' ', &m.end) < 0)
		return -EINVAL;
	if (m.start >= m.end || parse_perms(&at, &m) < 0)
		return -EINVAL;
	if (parse_hex_until(&at, ' ', &m.file_off) < 0 || parse_hex_until(&at, ':', &major) < 0 ||
	    parse_hex_until(&at, ' ', &minor) < 0 || major > UINT32_MAX || minor > UINT32_MAX)
		return -EINVAL;
	if (tide_procfs_parse_dec(at, &m.inode, &at) < 0 || (*at != ' ' && *at != '\0'))
		return -EINVAL;
	m.dev_major = (uint32_t)major;
	m.dev_minor = (uint32_t)minor;
	at += strspn(at, " ");
	len = strlen(at);
	if (*at == '/' && len > mark_len && !strcmp(at + len - mark_len, DELETED_MARK)) {
		m.deleted = true;
		len -= mark_len;
	}
	*ret = m;
	*ret_path = at;
	*ret_path_len = len;
	return 0;
}

/* Copies a path of len bytes, "\012" as a newline; to has room for len + 1. Returns its length. */
static size_t copy_path(char *to, const char *path, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; out++) {
		if (len - i >= 4 && !memcmp(path + i, "\\012", 4)) {
			to[out] = '\n';
			i += 4;
		} else {
			to[out] = path[i++];
		}
	}
	to[out] = '\0';
	return out;
}

struct reader {
	struct tide_maps maps;
	size_t mappings_sz, paths_used;
	uint32_t last_path_off;
};

static int reserve_mapping(struct reader *rd)
{
	size_t sz = rd->mappings_sz ? rd->mappings_sz * 2 : 128;
	struct tide_mapping *grown;

	if (rd->maps.cnt < rd->mappings_sz)
		return 0;
	grown = realloc(rd->maps.mappings, sz * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	rd->maps.mappings = grown;
	rd->mappings_sz = sz;
	return 0;
}

static int reserve_path(struct reader *rd, size_t len)
{
	size_t need = rd->paths_used + len + 1;
	size_t sz = rd->maps.paths_sz ? rd->maps.paths_sz : 4096;
	char *grown;

	if (need <= rd->maps.paths_sz)
		return 0;
	if (need > PATHS_MAX_BYTES)
		return -EFBIG;
	while (sz < need)
		sz *= 2;
	grown = realloc(rd->maps.paths, sz);
	if (!grown)
		return -ENOMEM;
	rd->maps.paths = grown;
	rd->maps.paths_sz = sz;
	return 0;
}

/* Offset of the path among the paths; 0 is the empty one. A file's mappings come in a row. */
static int store_path(struct reader *rd, const char *path, size_t len, uint32_t *ret_off)
{
	size_t off = rd->paths_used, copied;
	int r;

	if (len == 0) {
		*ret_off = 0;
		return 0;
	}
	r = reserve_path(rd, len);
	if (r < 0)
		return r;
	copied = copy_path(rd->maps.paths + off, path, len);
	if (!strcmp(rd->maps.paths + off, rd->maps.paths + rd->last_path_off)) {
		*ret_off = rd->last_path_off;
		return 0;
	}
	rd->paths_used += copied + 1;
	rd->last_path_off = (uint32_t)off;
	*ret_off = (uint32_t)off;
	return 0;
}

static int add_line(struct reader *rd, const char *line)
{
	struct tide_mapping m;
	const char *path;
	size_t path_len;
	int r = tide_mapping_parse(line, &m, &path, &path_len);

	if (r < 0)
		return r;
	r = store_path(rd, path, path_len, &m.path_off);
	if (r < 0)
		return r;
	r = reserve_mapping(rd);
	if (r < 0)
		return r;
	rd->maps.mappings[rd->maps.cnt++] = m;
	return 0;
}

static int read_lines(struct reader *rd, struct tide_procfs_lines *lines)
{
	const char *line;
	int r;

	r = reserve_path(rd, 0);
	if (r < 0)
		return r;
	rd->maps.paths[0] = '\0';
	rd->paths_used = 1;
	while ((r = tide_procfs_next_line(lines, &line)) > 0) {
		if (rd->maps.cnt >= TIDE_MAX_MAPPINGS) {
			rd->maps.truncated = true;
			return 0;
		}
		r = add_line(rd, line);
		if (r < 0)
			return r;
	}
	return r;
}

static int read_maps(pid_t tid, struct tide_maps *ret)
{
	TIDE_CLEANUP(tide_procfs_lines_done) struct tide_procfs_lines lines = {.fd = -1};
	struct reader rd = {};
	int r = tide_procfs_lines_open(tid, "maps", &lines);

	if (r == 0)
		r = read_lines(&rd, &lines);
	if (r < 0) {
		tide_maps_done(&rd.maps);
		return r;
	}
	*ret = rd.maps;
	return 0;
}

int tide_maps_read(pid_t tgid, struct tide_maps *ret)
{
	struct tide_maps maps = {};
	pid_t tid;
	int r = tide_proc_live_tid(tgid, &tid);

	if (r < 0)
		return r;
	r = read_maps(tid, &maps);
	/* The file of a process that ends just stops, or cannot be opened any more by others than
	 * root: an end without a living process is not the end of the mappings.
	 */
	if ((r == 0 && maps.cnt == 0) || tide_proc_live_tid(tgid, &tid) < 0)
		r = -ESRCH;
	if (r < 0) {
		tide_maps_done(&maps);
		return r;
	}
	*ret = maps;
	return 0;
}

void tide_maps_done(struct tide_maps *maps)
{
	free(maps->mappings);
	free(maps->paths);
	*maps = (struct tide_maps){};
}

const char *tide_mapping_path(const struct tide_maps *maps, const struct tide_mapping *m)
{
	return maps->paths + m->path_off;
}

const struct tide_mapping *tide_maps_find(const struct tide_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct tide_mapping *m = &maps->mappings[mid];

		if (addr < m->start)
			high = mid;
		else if (addr >= m->end)
			low = mid + 1;
		else
			return m;
	}
	return NULL;
}
