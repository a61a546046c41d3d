#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target that jumps out of its signal handlers is counted right, and lives."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


TIMES = 500


def test():
    target = targets.start("limits")
    session = tide.attach(target.tgid)
    tide.equal(target.ask(f"jump {TIMES}"), str(TIMES), "jumps")
    report = session.stop().report()
    seen = tide.caller(report, "site_jump")
    tide.equal((seen["live_blocks"], seen["live_bytes"]), (TIMES, TIMES * 100), "blocks")
    tide.equal(target.quit(), 0, "exit status")
    return f"{TIMES} jumps out of a signal handler between allocations: exact"


if __name__ == "__main__":
    tide.main(test)
