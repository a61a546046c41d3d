/* Opens, configures and loads the BPF programs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "probe/internal.h"

#include <bpf/bpf.h>

#include "base/human.h"
#include "base/log.h"
#include "base/util.h"
#include "probe/features.h"
#include "probe/multi.h"
#include "tide.skel.h"

static __thread char last_warning[512];

/* libbpf's lines go one level quieter into our log: what matters of them is in our own message. */
static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];
	size_t len;

	vsnprintf(line, sizeof(line), fmt, args);
	len = strcspn(line, "\n");
	line[len] = '\0';
	if (level == LIBBPF_WARN)
		memcpy(last_warning, line, len + 1);
	tide_debug("%s", line);
	return 0;
}

static int configure(struct tide_probe *p, struct tide_failure *fail)
{
	const struct tide_probe_opts *o = &p->opts;
	struct tide_config *config = &p->skel->rodata->tide_config;
	struct tide *s = p->skel;
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns))
		return tide_fail(fail, TIDE_EXIT_DENIED, -errno,
				 "cannot read /proc/self/ns/pid: %s; mount /proc", strerror(errno));
	config->tgid = (__u32)o->tgid;
	config->pidns_dev = ns.st_dev;
	config->pidns_ino = ns.st_ino;
	config->min_bytes = o->min_bytes;
	config->max_frames = o->max_frames;
	config->ring_wake_bytes = o->ring_bytes / 4;
	/* One entry more for stack key 0, which takes what has no room of its own. */
	if (bpf_map__set_max_entries(s->maps.tide_ring, (__u32)o->ring_bytes) ||
	    bpf_map__set_max_entries(s->maps.tide_live, o->max_blocks) ||
	    bpf_map__set_max_entries(s->maps.tide_sites, o->max_sites + 1) ||
	    bpf_map__set_max_entries(s->maps.tide_stacks, o->max_sites))
		return tide_fail(fail, TIDE_EXIT_FAILED, -EINVAL,
				 "cannot set the sizes of the BPF maps");
	p->multi = !o->single && !o->leader_ended && tide_feature_multi_uprobe();
	if (!p->multi)
		return 0;
	bpf_program__set_expected_attach_type(s->progs.tide_enter,
					      (enum bpf_attach_type)TIDE_BPF_TRACE_UPROBE_MULTI);
	bpf_program__set_expected_attach_type(s->progs.tide_leave,
					      (enum bpf_attach_type)TIDE_BPF_TRACE_UPROBE_MULTI);
	return 0;
}

/* What the kernel refused, in words. Sizes are the usual reason once the features are there. */
static int load_failed(const struct tide_probe *p, int err, struct tide_failure *fail)
{
	const struct tide_feature *missing = tide_features_missing();
	char ring[TIDE_HUMAN_SZ], blocks[TIDE_HUMAN_SZ];

	if (missing)
		return tide_fail(fail, TIDE_EXIT_DENIED, err,
				 "this needs %s, which is missing or not permitted: %s",
				 missing->name, missing->advice);
	if (strstr(last_warning, "map '") || err == -ENOMEM || err == -E2BIG)
		return tide_fail(
			fail, TIDE_EXIT_FAILED, err,
			"the kernel refused a BPF map (%s): ring of %s, %s blocks; try a smaller "
			"--ring-size, --max-blocks or --max-sites",
			strerror(-err), tide_human_bytes(p->opts.ring_bytes, ring),
			tide_human_count(p->opts.max_blocks, blocks));
	return tide_fail(fail, TIDE_EXIT_DENIED, err,
			 "the kernel refused our BPF programs: %s (%s); run `tidemark doctor`",
			 strerror(-err), last_warning[0] ? last_warning : "no further word");
}

static int overflow_site_add(struct tide_probe *p)
{
	struct tide_site_totals none = {0};
	__u64 key = 0;

	return bpf_map_update_elem(p->sites_fd, &key, &none, BPF_NOEXIST);
}

static int open_tables(struct tide_probe *p)
{
	struct tide_unwind_maps maps = {
		.objects_fd = bpf_map__fd(p->skel->maps.tide_uw_objects),
		.procs_fd = bpf_map__fd(p->skel->maps.tide_uw_procs),
		.rules_fd = bpf_map__fd(p->skel->maps.tide_uw_rules),
		.memo_fd = bpf_map__fd(p->skel->maps.tide_uw_memo),
	};

	return tide_unwind_tables_new(&maps, &p->tables);
}

static int after_load(struct tide_probe *p, struct tide_failure *fail)
{
	struct tide *s = p->skel;
	int err;

	p->live_fd = bpf_map__fd(s->maps.tide_live);
	p->sites_fd = bpf_map__fd(s->maps.tide_sites);
	p->stacks_fd = bpf_map__fd(s->maps.tide_stacks);
	p->threads_fd = bpf_map__fd(s->maps.tide_threads);
	p->stats_fd = bpf_map__fd(s->maps.tide_stats);
	p->fence_fd = bpf_program__fd(s->progs.tide_fence);
	p->shared = &s->bss->tide_shared;
	tide_probe_stop_on_exec(p, p->opts.stop_on_exec);
	p->cpu_cnt = libbpf_num_possible_cpus();
	err = p->cpu_cnt < 0 ? p->cpu_cnt : overflow_site_add(p);
	if (err)
		return tide_fail(fail, TIDE_EXIT_FAILED, err, "cannot prepare the BPF maps: %s",
				 strerror(-err));
	err = open_tables(p);
	if (err)
		return tide_fail(fail, TIDE_EXIT_FAILED, err,
				 "cannot prepare the unwind tables: %s", strerror(-err));
	err = tide_ring_open(p, bpf_map__fd(s->maps.tide_ring));
	if (err)
		return tide_fail(fail, TIDE_EXIT_FAILED, err,
				 "cannot map the ring: %s; try a smaller --ring-size",
				 strerror(-err));
	p->life_links[0] = bpf_program__attach(s->progs.tide_on_exec);
	p->life_links[1] = bpf_program__attach(s->progs.tide_on_exit);
	if (!p->life_links[0] || !p->life_links[1])
		return tide_fail(
			fail, TIDE_EXIT_DENIED, -errno,
			"cannot follow exec and exit of the target: %s; run `tidemark doctor`",
			strerror(errno));
	return 0;
}

int tide_probe_load(const struct tide_probe_opts *opts, struct tide_probe **ret,
		    struct tide_failure *fail)
{
	TIDE_CLEANUP(tide_probe_free) struct tide_probe *p = NULL;
	int err;

	libbpf_set_print(libbpf_print);
	last_warning[0] = '\0';
	p = calloc(1, sizeof(*p));
	if (!p)
		return tide_fail(fail, TIDE_EXIT_FAILED, -ENOMEM, "out of memory");
	p->opts = *opts;
	p->wait_fd = -1;
	p->skel = tide__open();
	if (!p->skel)
		return load_failed(p, -errno, fail);
	err = configure(p, fail);
	if (err)
		return err;
	err = tide__load(p->skel);
	if (err)
		return load_failed(p, err, fail);
	err = after_load(p, fail);
	if (err)
		return err;
	*ret = TIDE_TAKE_PTR(p);
	return 0;
}

void tide_probe_free(struct tide_probe **probe)
{
	struct tide_probe *p = *probe;

	if (!p)
		return;
	tide_probe_detach(p);
	for (size_t i = 0; i < TIDE_ARRAY_CNT(p->life_links); i++)
		bpf_link__destroy(p->life_links[i]);
	tide_unwind_tables_free(&p->tables);
	ring_buffer__free(p->ring);
	if (p->wait_fd >= 0)
		close(p->wait_fd);
	tide__destroy(p->skel);
	free(p);
	*probe = NULL;
}
