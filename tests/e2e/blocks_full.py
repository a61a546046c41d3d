#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A full map of blocks is counted and said, not silent."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


LIMIT, BLOCKS = 1000, 5000


def test():
    target = targets.start("limits")
    session = tide.attach(target.tgid, "--max-blocks", LIMIT)
    target.ask(f"plain {BLOCKS}")
    report = session.stop().report()
    coverage, totals = report["coverage"], report["totals"]
    live, untracked = totals["live_blocks"], coverage["untracked_blocks"]
    tide.between(live, 1, LIMIT, "live blocks within the limit")
    tide.equal(live + untracked, BLOCKS, "live and untracked blocks together")
    tide.check(coverage["notes"], "no note says that the map was full")
    tide.equal(target.quit(), 0, "exit status")
    return f"room for {LIMIT} of {BLOCKS} blocks: {live} tracked, {untracked} counted untracked"


if __name__ == "__main__":
    tide.main(test)
