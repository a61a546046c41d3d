#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that gave the process its number ends, the rest is still watched."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def test():
    target = targets.start("leaderless")
    session = tide.attach(target.tgid)
    target.ask("fill 100")
    target.ask("leave")
    target.ask("fill 250")
    report = session.stop().report()
    seen = tide.caller(report, "site_worker")
    tide.equal((seen["live_blocks"], seen["live_bytes"]), (350, 35000), "the other thread's blocks")
    tide.equal(target.quit(), 0, "exit status")
    return "100 blocks before and 250 after the end of the main thread: exact"


if __name__ == "__main__":
    tide.main(test)
