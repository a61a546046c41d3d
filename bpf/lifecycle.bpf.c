/* The target's life: exec, ends of threads; and the fence of the collector.
 *
 * Tracepoints by BTF (tp_btf), because the classic ones need tracefs, which is not mounted
 * everywhere. The target is recognised by its tgid in Tidemark's own pid namespace, so that it
 * works inside a container too.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/emit.h"

#define TIDE_SIGSTOP 19

static __always_inline bool is_target(struct bpf_pidns_info *ids)
{
	if (bpf_get_ns_current_pid_tgid(tide_config.pidns_dev, tide_config.pidns_ino, ids,
					sizeof(*ids)))
		return false;
	return ids->tgid == tide_config.tgid;
}

/* From here on the addresses are another program's: nothing more is tracked, and what was known
 * stays for the report.
 */
SEC("tp_btf/sched_process_exec")
int tide_on_exec(void *ctx __attribute__((unused)))
{
	struct bpf_pidns_info ids = {};

	if (!is_target(&ids))
		return 0;
	tide_shared.enabled = 0;
	if (tide_shared.stop_on_exec)
		bpf_send_signal(TIDE_SIGSTOP);
	emit_life(TIDE_REC_EXEC, ids.tgid, ids.pid);
	return 0;
}

/* A thread has ended: its state is dropped. Single uprobes are filtered by the mm of the thread
 * that they were opened for, which is none once it has ended: userspace must attach through another
 * one.
 */
SEC("tp_btf/sched_process_exit")
int tide_on_exit(void *ctx __attribute__((unused)))
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct bpf_pidns_info ids = {};

	if (!is_target(&ids))
		return 0;
	bpf_map_delete_elem(&tide_threads, &tid);
	if (ids.pid == tide_shared.followed_tid && BPF_CORE_READ(task, signal, live.counter) > 0)
		emit_life(TIDE_REC_THREAD, ids.tgid, ids.pid);
	return 0;
}

struct fence_args {
	__u64 seq;
};

/* Run by the collector (BPF_PROG_RUN): puts a mark behind every record that is in the ring.
 * Returns 1 when the ring had no room; the collector drains and tries again.
 */
SEC("syscall")
int tide_fence(struct fence_args *args)
{
	struct tide_rec_fence *rec;

	rec = bpf_ringbuf_reserve(&tide_ring, sizeof(*rec), 0);
	if (!rec)
		return 1;
	rec->hdr.type = TIDE_REC_FENCE;
	rec->hdr.size_bytes = sizeof(*rec);
	rec->hdr.ts_ns = bpf_ktime_get_ns();
	rec->seq = args->seq;
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
	return 0;
}
