#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks lead through a library that was loaded after the attach, from its first second on."""

import collections
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import stacks  # noqa: E402
import tide  # noqa: E402


def build():
    host = stacks.build("late_host", "gcc", *stacks.BARE, sources=["late_host.c"])
    late = stacks.build("late.so", "gcc", *stacks.BARE, "-shared", "-fPIC", sources=["late.c"])
    return host, late


def is_complete(site, function):
    """Three frames of the library, main, the C library, and the program's first instruction."""
    names = [name for name, _ in stacks.chain_of(site)]
    return (names[:4] == ["late.so"] * 3 + ["late_host"] and names[-1] == "late_host" and
            site["stack"][2]["function"] == function and site["stack_end"] == "complete")


def judge(report, first, later):
    """Returns how many stacks were short, by reason."""
    blocks, short, of_late = collections.Counter(), collections.Counter(), 0
    for site in report["sites"]:
        names = [name for name, _ in stacks.chain_of(site)]
        # A block of the library's: its caller is known in any case.
        if names[:1] != ["late.so"]:
            continue
        of_late += site["allocated_blocks"]
        for function in ("late_first", "late_later"):
            blocks[function] += site["allocated_blocks"] * is_complete(site, function)
        if site["stack_end"] != "complete":
            short[site["stack_end"]] += site["allocated_blocks"]
    tide.equal(of_late, first + later, "allocations of the library")
    tide.equal(blocks["late_later"], later, f"complete stacks a second after the load (short: "
               f"{dict(short)})")
    tide.equal(blocks["late_first"] + sum(short.values()), first, "stacks before: complete, short")
    return short


def test():
    host, late = build()
    target = tide.Target([host, late]).ready()
    session = tide.attach(target.tgid)
    first, later = map(int, target.ask("load").split())
    tide.check(first > 20 and later > 10, f"too few allocations: {first}, {later}")
    report = session.stop().report()
    tide.equal(target.quit(), 0, "exit status")
    short = judge(report, first, later)
    reasons = ", ".join(f"{count} by '{reason}'" for reason, count in short.items()) or "none"
    return (f"a library loaded while watched, allocating every 10 ms: short stacks in the first "
            f"second {reasons} of {first}; from then on none of {later}")


if __name__ == "__main__":
    tide.main(test)
