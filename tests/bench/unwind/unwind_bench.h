/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The variables of unwind_bench.bpf.c, as its .bss has them. */
#ifndef TIDE_UNWIND_BENCH_H
#define TIDE_UNWIND_BENCH_H

struct unwind_bench_vars {
	__u32 watched_tgid;
	/* Of the last walk. */
	__u32 frame_cnt;
	__u32 end;
};

#endif
