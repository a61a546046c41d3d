/* A target under probes: a child of the test that plays a scenario when it is told to.
 *
 *   parent: fork ─ load ─ attach ─ enable ─ "go" ───────── wait ─ drain, assert ─ "quit"
 *   child:         (blocked on a pipe)        scenario ─ "done"   (blocked)
 */
#ifndef TIDE_TESTS_BPF_FIXTURE_H
#define TIDE_TESTS_BPF_FIXTURE_H

#include "harness/test.h"

#include <sys/types.h>

#include "probe/probe.h"

#define MAX_SEEN 65536

struct seen {
	uint32_t type;
	uint64_t addr, block_bytes, birth_ns, stack_key;
};

struct fixture {
	struct tide_probe *probe;
	struct tide_probe_opts opts;
	pid_t child;
	int go_fd, done_fd;
	int exe_fd;
	struct seen *seen; /* records drained, in order; MAX_SEEN at most */
	size_t seen_cnt;
	uint64_t stats[TIDE_STAT_CNT];
};

/* Defaults for opts; tests change what they are about. */
struct tide_probe_opts fixture_opts(void);
/* Forks the child, loads and attaches. */
void fixture_begin(struct fixture *f, const struct tide_probe_opts *opts, void (*scenario)(void));
/* Lets the scenario run to its end. */
void fixture_play(struct fixture *f);
/* Drains the ring and reads the counters. */
void fixture_drain(struct fixture *f);
/* All of it: begin, play, drain. */
void fixture_run(struct fixture *f, const struct tide_probe_opts *opts, void (*scenario)(void));
void fixture_run_default(struct fixture *f, void (*scenario)(void));
void fixture_end(struct fixture *f);
/* Runs a group with multi-uprobes and again with single ones; the number of failures. */
int fixture_run_twice(const char *name, const struct CMUnitTest *tests, size_t cnt);

/* Live blocks in the kernel's map, and their bytes. */
size_t fixture_live(struct fixture *f, uint64_t *ret_bytes);
bool fixture_live_find(struct fixture *f, void *addr, struct tide_live_block *ret);
size_t fixture_seen_cnt(const struct fixture *f, uint32_t type);
struct tide_site_totals fixture_totals(struct fixture *f);

/* Within a scenario: tells the parent and waits for its word. */
void scenario_pause(void);
/* What the parent does with a paused scenario: waits until it has paused; lets it go on. */
void fixture_wait_pause(struct fixture *f);
void fixture_go_on(struct fixture *f);

#endif
