#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks from before the attach are freed without a trace in the figures."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


BLOCKS = 20000


def test():
    target = targets.start("limits")
    target.ask(f"early {BLOCKS}")
    session = tide.attach(target.tgid)
    target.ask(f"drop_early {BLOCKS}")
    target.ask("plain 10")
    report = session.stop().report()
    tide.equal(report["totals"]["live_blocks"], 10, "live blocks")
    tide.equal(tide.caller(report, "site_early")["freed_blocks"], 0, "frees of unknown blocks")
    events = report["coverage"]["events"]
    tide.check(events < 1000, f"{events} events: frees of untracked blocks reached the ring")
    tide.equal(target.quit(), 0, "exit status")
    return f"{BLOCKS} frees of blocks from before the attach cost {events} events and no figure"


if __name__ == "__main__":
    tide.main(test)
