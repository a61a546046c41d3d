#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Children of the target, however they began, are not mistaken for it."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import residue  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


def judge(*options):
    target = targets.start("forker")
    session = tide.attach(target.tgid, *options)
    tide.equal(target.ask("fork 10"), "10", "forked children that ended well")
    tide.equal(target.ask("stay"), "1", "child that stays")
    tide.equal(target.ask("vfork 10"), "10", "vforked children that ended well")
    tide.equal(target.ask("spawn 10"), "10", "spawned children that ended well")
    report = session.stop().report()
    own = tide.caller(report, "site_parent")
    tide.equal((own["live_blocks"], own["live_bytes"], own["freed_blocks"]), (400, 40000, 0),
               "the parent's blocks")
    tide.check("site_child" not in tide.by_caller(report), "a child's blocks are in the report")
    residue.text_restored(target.tgid)
    tide.equal(target.quit(), 0, "exit status")


def test():
    judge()
    judge("--single-uprobes")
    return "31 children forked, vforked and spawned: all ended well, none counted, parent exact"


if __name__ == "__main__":
    tide.main(test)
