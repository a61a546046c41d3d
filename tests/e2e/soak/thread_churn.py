#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that come and go by the ten thousand leave nothing behind in the tool."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import targets  # noqa: E402
import tide  # noqa: E402

# More than the places for threads at work at once (65536).
THREADS = 70000


def test():
    target = targets.start("limits")
    session = tide.attach(target.tgid)
    tide.equal(target.ask(f"threads {THREADS}"), str(THREADS), "threads")
    report = session.stop().report()
    seen = tide.caller(report, "site_thread")
    tide.equal((seen["live_blocks"], seen["live_bytes"]), (THREADS, THREADS * 50), "blocks")
    tide.equal(report["coverage"]["untracked_blocks"], 0, "untracked blocks")
    tide.equal(target.quit(), 0, "exit status")
    return f"{THREADS} threads, a block each: exact"


if __name__ == "__main__":
    tide.main(test)
