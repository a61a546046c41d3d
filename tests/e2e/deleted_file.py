#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target whose executable was deleted or replaced on disk, as an upgrade does."""

import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402

OPERATIONS = 30000


def judge(variant, replace):
    program = shutil.copy(targets.path("ledger", variant), tide.scratch())
    target = tide.Target([program, "mixed", "4", str(OPERATIONS), "2"]).ready()
    os.unlink(program)
    if replace:
        shutil.copy("/bin/true", program)
    session = tide.attach(target.tgid)
    books = ledger.round_of(target)
    report = session.stop().report()
    ledger.agree(report, books)
    tide.equal(target.quit(), 0, "exit status")


def test():
    for variant in ("c", "static"):
        judge(variant, replace=False)
        judge(variant, replace=True)
    return "executables deleted and replaced, dynamic and static: exact, with names"


if __name__ == "__main__":
    tide.main(test)
