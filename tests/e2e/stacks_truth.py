#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks are those that programs built without frame pointers record about themselves.

Each allocation's stack by backtrace(), which reads the same unwind tables with other code, against
the site that the report charges for it, frame by frame.
"""

import collections
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import stacks  # noqa: E402
import tide  # noqa: E402

NEEDED = 0.995

# (program, label): why these stacks differ. This list only shrinks.
KNOWN = {}

# A timer chooses where these begin. One may begin in a linkage stub of a static program, which has
# no unwind information: backtrace() ends there, Tidemark goes on. All others agree, each time.
BY_CHANCE = "interrupted"

C = ("truth_c.c", "truth.c")
PROGRAMS = {
    "c": (C, ["gcc", *stacks.BARE]),
    "c-static": (C, ["gcc", "-static", *stacks.BARE]),
    "c-static-pie": (C, ["gcc", "-static-pie", *stacks.BARE]),
    "c-clang": (C, ["clang", *stacks.BARE]),
    "c-lazy": (C, ["gcc", "-Wl,-z,lazy", "-O3", *stacks.BARE[1:]]),
}


def recorder():
    """truth.c compiled by itself, for programs in other languages."""
    return stacks.build("truth.o", "gcc", "-c", *stacks.BARE, sources=["truth.c"])


def programs():
    """(name, path) of each program that can be built here, and the names left out."""
    built = [(name, stacks.build(f"truth-{name}", *command, sources=sources))
             for name, (sources, command) in PROGRAMS.items()]
    for name, more in (("cpp", []), ("cpp-static", ["-static"])):
        command = ["g++", *stacks.BARE, *more, recorder()]
        built.append((name, stacks.build(f"truth-{name}", *command, sources=["truth_cpp.cc"])))
    if not shutil.which("rustc"):
        return built, ["rust"]
    command = ["rustc", "-O", "-C", "force-frame-pointers=no", "-C", f"link-arg={recorder()}"]
    built.append(("rust", stacks.build("truth-rust", *command, sources=["truth_rust.rs"])))
    return built, []


def watch(program):
    """Returns what the program recorded, and the report."""
    target = tide.Target([program]).ready()
    session = tide.attach(target.tgid)
    target.tell("go")
    records = stacks.read_records(target)
    report = session.stop().report()
    tide.equal(target.quit(), 0, "exit status")
    return records, report


def recorded_sites(report, wrapper):
    """{chain above the wrapper: [blocks, bytes]} of the sites whose caller is the wrapper."""
    found = collections.defaultdict(lambda: [0, 0])
    for site in report["sites"]:
        chain = stacks.chain_of(site)
        if chain and chain[0][0] == wrapper[0] and abs(chain[0][1] - wrapper[1]) < 256:
            found[chain[1:]][0] += site["allocated_blocks"]
            found[chain[1:]][1] += site["allocated_bytes"]
    return found


def unlike(records, report):
    """The records whose stack the report does not have, with as many blocks and bytes."""
    sites = recorded_sites(report, records[0].chain[0])
    groups = collections.defaultdict(list)
    for record in records:
        groups[record.chain[1:]].append(record)
    missing = []
    for chain, group in groups.items():
        if sites.get(chain) == [len(group), sum(record.size for record in group)]:
            del sites[chain]
        else:
            missing += group
    return missing, sites


def explain(record, strangers):
    """One line about a stack that differs."""
    for chain, (_, size) in strangers.items():
        if size == record.size:
            nr = stacks.first_difference(record.chain[1:], chain)
            return (f"{record.label}: {len(record.chain) - 1} frames recorded, {len(chain)} in the "
                    f"report; recorded {stacks.show(record.chain[1:], nr)} | report "
                    f"{stacks.show(chain, nr)}")
    return f"{record.label}: {len(record.chain) - 1} frames, not in the report"


def judge(name, records, report):
    """Returns the number of identical stacks."""
    missing, strangers = unlike(records, report)
    unknown = [record for record in missing if (name, record.label) not in KNOWN]
    identical = len(records) - len(missing)
    text = "\n".join(explain(record, strangers) for record in unknown[:6])
    tide.equal(report["coverage"]["lost_events"], 0, "lost events")
    tide.check(identical >= NEEDED * len(records) and
               all(record.label == BY_CHANCE for record in unknown),
               f"{name}: {identical} of {len(records)} stacks identical\n{text}")
    if text:
        print(f"{name}: {len(unknown)} unexplained\n{text}")
    for known in (key for key in KNOWN if key[0] == name):
        tide.check(any(record.label == known[1] for record in missing),
                   f"{known} is right now: take it from the list")
    return identical


def test():
    built, left_out = programs()
    counts, identical, total, deepest = [], 0, 0, 0
    for name, program in built:
        records, report = watch(program)
        same = judge(name, records, report)
        counts.append(f"{name} {same}/{len(records)}")
        identical += same
        total += len(records)
        deepest = max(deepest, *(len(record.chain) for record in records))
    tide.check(identical >= NEEDED * total, f"{identical} of {total} identical: {counts}")
    missing = f"; without {', '.join(left_out)}: no compiler" if left_out else ""
    return (f"{identical} of {total} stacks identical frame by frame, up to {deepest} deep: "
            f"{', '.join(counts)}{missing}")


if __name__ == "__main__":
    tide.main(test)
