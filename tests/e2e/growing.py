#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A leak is called growing, and what comes and goes beside it is not."""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402

STEPS, PAUSE_SECONDS = 80, 0.1


def site_of(report, function):
    return max((site for site in report["sites"] if tide.first_function(site) == function),
               key=lambda site: site["peak_bytes"])


def test():
    target = targets.start("limits")
    session = tide.attach(target.tgid, "--hold", "500ms")
    # The verdict is about time: the leak has to take some.
    for _ in range(STEPS):
        target.ask("touch 1")
        target.ask("huge 1")
        time.sleep(PAUSE_SECONDS)
    report = session.stop().report()
    leak, turnover = site_of(report, "site_touched"), site_of(report, "site_huge")
    tide.equal(leak["live_blocks"], STEPS, "blocks of the leak")
    tide.equal(leak["verdict"], "growing", "verdict on the leak: " + leak["why"])
    tide.check(turnover["verdict"] != "growing", "verdict on the turnover: " + turnover["why"])
    tide.equal(target.quit(), 0, "exit status")
    return f"{leak['verdict']}, {leak['evidence']}: {leak['why']}; beside it {turnover['verdict']}"


if __name__ == "__main__":
    tide.main(test)
