#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A site's counters are wide enough for a terabyte and more."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


TIMES, SIZE = 1100, 1 << 30


def test():
    target = targets.start("limits")
    session = tide.attach(target.tgid)
    tide.equal(target.ask(f"huge {TIMES}"), str(TIMES), "blocks of 1 GiB that were granted")
    report = session.stop().report()
    seen = tide.caller(report, "site_huge")
    tide.equal((seen["allocated_bytes"], seen["freed_bytes"]), (TIMES * SIZE, TIMES * SIZE),
               "allocated and freed bytes")
    tide.equal((seen["allocated_blocks"], seen["live_bytes"]), (TIMES, 0), "blocks, live bytes")
    site = next(site for site in report["sites"] if tide.first_function(site) == "site_huge")
    tide.equal(site["peak_bytes"], SIZE, "peak bytes")
    tide.equal(target.quit(), 0, "exit status")
    return f"{TIMES * SIZE} bytes through one site, more than 2^40: exact, peak of one block"


if __name__ == "__main__":
    tide.main(test)
