#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""More call stacks than other tools keep, and more than we were told to keep."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


STACKS, FEW = 12000, 500


def watch(limit):
    target = targets.start("limits")
    session = tide.attach(target.tgid, "--max-sites", limit)
    equal_to = int(target.ask(f"paths {STACKS}"))
    report = session.stop().report()
    tide.equal(equal_to, STACKS, "stacks of the target")
    tide.equal(target.quit(), 0, "exit status")
    return report


def test():
    report = watch(20000)
    sites = [site for site in report["sites"] if site["live_bytes"] == 64]
    tide.equal(len(sites), STACKS, "sites told apart, with one block of 64 bytes each")
    tide.check(any(tide.first_function(site) == "site_path" for site in sites), "none is named")
    report = watch(FEW)
    tide.equal(report["totals"]["live_blocks"], STACKS, "live blocks when stacks found no room")
    tide.equal(report["totals"]["live_bytes"], STACKS * 64, "live bytes when stacks found no room")
    tide.check(len(report["sites"]) <= FEW + 1, f"{len(report['sites'])} sites, limit {FEW}")
    tide.check(report["coverage"]["notes"], "no note says that sites were merged")
    return (f"{STACKS} stacks are {STACKS} sites; with room for {FEW} the totals stay exact "
            f"({len(report['sites'])} sites)")


if __name__ == "__main__":
    tide.main(test)
