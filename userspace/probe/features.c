#include "probe/features.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "probe/multi.h"

static bool readable(const char *path)
{
	return access(path, R_OK) == 0;
}

static bool has_bpf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "tide_check", 8, 8, 1, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool has_btf(void)
{
	return readable("/sys/kernel/btf/vmlinux");
}

static bool has_uprobe(void)
{
	return readable("/sys/bus/event_source/devices/uprobe/type");
}

static bool has_ring(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "tide_check", 0, 0, 4096, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* { r0 = 0; exit }: the smallest program, to see whether a type can be loaded at all. */
static int load_trivial(enum bpf_prog_type type, int attach_type)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)attach_type,
		    .prog_flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0);

	return bpf_prog_load(type, "tide_check", "GPL", insns, TIDE_ARRAY_CNT(insns), &opts);
}

static bool has_tracing(void)
{
	TIDE_AUTO_FD int fd = load_trivial(BPF_PROG_TYPE_KPROBE, 0);

	return fd >= 0;
}

static bool has_syscall_prog(void)
{
	TIDE_AUTO_FD int fd = load_trivial(BPF_PROG_TYPE_SYSCALL, 0);

	return fd >= 0;
}

/* The two tests of libbpf's feature probe (src/features.c, probe_uprobe_multi_link): a directory as
 * the file must be refused with EBADF, and pid -1 with EINVAL; a kernel that accepts the
 * latter filters by thread, not by process, and would lose events of all other threads.
 */
bool tide_feature_multi_uprobe(void)
{
	TIDE_AUTO_FD int prog = load_trivial(BPF_PROG_TYPE_KPROBE, TIDE_BPF_TRACE_UPROBE_MULTI);
	uint64_t offset = 0;

	if (prog < 0)
		return false;
	if (tide_multi_attach(prog, "/", &offset, NULL, 1, false, 0) != -EBADF)
		return false;
	return tide_multi_attach(prog, "/", &offset, NULL, 1, false, -1) == -EINVAL;
}

static bool has_read_memory(void)
{
	char from = 1, to = 0;
	struct {
		void *base;
		size_t len;
	} local = {&to, 1}, remote = {&from, 1};

	return syscall(SYS_process_vm_readv, getpid(), &local, 1UL, &remote, 1UL, 0UL) == 1 && to;
}

static bool has_pagemap(void)
{
	return readable("/proc/self/pagemap") && readable("/proc/self/smaps");
}

static const struct tide_feature features[] = {
	{"bpf system call", true, has_bpf, "everything",
	 "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; in a container also allow "
	 "bpf() and perf_event_open() in its seccomp profile"},
	{"kernel BTF", true, has_btf, "programs that fit this kernel",
	 "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (the distribution's own kernels are), and "
	 "make /sys/kernel/btf/vmlinux readable"},
	{"uprobes", true, has_uprobe, "probes on the allocator",
	 "boot a kernel with CONFIG_UPROBE_EVENTS=y, and mount sysfs at /sys"},
	{"tracing programs", true, has_tracing, "probes on the allocator",
	 "run as root or with CAP_PERFMON; a locked-down kernel (lockdown=confidentiality) refuses them"},
	{"BPF ring buffer", true, has_ring, "the feed of events", "boot Linux 6.1 or later"},
	{"BPF system call programs", true, has_syscall_prog, "exact reports after lost events",
	 "boot Linux 6.1 or later"},
	{"page map", true, has_pagemap, "resident bytes",
	 "mount /proc, boot CONFIG_PROC_PAGE_MONITOR=y"},
	{"multi-uprobes", false, tide_feature_multi_uprobe,
	 "cheaper probes, and a detach in 0.1 s instead of 2 s",
	 "nothing to do: single uprobes are used; Linux 6.10 or later has them"},
	{"reading memory", false, has_read_memory, "proof of occupancy (later versions)",
	 "allow process_vm_readv() in the container's seccomp profile"},
};

const struct tide_feature *tide_features(size_t *ret_cnt)
{
	*ret_cnt = TIDE_ARRAY_CNT(features);
	return features;
}

const struct tide_feature *tide_features_missing(void)
{
	for (size_t i = 0; i < TIDE_ARRAY_CNT(features); i++)
		if (features[i].required && !features[i].check())
			return &features[i];
	return NULL;
}
