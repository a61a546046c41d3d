#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A call that fails makes no block, and a realloc that fails takes none away."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


TIMES = 200


def judge(variant):
    target = targets.start("limits", variant=variant)
    session = tide.attach(target.tgid)
    tide.equal(target.ask(f"fail_alloc {TIMES}"), str(2 * TIMES), "failed allocations")
    tide.equal(target.ask(f"fail_realloc {TIMES}"), str(2 * TIMES), "failed reallocs")
    report = session.stop().report()
    kept = tide.caller(report, "site_keep")
    tide.equal((kept["live_blocks"], kept["live_bytes"], kept["freed_blocks"]),
               (TIMES, TIMES * 100, 0), f"{variant}: blocks whose realloc failed")
    for name in ("site_fail_malloc", "site_fail_calloc", "site_resize", "site_resize_array"):
        tide.equal(tide.caller(report, name)["allocated_blocks"], 0, f"{variant}: blocks of {name}")
    tide.equal(report["totals"]["live_blocks"], TIMES, f"{variant}: all blocks")
    tide.equal(target.quit(), 0, "exit status")


def test():
    for variant in ("c", "musl", "static"):
        judge(variant)
    return f"{4 * TIMES} failed calls in each of 3 C libraries: no block appeared, none was lost"


if __name__ == "__main__":
    tide.main(test)
