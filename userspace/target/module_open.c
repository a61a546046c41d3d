/* The path in a maps line is a name in another mount namespace, written by a kernel that does
 * not know our root, of a file that may have been renamed, replaced or unlinked since. So:
 *
 *	1. the path, resolved inside the target's root (links cannot lead out of a container),
 *	   if device and inode are those of the maps line;
 *	2. /proc/TID/map_files/START-END, which is the mapped file itself, but is for privileged
 *	   users and its range must still be mapped so;
 *	3. the path, if at least the inode agrees: overlayfs and btrfs show one device in maps
 *	   and another in stat().
 *
 * Each candidate is taken with O_PATH, which has no effect on devices and FIFOs, and is opened
 * for reading only once it is known to be a regular file.
 */
#include "target/module_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/util.h"
#include "target/procfs.h"

static int open_in_root(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int open_map_file(pid_t tid, const struct tide_mapping *m)
{
	char name[64];

	snprintf(name, sizeof(name), "map_files/%lx-%lx", (unsigned long)m->start,
		 (unsigned long)m->end);
	return tide_procfs_open(tid, name, O_PATH);
}

static int reopen_for_reading(int path_fd)
{
	char link[64];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* Reopens a candidate if it is a regular file. */
static int accept_candidate(int path_fd)
{
	struct stat st;

	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? reopen_for_reading(path_fd) : -ENOEXEC;
}

int tide_module_open(const struct tide_proc *proc, pid_t tid, const struct tide_mapping *m,
		     const char *path)
{
	TIDE_AUTO_FD int by_path = open_in_root(proc->root_fd, path);
	TIDE_AUTO_FD int by_range = -1;
	bool same_inode = false, same_dev = false;
	struct stat st;
	int fd;

	if (by_path >= 0 && fstat(by_path, &st) == 0) {
		same_inode = st.st_ino == m->inode;
		same_dev = st.st_dev == makedev(m->dev_major, m->dev_minor);
	}
	if (same_inode && same_dev)
		return accept_candidate(by_path);
	by_range = open_map_file(tid, m);
	fd = accept_candidate(by_range);
	if (fd >= 0 || fd == -ENOEXEC || !same_inode)
		return fd;
	return accept_candidate(by_path);
}
