#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target whose malloc was replaced by a preloaded library."""

import glob
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402

OPERATIONS = 60000


def test():
    # redis-server depends on it.
    found = glob.glob("/usr/lib/*/libjemalloc.so.2")
    tide.check(found, "libjemalloc.so.2 is missing: package redis-server brings it")
    program = targets.path("ledger")
    # Not the mixed mode: jemalloc has no pvalloc, and what glibc's returns it cannot free.
    target = tide.Target([program, "reuse", "8", str(OPERATIONS), "9"],
                         env={**os.environ, "LD_PRELOAD": found[0]}).ready()
    session = tide.attach(target.tgid)
    books = ledger.round_of(target)
    report = session.stop().report()
    names = [allocator["name"] for allocator in report["coverage"]["allocators"]]
    tide.check("jemalloc" in names, f"allocators found: {names}")
    sites = ledger.agree(report, books)
    tide.equal(target.quit(), 0, "exit status of the ledger")
    return f"jemalloc preloaded ({', '.join(names)} probed): {sites} sites exact"


if __name__ == "__main__":
    tide.main(test)
