#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses that pass from thread to thread while a realloc moves away from them."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


def judge(variant, operations):
    target = targets.start("ledger", "reuse", 8, operations, 3, variant=variant)
    session = tide.attach(target.tgid)
    books = ledger.round_of(target)
    report = session.stop().report()
    ledger.agree(report, books)
    tide.equal(target.quit(), 0, f"exit status of the {variant} ledger")
    return ledger.freed_blocks(books)


def test():
    glibc, musl = judge("c", 150000), judge("musl", 60000)
    return f"one heap, 8 threads: {glibc} blocks freed or moved in glibc, {musl} in musl, all exact"


if __name__ == "__main__":
    tide.main(test)
