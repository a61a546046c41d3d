/* Attaches the programs to an allocator's functions, and takes them off again.
 *
 * A file is named by its descriptor, /proc/self/fd/N, so that the inode is exactly the one that
 * the target has mapped: in its own mount namespace, replaced by an upgrade, or unlinked.
 *
 * Order does not matter: programs ignore everything until tide_probe_enable(), which comes after
 * the last probe, so no block can be seen allocated by a probe that is there and freed by
 * one that is not yet.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe/internal.h"

#include "base/util.h"
#include "probe/multi.h"
#include "probe/unwind_areas.h"
#include "tide.skel.h"

#define PATH_SZ 64

static bool is_free(enum tide_alloc_fn fn)
{
	return fn == TIDE_FN_FREE || fn == TIDE_FN_CFREE;
}

static int add_link(struct tide_probe *p, int fd, struct bpf_link *link)
{
	if (p->link_cnt == TIDE_MAX_LINKS)
		return -ENOSPC;
	p->links[p->link_cnt++] = (struct tide_probe_link){.fd = fd, .link = link};
	return 0;
}

static void drop_link(struct tide_probe_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	bpf_link__destroy(link->link);
}

static void drop_links(struct tide_probe *p, size_t keep_cnt)
{
	while (p->link_cnt > keep_cnt)
		drop_link(&p->links[--p->link_cnt]);
}

static int attach_multi(struct tide_probe *p, const char *path, const struct tide_allocator *a,
			bool at_return)
{
	int prog_fd =
		bpf_program__fd(at_return ? p->skel->progs.tide_leave : p->skel->progs.tide_enter);
	uint64_t offsets[TIDE_FN_CNT], cookies[TIDE_FN_CNT];
	size_t cnt = 0;
	int fd;

	for (uint32_t i = 0; i < a->point_cnt; i++) {
		if (at_return && is_free(a->points[i].fn))
			continue;
		offsets[cnt] = a->points[i].file_off;
		cookies[cnt++] = a->points[i].fn;
	}
	if (!cnt)
		return 0;
	fd = tide_multi_attach(prog_fd, path, offsets, cookies, cnt, at_return, p->opts.tgid);
	return fd < 0 ? fd : add_link(p, fd, NULL);
}

static int attach_single(struct tide_probe *p, pid_t tid, const char *path,
			 const struct tide_alloc_point *point, bool at_return)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = at_return, .bpf_cookie = point->fn);
	struct bpf_program *prog =
		at_return ? p->skel->progs.tide_leave : p->skel->progs.tide_enter;
	struct bpf_link *link;

	link = bpf_program__attach_uprobe_opts(prog, tid, path, point->file_off, &opts);
	return link ? add_link(p, -1, link) : -errno;
}

static int attach_singles(struct tide_probe *p, pid_t tid, const char *path,
			  const struct tide_allocator *a)
{
	int err;

	for (uint32_t i = 0; i < a->point_cnt; i++) {
		err = attach_single(p, tid, path, &a->points[i], false);
		if (!err && !is_free(a->points[i].fn))
			err = attach_single(p, tid, path, &a->points[i], true);
		if (err)
			return err;
	}
	return 0;
}

static int attach_failed(int err, const struct tide_allocator *a, struct tide_failure *fail)
{
	if (err == -ESRCH)
		return tide_fail(fail, TIDE_EXIT_TARGET, err,
				 "the process ended while probes were being placed");
	if (err == -EPERM || err == -EACCES)
		return tide_fail(
			fail, TIDE_EXIT_DENIED, err,
			"not permitted to place probes on %s: run as root or with CAP_BPF, CAP_PERFMON and "
			"CAP_SYS_ADMIN; a container's seccomp profile must allow perf_event_open()",
			a->name);
	return tide_fail(
		fail, TIDE_EXIT_FAILED, err,
		"cannot place probes on %s: %s; run `tidemark doctor`, and `tidemark -v` for what the kernel says",
		a->name, strerror(-err));
}

int tide_probe_attach(struct tide_probe *p, pid_t tid, int file_fd, const struct tide_allocator *a,
		      struct tide_failure *fail)
{
	size_t before = p->link_cnt;
	char path[PATH_SZ];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	if (p->multi) {
		err = attach_multi(p, path, a, true);
		if (!err)
			err = attach_multi(p, path, a, false);
	} else {
		/* Before the probes: an end in between is told. */
		__atomic_store_n(&p->shared->followed_tid, (__u32)tid, __ATOMIC_SEQ_CST);
		err = attach_singles(p, tid, path, a);
	}
	if (!err)
		return 0;
	drop_links(p, before);
	return attach_failed(err, a, fail);
}

size_t tide_probe_link_cnt(const struct tide_probe *p)
{
	return p->link_cnt;
}

void tide_probe_drop_first(struct tide_probe *p, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		drop_link(&p->links[i]);
	memmove(p->links, p->links + cnt, (p->link_cnt - cnt) * sizeof(p->links[0]));
	p->link_cnt -= cnt;
}

void tide_probe_detach(struct tide_probe *p)
{
	drop_links(p, 0);
}

const char *tide_probe_placement(const struct tide_probe *p)
{
	(void)p;
	return "entry+return";
}

int tide_probe_update_code(struct tide_probe *p, const struct tide_maps *maps,
			   const struct tide_modules *mods)
{
	/* Before the look: what is mapped from now on is told again. */
	__atomic_store_n(&p->shared->unmapped_told, 0, __ATOMIC_SEQ_CST);
	return tide_unwind_areas_update(p->tables, p->opts.tgid, maps, mods);
}
