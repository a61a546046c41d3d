/* The texts that say which control group a process is in and where its files are. Pure; the
 * reading is tide_proc_cgroup() of target/proc.h.
 *
 * Owns: nothing. Never: reads files. Threads: reentrant. Memory: works in the text given.
 */
#ifndef TIDE_TARGET_CGROUP_H
#define TIDE_TARGET_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/* From the text of /proc/PID/cgroup, which is changed: the group that accounts for memory.
 * 0 or -ENOENT. *ret_group points into text.
 */
int tide_cgroup_find_group(char *text, const char **ret_group, bool *ret_is_v2);
/* From the text of /proc/self/mountinfo, which is changed: the directory of the group as we see
 * it. Its first *ret_mount_len characters are the mount point. 0, -ENOENT or -ENAMETOOLONG.
 */
int tide_cgroup_find_dir(char *text, const char *group, bool is_v2, char *ret_dir, size_t dir_sz,
			 size_t *ret_mount_len);

#endif
