#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target that ends or is killed half-way: whatever was seen is reported."""

import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def judge(end, expected):
    target = targets.start("limits")
    session = tide.attach(target.tgid)
    target.ask("plain 900")
    if end:
        target.process.send_signal(end)
    else:
        target.tell("quit")
    tide.equal(target.process.wait(tide.PATIENCE), expected, "how the target ended")
    session.expect(0)
    seen = tide.caller(session.report(), "site_plain")
    tide.equal((seen["allocated_blocks"], seen["allocated_bytes"]), (900, 90000), "blocks")
    tide.check(len(session.text().splitlines()) <= 12, "too many messages:\n" + session.text())


def test():
    judge(None, 0)
    judge(signal.SIGTERM, -signal.SIGTERM)
    judge(signal.SIGSEGV, -signal.SIGSEGV)
    judge(signal.SIGKILL, -signal.SIGKILL)
    return "ended by itself, SIGTERM, SIGSEGV, SIGKILL: four reports with all 900 blocks"


if __name__ == "__main__":
    tide.main(test)
