#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""With a ring far too small the live figures are exact all the same."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


OPERATIONS = 150000


def test():
    target = targets.start("ledger", "mixed", 8, OPERATIONS, 5)
    session = tide.attach(target.tgid, "--ring-size", "64K")
    ledger.round_of(target)
    books = ledger.round_of(target)
    report = session.stop().report()
    coverage = report["coverage"]
    tide.check(coverage["lost_events"] > 0, "the ring of 64 KiB did not overflow")
    tide.check(coverage["resyncs"] > 0, "events were lost and the live map was not read again")
    ledger.agree(report, books)
    tide.equal(target.quit(), 0, "exit status of the ledger")
    return (f"{books['operations']} operations in two rounds through a ring of 64 KiB: exact, "
            f"{coverage['lost_events']} events lost, {coverage['resyncs']} resyncs")


if __name__ == "__main__":
    tide.main(test)
