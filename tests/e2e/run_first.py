#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A command is watched from its first allocation, before main, to its last."""

import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def judge(variant, command, ending=("exit_code", 0)):
    session = tide.run("--", *command)
    session.expect(0)
    report = session.report()
    tide.check(report["process"]["ended"], "the report says that the process has not ended")
    tide.equal(report["process"][ending[0]], ending[1], f"{ending[0]} of {command}")
    before, inside = (tide.caller(report, name) for name in ("site_before_main", "site_in_main"))
    tide.equal((before["allocated_blocks"], before["allocated_bytes"], before["freed_blocks"]),
               (300, 300000, 50), f"{variant}: blocks from before main")
    tide.equal((inside["allocated_blocks"], inside["allocated_bytes"], inside["freed_blocks"]),
               (200, 100000, 0), f"{variant}: blocks from main")


def test():
    early = targets.path("early")
    for variant in ("c", "musl", "static", "musl-static"):
        judge(variant, [targets.path("early", variant)])
    judge("status 5", [early, "5"], ("exit_code", 5))
    judge("SIGSEGV", [early, "segv"], ("exit_signal", signal.SIGSEGV))
    judge("SIGKILL", [early, "kill"], ("exit_signal", signal.SIGKILL))
    judge("through a shell", ["sh", "-c", f"exec {early}"])
    tide.run("--", "/bin/true").expect(0).report()
    return "500 blocks, 300 of them before main, in 4 kinds of program, 3 bad ends, an exec: seen"


if __name__ == "__main__":
    tide.main(test)
