#include "probe/multi.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/types.h>

#define TIDE_BPF_LINK_CREATE	   28 /* enum bpf_cmd */
#define TIDE_F_UPROBE_MULTI_RETURN 1

/* The part of union bpf_attr that BPF_LINK_CREATE reads for a multi-uprobe
 * (include/uapi/linux/bpf.h, struct link_create, uprobe_multi). The tail is zero for the kernel's
 * check of unknown fields.
 */
struct multi_attr {
	__u32 prog_fd;
	__u32 target_fd;
	__u32 attach_type;
	__u32 link_flags;
	__u64 path;
	__u64 offsets;
	__u64 ref_ctr_offsets;
	__u64 cookies;
	__u32 cnt;
	__u32 multi_flags;
	__u32 pid;
	__u32 pad;
};

int tide_multi_attach(int prog_fd, const char *path, const uint64_t *offsets,
		      const uint64_t *cookies, size_t cnt, bool at_return, pid_t tgid)
{
	struct multi_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_fd = (__u32)prog_fd;
	attr.attach_type = TIDE_BPF_TRACE_UPROBE_MULTI;
	attr.path = (__u64)(uintptr_t)path;
	attr.offsets = (__u64)(uintptr_t)offsets;
	attr.cookies = (__u64)(uintptr_t)cookies;
	attr.cnt = (__u32)cnt;
	attr.multi_flags = at_return ? TIDE_F_UPROBE_MULTI_RETURN : 0;
	attr.pid = (__u32)tgid;
	fd = syscall(SYS_bpf, TIDE_BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}
