#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Rust HashMap that was cleared keeps its table, and its bytes stay live."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def test():
    target = targets.start("hashmap", variant="rust")
    session = tide.attach(target.tgid)
    capacity = int(target.ask("fill 100000"))
    tide.equal(int(target.ask("clear")), capacity, "capacity after clear()")
    report = session.stop().report()
    live = report["totals"]["live_bytes"]
    tide.between(live, capacity * 64, capacity * 64 * 1.4, "live bytes of the cleared table")
    target.tell("quit")
    tide.equal(target.process.wait(tide.PATIENCE), 0, "exit status")
    return f"a cleared HashMap of capacity {capacity} holds {tide.mib(live)}"


if __name__ == "__main__":
    tide.main(test)
