#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that gave the process its number ends, the rest is still watched."""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def judge(*options, follows=False):
    """follows: probes are moved to another thread, and what comes before that is lost."""
    target = targets.start("leaderless")
    session = tide.attach(target.tgid, "-v", *options)
    target.ask("fill 100")
    target.ask("leave")
    if follows:
        tide.wait_until(lambda: "follow another thread" in session.text(), "probes to move")
    target.ask("fill 250")
    report = session.stop().report()
    seen = tide.caller(report, "site_worker")
    tide.equal((seen["live_blocks"], seen["live_bytes"]), (350, 35000), "the other thread's blocks")
    tide.equal(target.quit(), 0, "exit status")
    if follows:
        notes = " ".join(report["coverage"]["notes"])
        tide.check("thread that probes follow" in notes, f"no note of the gap: {notes}")


def test():
    multi = "absent    multi-uprobes" not in subprocess.run(
        [tide.TIDEMARK, "doctor"], capture_output=True, text=True, check=True).stdout
    if multi:
        judge()
    judge("--single-uprobes", follows=True)
    return "100 blocks before and 250 after the end of the main thread: exact" + (
        ", with multi-uprobes and with single ones" if multi else "")


if __name__ == "__main__":
    tide.main(test)
