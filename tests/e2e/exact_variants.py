#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Exact in musl, in statically linked programs, and with the probes of older kernels."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


VARIANTS = (("musl",), ("static",), ("musl-static",), ("c", "--single-uprobes"))
OPERATIONS = 60000


def judge(variant, *options):
    target = targets.start("ledger", "mixed", 8, OPERATIONS, 23, variant=variant)
    session = tide.attach(target.tgid, *options)
    books = ledger.round_of(target)
    report = session.stop().report()
    allocators = [allocator["name"] for allocator in report["coverage"]["allocators"]]
    tide.check(allocators, "the report names no allocator")
    sites = ledger.agree(report, books)
    ledger.round_of(target, "drain")
    tide.equal(target.quit(), 0, f"exit status of the {variant} ledger")
    return f"{' '.join([variant, *options])} ({', '.join(allocators)}, {sites} sites)"


def test():
    return "exact: " + ", ".join(judge(*variant) for variant in VARIANTS)


if __name__ == "__main__":
    tide.main(test)
