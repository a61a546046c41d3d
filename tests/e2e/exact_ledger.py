#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every figure of every site agrees with a program that keeps its own books."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


OPERATIONS = int(os.environ.get("TIDE_OPERATIONS", "1000000"))


def test():
    target = targets.start("ledger", "mixed", 8, OPERATIONS, 11)
    session = tide.attach(target.tgid)
    books = ledger.round_of(target)
    report = session.stop().report()
    sites = ledger.agree(report, books)
    coverage = report["coverage"]
    tide.equal(coverage["untracked_blocks"], 0, "untracked blocks")
    tide.check(books["operations"] >= OPERATIONS, "too few operations")
    tide.check(sites >= 12, "too few sites")
    tide.equal(target.quit(), 0, "exit status of the ledger")
    return (f"{books['operations']} operations of 8 threads at {sites} sites: live, allocated and "
            f"freed exact ({ledger.live_blocks(books)} blocks live, {coverage['events']} events, "
            f"{coverage['lost_events']} lost)")


if __name__ == "__main__":
    tide.main(test)
