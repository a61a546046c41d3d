#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A report at each interval, a last one at the end, and sessions that end by themselves."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def test():
    target = targets.start("busy", 1)
    session = tide.Session("attach", "--tier", "all", "--format", "json", target.tgid, "300ms", 3)
    session.expect(0)
    found = session.reports()
    tide.equal(len(found), 3, "reports of three intervals")
    ends = [report["window"]["end"] for report in found]
    tide.equal(ends, sorted(ends), "order of the reports")
    allocated = [tide.caller(report, "busy_malloc")["allocated_blocks"] for report in found]
    tide.check(0 < allocated[0] < allocated[-1], f"allocated blocks of the reports: {allocated}")
    timed = tide.Session("attach", "--format", "json", "--for", "500ms", target.tgid).expect(0)
    seconds = timed.report()["window"]["seconds"]
    tide.between(seconds, 0.4, 30, "seconds of a session of 500 ms")
    tide.equal(target.quit(), 0, "exit status")
    return (f"{len(found)} documents for 3 intervals ({allocated} blocks allocated so far), "
            f"--for 500ms ended after {seconds:.2f} s")


if __name__ == "__main__":
    tide.main(test)
