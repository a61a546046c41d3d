/* The ring's consumer side. */
#include <stdint.h>
#include <sys/epoll.h>

#include "probe/internal.h"

#include <bpf/bpf.h>

#include <errno.h>

#include "probe/record.h"

/* A negative result ends ring_buffer__consume() after this record, which counts as consumed
 * (libbpf src/ringbuf.c, ringbuf_process_ring): so a flood cannot keep us here.
 */
static int on_record(void *ctx, void *data, size_t size_bytes)
{
	struct tide_probe *p = ctx;

	if (tide_record_valid(data, size_bytes))
		p->record_fn(data, p->record_ctx);
	else
		p->bad_records++;
	return --p->left_cnt ? 0 : -ECANCELED;
}

int tide_probe_drain(struct tide_probe *p, size_t max_cnt, tide_record_fn fn, void *ctx)
{
	p->record_fn = fn;
	p->record_ctx = ctx;
	p->left_cnt = max_cnt;
	ring_buffer__consume(p->ring);
	p->shared->woken = 0;
	return (int)(max_cnt - p->left_cnt);
}

/* Edge-triggered, so that records which were submitted without a wake-up do not end the wait:
 * libbpf's own epoll set is level-triggered and would return at once while the target is busy,
 * one wake-up for every few records.
 */
int tide_ring_open(struct tide_probe *p, int ring_fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	p->ring = ring_buffer__new(ring_fd, on_record, p, NULL);
	if (!p->ring)
		return -errno;
	p->wait_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->wait_fd < 0 || epoll_ctl(p->wait_fd, EPOLL_CTL_ADD, ring_fd, &event))
		return -errno;
	return 0;
}

void tide_probe_wait(struct tide_probe *p, int timeout_ms)
{
	struct epoll_event event;

	/* A signal, the timeout and a wake-up all mean the same: look again. */
	(void)epoll_wait(p->wait_fd, &event, 1, timeout_ms);
}

int tide_probe_fence(struct tide_probe *p, uint64_t seq)
{
	struct {
		uint64_t seq;
	} args = {seq};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));
	int err = bpf_prog_test_run_opts(p->fence_fd, &opts);

	if (err)
		return err;
	return opts.retval ? -EAGAIN : 0;
}

uint64_t tide_probe_bad_records(const struct tide_probe *p)
{
	return p->bad_records;
}

void tide_probe_enable(struct tide_probe *p, bool enabled)
{
	__atomic_store_n(&p->shared->enabled, enabled, __ATOMIC_SEQ_CST);
}

void tide_probe_stop_on_exec(struct tide_probe *p, bool on)
{
	__atomic_store_n(&p->shared->stop_on_exec, on, __ATOMIC_SEQ_CST);
}
