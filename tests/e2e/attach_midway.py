#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attached in the middle of the work of eight threads: what was seen to begin is seen to end."""

import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402

OPERATIONS = 300000


def judge(mode, variant, *options):
    target = targets.start("ledger", mode, 8, OPERATIONS, 31, variant=variant)
    target.tell("go")
    # Held in the middle of its work, which would else be over before the probes are in place.
    os.kill(target.tgid, signal.SIGSTOP)
    session = tide.attach(target.tgid, *options)
    os.kill(target.tgid, signal.SIGCONT)
    books = json.loads(target.lines.next()[len("done "):])
    tide.equal(books["errors"], 0, "errors the ledger found in its own blocks")
    ledger.round_of(target, "drain")
    report = session.stop().report()
    sites = {name: figures for name, figures in tide.by_caller(report).items()
             if name.startswith("site_")}
    seen = sum(figures["allocated_blocks"] for figures in sites.values())
    wrong = {name: figures for name, figures in sites.items()
             if figures["live_blocks"] or figures["live_bytes"]}
    tide.check(not wrong, f"{mode} {variant}: live after all was freed: {wrong}")
    tide.check(seen > 0, f"{mode} {variant}: the work was over before the probes were in place")
    tide.equal(target.quit(), 0, "exit status of the ledger")
    return seen


def test():
    seen = [judge("mixed", "c"), judge("reuse", "musl", "--ring-size", "64K")]
    return f"of {OPERATIONS} operations each the last {seen} allocations were seen: none is left"


if __name__ == "__main__":
    tide.main(test)
