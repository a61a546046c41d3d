/* The list only grows: a compiler that frees code and puts other code there writes another line.
 * So it is read from its end, the newer line wins, and a list beyond the bounds loses its oldest
 * part. Reading waits for the first address that is in no file: most programs have none.
 */
#include "symbolize/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

/* Entries that overlap an address: so many are looked at. */
#define MAX_STEPS_BACK 64
#define STATUS_BYTES   16384

static int compare_entries(const void *left, const void *right)
{
	const struct tide_perf_map_entry *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->name_off == b->name_off ? 0 : a->name_off < b->name_off ? -1 : 1;
}

/* Hex digits up to a blank, with or without 0x. */
static bool parse_hex(const char **at, uint64_t *ret)
{
	const char *text = *at;
	uint64_t value = 0;
	size_t digits;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	digits = strspn(text, "0123456789abcdefABCDEF");
	if (!digits || digits > 16 || text[digits] != ' ')
		return false;
	for (size_t i = 0; i < digits; i++) {
		int digit = text[i] <= '9' ? text[i] - '0' : (text[i] | 0x20) - 'a' + 10;

		value = value << 4 | (uint64_t)digit;
	}
	*at = text + digits + 1;
	*ret = value;
	return true;
}

static bool parse_line(const char *text, const char *line, struct tide_perf_map_entry *ret)
{
	uint64_t start, size_bytes;

	if (!parse_hex(&line, &start) || !parse_hex(&line, &size_bytes) || !*line || !size_bytes ||
	    start + size_bytes < start)
		return false;
	ret->start = start;
	ret->size_bytes = size_bytes < UINT32_MAX ? (uint32_t)size_bytes : UINT32_MAX;
	ret->name_off = (uint32_t)(line - text);
	return true;
}

static int add_entry(struct tide_perf_map *map, size_t *capacity,
		     const struct tide_perf_map_entry *entry)
{
	if (map->cnt == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 1024;
		struct tide_perf_map_entry *entries =
			reallocarray(map->entries, wanted, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		map->entries = entries;
		*capacity = wanted;
	}
	map->entries[map->cnt++] = *entry;
	return 0;
}

int tide_perf_map_parse(struct tide_perf_map *map, char *text, size_t len)
{
	char *end = len ? memrchr(text, '\n', len) : NULL;
	size_t capacity = 0;

	*map = (struct tide_perf_map){.text = text};
	while (end && map->cnt < TIDE_PERF_MAP_MAX_ENTRIES) {
		char *before = end > text ? memrchr(text, '\n', end - text) : NULL;
		struct tide_perf_map_entry entry;

		*end = '\0';
		if (parse_line(text, before ? before + 1 : text, &entry) &&
		    add_entry(map, &capacity, &entry) < 0) {
			tide_perf_map_done(map);
			return -ENOMEM;
		}
		end = before;
	}
	if (map->cnt)
		qsort(map->entries, map->cnt, sizeof(*map->entries), compare_entries);
	return 0;
}

void tide_perf_map_done(struct tide_perf_map *map)
{
	free(map->entries);
	free(map->text);
	*map = (struct tide_perf_map){0};
}

const char *tide_perf_map_find(const struct tide_perf_map *map, uint64_t addr)
{
	const struct tide_perf_map_entry *newest = NULL;
	size_t low = 0, high = map->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (map->entries[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t step = 0; step < MAX_STEPS_BACK && step < low; step++) {
		const struct tide_perf_map_entry *entry = &map->entries[low - 1 - step];

		if (addr - entry->start < entry->size_bytes &&
		    (!newest || entry->name_off > newest->name_off))
			newest = entry;
	}
	return newest ? map->text + newest->name_off : NULL;
}

/* ---- the file ---- */

struct tide_perf_file {
	int root_fd; /* O_PATH: the target's root */
	int fd;	     /* -1: there is none, or all of it has been read */
	char path[32];
	uid_t uids[4];	  /* real, effective, saved, file system */
	struct stat read; /* the file when it was last read */
	struct tide_perf_map map;
};

/* The last number of a line of /proc/PID/status: of NSpid, the innermost namespace's. */
static void read_identity(struct tide_perf_file *file, pid_t tgid)
{
	TIDE_AUTO_FD int fd = -1;
	char path[64], text[STATUS_BYTES];
	const char *line, *last;
	unsigned int uids[4];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/status", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	text[len > 0 ? len : 0] = '\0';
	line = strstr(text, "\nUid:");
	if (line && sscanf(line + 5, "%u %u %u %u", &uids[0], &uids[1], &uids[2], &uids[3]) == 4)
		for (size_t i = 0; i < TIDE_ARRAY_CNT(uids); i++)
			file->uids[i] = uids[i];
	snprintf(file->path, sizeof(file->path), "tmp/perf-%d.map", tgid);
	line = strstr(text, "\nNSpid:");
	last = line ? line + 7 + strcspn(line + 7, "\n") : NULL;
	while (last && last > line + 7 && last[-1] >= '0' && last[-1] <= '9')
		last--;
	if (last && atoi(last) > 0)
		snprintf(file->path, sizeof(file->path), "tmp/perf-%d.map", atoi(last));
}

int tide_perf_file_new(const struct tide_proc *proc, struct tide_perf_file **ret)
{
	struct tide_perf_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->fd = -1;
	file->root_fd = fcntl(proc->root_fd, F_DUPFD_CLOEXEC, 0);
	read_identity(file, proc->tgid);
	tide_perf_file_refresh(file);
	*ret = file;
	return 0;
}

void tide_perf_file_free(struct tide_perf_file **file)
{
	struct tide_perf_file *gone = *file;

	if (!gone)
		return;
	if (gone->fd >= 0)
		close(gone->fd);
	if (gone->root_fd >= 0)
		close(gone->root_fd);
	tide_perf_map_done(&gone->map);
	free(gone);
	*file = NULL;
}

static bool is_owned(const struct tide_perf_file *file, uid_t owner)
{
	for (size_t i = 0; i < TIDE_ARRAY_CNT(file->uids); i++)
		if (owner == file->uids[i])
			return true;
	return owner == 0;
}

static bool was_read(const struct tide_perf_file *file, const struct stat *st)
{
	return st->st_dev == file->read.st_dev && st->st_ino == file->read.st_ino &&
	       st->st_size == file->read.st_size &&
	       st->st_mtim.tv_sec == file->read.st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == file->read.st_mtim.tv_nsec;
}

void tide_perf_file_refresh(struct tide_perf_file *file)
{
	struct open_how how = {
		/* A pipe must not hold us up. */
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	TIDE_AUTO_FD int fd =
		(int)syscall(SYS_openat2, file->root_fd, file->path, &how, sizeof(how));
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_owned(file, st.st_uid) ||
	    was_read(file, &st))
		return;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = TIDE_TAKE_FD(fd);
}

/* The last len bytes of a file of size_bytes; fewer when it has shrunk. */
static size_t read_end(int fd, off_t size_bytes, char *text, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t r = pread(fd, text + got, len - got, size_bytes - (off_t)(len - got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

/* What was known before is kept when the file cannot be read. */
static void read_file(struct tide_perf_file *file)
{
	TIDE_AUTO_FD int fd = file->fd;
	struct tide_perf_map map;
	struct stat st;
	size_t len;
	char *text;

	file->fd = -1;
	if (fstat(fd, &st) || st.st_size <= 0)
		return;
	len = st.st_size < (off_t)TIDE_PERF_MAP_MAX_BYTES ? (size_t)st.st_size
							  : TIDE_PERF_MAP_MAX_BYTES;
	text = malloc(len + 1);
	if (!text)
		return;
	len = read_end(fd, st.st_size, text, len);
	if (tide_perf_map_parse(&map, text, len) < 0)
		return;
	tide_debug("%s: %zu names", file->path, map.cnt);
	tide_perf_map_done(&file->map);
	file->map = map;
	file->read = st;
}

const char *tide_perf_file_find(struct tide_perf_file *file, uint64_t addr)
{
	if (file->fd >= 0)
		read_file(file);
	return tide_perf_map_find(&file->map, addr);
}
