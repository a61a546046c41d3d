/* The memory limit of a process's control group: the least of its group's and all ancestors'.
 *
 *	/proc/PID/cgroup	which group, as seen from our own cgroup namespace
 *	/proc/self/mountinfo	where the hierarchy is mounted for us, and which part of it
 *	<mount>/<group>/memory.max (v2) or memory.limit_in_bytes (v1), then the parents'
 *
 * With v1's memory controller in use its group is the one that counts, also where v2 is mounted
 * beside it (the "hybrid" layout of systemd).
 */
#include "target/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/util.h"
#include "target/proc.h"
#include "target/procfs.h"

#define CGROUP_FILE_MAX_BYTES (256 * 1024)
#define MOUNTINFO_MAX_BYTES   (16 * 1024 * 1024)
/* v1 says "none" as PAGE_COUNTER_MAX pages in bytes, just below 2^63. */
#define UNLIMITED_FROM_BYTES (1ULL << 62)

#define V1_LIMIT_FILE "memory.limit_in_bytes"
#define V2_LIMIT_FILE "memory.max"

/* A comma-separated list that has the word. */
static bool list_has(const char *list, size_t list_len, const char *word)
{
	size_t word_len = strlen(word);

	for (size_t at = 0; at < list_len;) {
		const char *comma = memchr(list + at, ',', list_len - at);
		size_t len = comma ? (size_t)(comma - (list + at)) : list_len - at;

		if (len == word_len && !memcmp(list + at, word, len))
			return true;
		at += len + 1;
	}
	return false;
}

/* "id:controllers:path"; v2 has id 0 and no controllers. Lines of other hierarchies: false. */
static bool parse_cgroup_line(char *line, bool *ret_is_v2, const char **ret_group)
{
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;
	size_t controllers_len;

	if (!group || group[1] != '/')
		return false;
	controllers++;
	controllers_len = (size_t)(group - controllers);
	*ret_is_v2 = controllers_len == 0;
	if (!*ret_is_v2 && !list_has(controllers, controllers_len, "memory"))
		return false;
	*ret_group = group + 1;
	return true;
}

int tide_cgroup_find_group(char *text, const char **ret_group, bool *ret_is_v2)
{
	const char *v1 = NULL, *v2 = NULL, *group;
	char *save = NULL;
	bool is_v2;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!parse_cgroup_line(line, &is_v2, &group))
			continue;
		if (is_v2)
			v2 = group;
		else
			v1 = group;
	}
	if (!v1 && !v2)
		return -ENOENT;
	*ret_is_v2 = !v1;
	*ret_group = v1 ? v1 : v2;
	return 0;
}

/* mountinfo and maps write blanks, newlines and backslashes as \ooo. */
static void unescape_octal(char *text)
{
	char *to = text;

	for (const char *at = text; *at; to++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
		    at[3] >= '0' && at[3] <= '7') {
			*to = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* proc(5): "id parent major:minor root mountpoint options [tags] - type source super-options".
 * Gives root and mount point if it is the hierarchy sought. Changes line.
 */
static bool parse_mount_line(char *line, bool is_v2, const char **ret_root, const char **ret_mount)
{
	char *tail = strstr(line, " - ");
	char *save = NULL, *field[6], *type, *super;

	if (!tail)
		return false;
	*tail = '\0';
	tail += 3;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(field); i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	type = strtok_r(tail, " ", &save);
	if (!type || !strtok_r(NULL, " ", &save))
		return false;
	super = strtok_r(NULL, " ", &save);
	if (!super || strcmp(type, is_v2 ? "cgroup2" : "cgroup"))
		return false;
	if (!is_v2 && !list_has(super, strlen(super), "memory"))
		return false;
	unescape_octal(field[3]);
	unescape_octal(field[4]);
	*ret_root = field[3];
	*ret_mount = field[4];
	return true;
}

/* The group's path below the mount point, or NULL when the mount does not show it. */
static const char *below_root(const char *group, const char *root)
{
	size_t root_len = strlen(root);

	if (!strcmp(root, "/"))
		return group;
	if (strncmp(group, root, root_len) || (group[root_len] != '/' && group[root_len] != '\0'))
		return NULL;
	return group + root_len;
}

static bool climbs(const char *path)
{
	for (const char *at = strstr(path, "/.."); at; at = strstr(at + 3, "/.."))
		if (at[3] == '/' || at[3] == '\0')
			return true;
	return false;
}

int tide_cgroup_find_dir(char *text, const char *group, bool is_v2, char *ret_dir, size_t dir_sz,
			 size_t *ret_mount_len)
{
	const char *root, *mount, *below;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!parse_mount_line(line, is_v2, &root, &mount))
			continue;
		below = below_root(group, root);
		if (!below || climbs(below))
			continue;
		if ((size_t)snprintf(ret_dir, dir_sz, "%s%s", mount, below) >= dir_sz)
			return -ENAMETOOLONG;
		*ret_mount_len = strlen(mount);
		return 0;
	}
	return -ENOENT;
}

static bool read_limit(const char *dir, const char *limit_file, uint64_t *ret_bytes)
{
	char path[PATH_MAX + 64];
	TIDE_AUTO_FREE char *text = NULL;
	TIDE_AUTO_FD int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, limit_file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || tide_procfs_read_fd(fd, 4096, &text, NULL) < 0)
		return false;
	/* "max" has no digit. */
	if (tide_procfs_parse_dec(text, ret_bytes, NULL) < 0)
		return false;
	return *ret_bytes < UNLIMITED_FROM_BYTES;
}

static int read_group(pid_t tgid, char **ret_group, bool *ret_is_v2)
{
	TIDE_AUTO_FREE char *text = NULL;
	const char *group;
	char *copy;
	bool is_v2;
	pid_t tid;
	/* A thread that has ended is in the root group. */
	int r = tide_proc_live_tid(tgid, &tid);

	if (r == 0)
		r = tide_procfs_read(tid, "cgroup", CGROUP_FILE_MAX_BYTES, &text, NULL);
	if (r == 0)
		r = tide_cgroup_find_group(text, &group, &is_v2);
	if (r < 0)
		return r;
	copy = strdup(group);
	if (!copy)
		return -ENOMEM;
	*ret_group = copy;
	*ret_is_v2 = is_v2;
	return 0;
}

static int read_dir(const char *group, bool is_v2, char *ret_dir, size_t dir_sz,
		    size_t *ret_mount_len)
{
	TIDE_AUTO_FD int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	TIDE_AUTO_FREE char *text = NULL;
	int r;

	if (fd < 0)
		return -errno;
	r = tide_procfs_read_fd(fd, MOUNTINFO_MAX_BYTES, &text, NULL);
	if (r < 0)
		return r;
	return tide_cgroup_find_dir(text, group, is_v2, ret_dir, dir_sz, ret_mount_len);
}

void tide_proc_cgroup(const struct tide_proc *proc, char **ret_path, bool *ret_limit_known,
		      uint64_t *ret_limit_bytes)
{
	char dir[PATH_MAX];
	size_t mount_len = 0;
	bool is_v2;

	*ret_path = NULL;
	*ret_limit_known = false;
	*ret_limit_bytes = 0;
	if (read_group(proc->tgid, ret_path, &is_v2) < 0 ||
	    read_dir(*ret_path, is_v2, dir, sizeof(dir), &mount_len) < 0)
		return;
	/* The group itself, then every parent up to the mount point. */
	for (size_t len = strlen(dir); len >= mount_len && len > 0; len--) {
		uint64_t limit_bytes;

		if (dir[len] != '\0' && dir[len] != '/')
			continue;
		dir[len] = '\0';
		if (!read_limit(dir, is_v2 ? V2_LIMIT_FILE : V1_LIMIT_FILE, &limit_bytes))
			continue;
		if (!*ret_limit_known || limit_bytes < *ret_limit_bytes)
			*ret_limit_bytes = limit_bytes;
		*ret_limit_known = true;
	}
}
