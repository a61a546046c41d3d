#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Resident bytes are those in RAM: a block that was never touched costs nothing."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import servers  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402

BLOCKS, SIZE = 40, 1 << 20


def resident(report, function):
    sites = [site for site in report["sites"] if tide.first_function(site) == function]
    tide.equal(sum(site["live_bytes"] for site in sites), BLOCKS * SIZE, f"{function}: live bytes")
    return sum(site["resident_bytes"] for site in sites)


def test():
    target = targets.start("limits")
    session = tide.attach(target.tgid)
    target.ask(f"touch {BLOCKS}")
    rss = tide.proc_status(target.tgid, "VmRSS")
    report = session.stop().report()
    touched, untouched = resident(report, "site_touched"), resident(report, "site_untouched")
    tide.between(touched, BLOCKS * SIZE * 0.98, BLOCKS * SIZE, "resident bytes of touched blocks")
    # A block's first page holds its header, and pages of neighbours may be shared.
    tide.between(untouched, 0, BLOCKS * 4 * 4096, "resident bytes of untouched blocks")
    tide.between(report["memory"]["rss_bytes"], rss * 0.95, rss * 1.05, "rss_bytes and VmRSS")
    parts = servers.plausible_parts(report)
    tide.between(parts["live"], touched, touched + untouched, "the live part")
    tide.equal(target.quit(), 0, "exit status")
    return (f"{tide.mib(BLOCKS * SIZE)} each: written {tide.mib(touched)} resident, never written "
            f"{tide.mib(untouched)}; RSS {tide.mib(rss)}, of it live {tide.mib(parts['live'])}")


if __name__ == "__main__":
    tide.main(test)
