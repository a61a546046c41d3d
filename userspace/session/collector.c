/* The collector's thread.
 *
 *        ring ──drain──> apply ──> retention core
 *                          ^             |
 *      live map ──re-read──┘             └──slices──> snapshot (on request)
 *
 * A re-read (resync) makes the core exact again after the ring overflowed. Its order is what
 * makes it exact while the target goes on allocating:
 *
 *   1. L0 = records lost so far.
 *   2. A fence goes into the ring; everything up to it is drained and applied.
 *   3. The live map is read, then the blocks that reallocs in progress hold; the core's
 *      blocks become just these.
 *
 * A block's allocation record is in the ring before its free is even attempted. So if a free was
 * lost before 1, its block's record is before the fence and cannot come back after 3. If it
 * was lost after 1, the loss counter differs from L0 and another re-read is due. Records after the
 * fence are applied on top by (address, birth), which makes repeats harmless.
 */
#include "session/collector.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define DRAIN_CNT	4096
#define WAIT_MS		20
#define TICK_NS		(TIDE_NS_PER_SEC / 4)
#define SLICE_BLOCKS	32768
#define RESYNC_PAUSE_NS TIDE_NS_PER_SEC
#define FINAL_TRIES	16
#define AHEAD_CNT	8 /* a power of two; about what a core keeps under way at once */

struct request {
	const struct tide_snapshot_opts *opts;
	struct tide_snapshot *snap;
	bool final;
	bool pending;
	int result;
};

struct tide_collector {
	struct tide_probe *probe;
	struct tide_retain *retain;
	pthread_t thread;
	int event_fd;
	pthread_mutex_t lock; /* guards stop, request and status */
	pthread_cond_t done;
	bool stop;
	struct request request;
	struct tide_collector_status status;
	/* the thread's own */
	struct tide_rec_block ahead[AHEAD_CNT]; /* drained, not yet applied: a queue */
	unsigned ahead_first, ahead_cnt;
	struct tide_collector_status now;
	uint64_t fence_seen, fence_seq;
	uint64_t synced_lost; /* loss counter as of the last re-read */
	uint64_t next_tick_ns, next_resync_ns;
};

static void apply_block(struct tide_collector *c, const struct tide_rec_block *rec)
{
	/* Bounds that are met are counted by the core and shown in the report. */
	if (rec->hdr.type == TIDE_REC_FREE)
		(void)tide_retain_free_block(c->retain, rec);
	else
		(void)tide_retain_alloc(c->retain, rec);
}

static void apply_first_ahead(struct tide_collector *c)
{
	apply_block(c, &c->ahead[c->ahead_first]);
	c->ahead_first = (c->ahead_first + 1) % AHEAD_CNT;
	c->ahead_cnt--;
}

/* Most of the time of applying a record is one cache miss in the block map. Records wait in a short
 * queue while theirs is under way, which halves the time of a malloc/free pair.
 */
static void apply_later(struct tide_collector *c, const struct tide_rec_block *rec)
{
	if (c->ahead_cnt == AHEAD_CNT)
		apply_first_ahead(c);
	tide_retain_prefetch(c->retain, rec->addr);
	c->ahead[(c->ahead_first + c->ahead_cnt) % AHEAD_CNT] = *rec;
	c->ahead_cnt++;
}

static void on_record(const struct tide_rec_hdr *hdr, void *ctx)
{
	struct tide_collector *c = ctx;

	switch (hdr->type) {
	case TIDE_REC_ALLOC:
	case TIDE_REC_RESTORE:
	case TIDE_REC_FREE:
		c->now.events++;
		apply_later(c, (const struct tide_rec_block *)hdr);
		break;
	case TIDE_REC_FENCE:
		c->fence_seen = ((const struct tide_rec_fence *)hdr)->seq;
		break;
	case TIDE_REC_EXEC:
		c->now.execed = true;
		break;
	case TIDE_REC_THREAD:
		c->now.thread_ended_cnt++;
		break;
	case TIDE_REC_UNMAPPED:
		c->now.unmapped_cnt++;
		break;
	default:
		break;
	}
}

static int drain(struct tide_collector *c)
{
	int cnt = tide_probe_drain(c->probe, DRAIN_CNT, on_record, c);

	while (c->ahead_cnt)
		apply_first_ahead(c);
	return cnt;
}

static int read_lost(struct tide_collector *c)
{
	uint64_t stats[TIDE_STAT_CNT];
	int err = tide_probe_read_stats(c->probe, stats);

	if (!err)
		c->now.lost_events = stats[TIDE_STAT_LOST_EVENTS];
	return err;
}

/* Applies every record that was in the ring when this was called. */
static int drain_to_fence(struct tide_collector *c)
{
	uint64_t seq = ++c->fence_seq;
	int err;

	while ((err = tide_probe_fence(c->probe, seq)) == -EAGAIN)
		drain(c);
	if (err)
		return err;
	while (c->fence_seen < seq)
		if (!drain(c))
			tide_probe_wait(c->probe, 1);
	return 0;
}

static int resync_block(uint64_t addr, const struct tide_live_block *block, void *ctx)
{
	struct tide_collector *c = ctx;
	int err = tide_retain_resync_block(c->retain, addr, block);

	return err == -ENOMEM ? err : 0; /* -ENOSPC: counted by the core */
}

static int reread(struct tide_collector *c)
{
	int err = tide_retain_resync_begin(c->retain);

	if (err)
		return err;
	err = tide_probe_read_live(c->probe, resync_block, c);
	if (!err)
		err = tide_probe_read_in_flight(c->probe, resync_block, c);
	if (!err)
		err = tide_retain_resync_end(c->retain, tide_clock_monotonic_ns());
	if (err)
		tide_retain_resync_abort(c->retain);
	return err;
}

static int resync(struct tide_collector *c)
{
	uint64_t begin_ns = tide_clock_monotonic_ns(), lost, end_ns;
	int err = read_lost(c);

	if (err)
		return err;
	lost = c->now.lost_events;
	err = drain_to_fence(c);
	if (!err)
		err = reread(c);
	end_ns = tide_clock_monotonic_ns();
	/* Under steady overflow at most a quarter of the time goes into re-reading. */
	c->next_resync_ns = end_ns + RESYNC_PAUSE_NS + 3 * (end_ns - begin_ns);
	if (err) {
		c->now.resync_failures++;
		return err;
	}
	c->synced_lost = lost;
	c->now.resyncs++;
	return 0;
}

/* Brings the core up to now: a fence, and a re-read when something was lost. */
static int catch_up(struct tide_collector *c, bool final)
{
	int err = drain_to_fence(c);

	if (!err)
		err = read_lost(c);
	for (int i = 0;
	     !err && c->now.lost_events != c->synced_lost && i < (final ? FINAL_TRIES : 1); i++) {
		err = resync(c);
		if (!err)
			err = read_lost(c);
	}
	return err;
}

static int set_totals(uint64_t stack_key, const struct tide_site_totals *totals, void *ctx)
{
	struct tide_collector *c = ctx;

	(void)tide_retain_set_totals(c->retain, stack_key, totals);
	return 0;
}

static int make_snapshot(struct tide_collector *c, const struct request *request)
{
	struct tide_snapshot_opts opts = *request->opts;
	int err = catch_up(c, request->final);

	if (err)
		return err;
	if (!opts.now_ns)
		opts.now_ns = tide_clock_monotonic_ns();
	tide_retain_tick(c->retain, opts.now_ns);
	err = tide_retain_snapshot_begin(c->retain, &opts);
	if (err)
		return err;
	while ((err = tide_retain_snapshot_step(c->retain, SLICE_BLOCKS)) > 0)
		drain(c);
	if (!err)
		err = tide_probe_read_sites(c->probe, set_totals, c);
	if (!err)
		err = tide_retain_snapshot_end(c->retain, request->snap);
	if (err)
		tide_retain_snapshot_cancel(c->retain);
	return err;
}

/* What the client must hear of at once. */
static bool life_changed(const struct tide_collector *c)
{
	return c->now.execed != c->status.execed ||
	       c->now.thread_ended_cnt != c->status.thread_ended_cnt ||
	       c->now.unmapped_cnt != c->status.unmapped_cnt;
}

static void publish(struct tide_collector *c)
{
	bool life;

	c->now.live_bytes = tide_retain_live_bytes(c->retain);
	c->now.live_blocks = tide_retain_live_blocks(c->retain);
	c->now.site_cnt = tide_retain_site_cnt(c->retain);
	pthread_mutex_lock(&c->lock);
	life = life_changed(c);
	c->status = c->now;
	pthread_mutex_unlock(&c->lock);
	if (life)
		(void)eventfd_write(c->event_fd, 1); /* a counter: it cannot be full */
}

static void serve(struct tide_collector *c)
{
	struct request request;

	pthread_mutex_lock(&c->lock);
	request = c->request;
	pthread_mutex_unlock(&c->lock);
	if (!request.pending)
		return;
	request.result = make_snapshot(c, &request);
	publish(c);
	pthread_mutex_lock(&c->lock);
	c->request.result = request.result;
	c->request.pending = false;
	pthread_cond_signal(&c->done);
	pthread_mutex_unlock(&c->lock);
}

static void tick(struct tide_collector *c, uint64_t now_ns)
{
	c->next_tick_ns = now_ns + TICK_NS;
	tide_retain_tick(c->retain, now_ns);
	/* A failed read of the counters shows in the report as a failed re-read; try again later.
	 */
	if (!read_lost(c) && c->now.lost_events != c->synced_lost && now_ns >= c->next_resync_ns)
		(void)resync(c);
	publish(c);
}

static bool stopping(struct tide_collector *c)
{
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop;
}

static void *run(void *arg)
{
	struct tide_collector *c = arg;

	while (!stopping(c)) {
		int cnt = drain(c);
		uint64_t now_ns = tide_clock_monotonic_ns();
		bool life = life_changed(c);

		if (now_ns >= c->next_tick_ns || life)
			tick(c, now_ns);
		serve(c);
		if (cnt < DRAIN_CNT)
			tide_probe_wait(c->probe, WAIT_MS);
	}
	return NULL;
}

int tide_collector_start(struct tide_probe *probe, struct tide_retain *retain,
			 struct tide_collector **ret)
{
	struct tide_collector *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->event_fd < 0) {
		free(c);
		return -errno;
	}
	c->probe = probe;
	c->retain = retain;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->done, NULL);
	err = pthread_create(&c->thread, NULL, run, c);
	if (err) {
		close(c->event_fd);
		free(c);
		return -err;
	}
	*ret = c;
	return 0;
}

void tide_collector_stop(struct tide_collector **collector)
{
	struct tide_collector *c = *collector;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	close(c->event_fd);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->lock);
	free(c);
	*collector = NULL;
}

int tide_collector_event_fd(const struct tide_collector *c)
{
	return c->event_fd;
}

void tide_collector_status(struct tide_collector *c, struct tide_collector_status *ret)
{
	eventfd_t unused;

	(void)eventfd_read(c->event_fd, &unused);
	pthread_mutex_lock(&c->lock);
	*ret = c->status;
	pthread_mutex_unlock(&c->lock);
}

int tide_collector_snapshot(struct tide_collector *c, const struct tide_snapshot_opts *opts,
			    bool final, struct tide_snapshot *snap)
{
	int result;

	pthread_mutex_lock(&c->lock);
	c->request = (struct request){.opts = opts, .snap = snap, .final = final, .pending = true};
	while (c->request.pending)
		pthread_cond_wait(&c->done, &c->lock);
	result = c->request.result;
	pthread_mutex_unlock(&c->lock);
	return result;
}
