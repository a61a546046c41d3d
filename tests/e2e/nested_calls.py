#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Allocator functions that call one another count a block once."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


BLOCKS = 300


def judge_c(variant):
    target = targets.start("limits", variant=variant)
    session = tide.attach(target.tgid)
    target.ask(f"nest {BLOCKS}")
    report = session.stop().report()
    sizes = {"site_calloc": 100, "site_new_array": 100, "site_posix": 100, "site_aligned": 128,
             "site_memalign": 100}
    for name, size in sizes.items():
        seen = tide.caller(report, name)
        tide.equal((seen["allocated_blocks"], seen["live_blocks"], seen["live_bytes"]),
                   (BLOCKS, BLOCKS, BLOCKS * size), f"{variant}: blocks of {name}")
    tide.equal(report["totals"]["live_blocks"], BLOCKS * len(sizes), f"{variant}: all blocks")
    tide.equal(target.quit(), 0, "exit status")


def judge_cpp():
    target = targets.start("newdelete", variant="cpp")
    session = tide.attach(target.tgid)
    for command in ("new", "array", "aligned"):
        target.ask(f"{command} {BLOCKS}")
    target.ask("delete 100")
    target.ask("fail 10")
    report = session.stop().report()
    totals = report["totals"]
    tide.equal(totals["live_blocks"], 3 * BLOCKS - 100, "C++: live blocks")
    tide.equal(totals["live_bytes"], BLOCKS * 100 + BLOCKS * 128 + (BLOCKS - 100) * 100,
               "C++: live bytes")
    names = {tide.first_function(site) for site in report["sites"]}
    tide.check(any("operator new" in name for name in names), f"no operator new among {names}")
    tide.equal(target.quit(), 0, "exit status")


def test():
    for variant in ("c", "musl", "static"):
        judge_c(variant)
    judge_cpp()
    return f"{BLOCKS} blocks by 5 functions in 3 C libraries, and by operator new: once each"


if __name__ == "__main__":
    tide.main(test)
