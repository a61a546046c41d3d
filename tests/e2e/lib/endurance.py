# SPDX-License-Identifier: GPL-2.0-or-later
"""Promises that are proved in little by each test run, and at full length by the soak tests."""

import json

import residue
import targets
import tide


def one_round(target, seconds):
    """Attaches for so long. Returns the BPF objects that the tool had open."""
    session = tide.attach(target.tgid, "--for", seconds)
    objects = residue.bpf_objects(session.process.pid)
    tide.equal({kind for kind, _ in objects}, set(residue.KINDS), "kinds of objects held")
    session.expect(0)
    seen = tide.caller(session.report(), "busy_malloc")
    tide.check(seen["allocated_blocks"] > 0, "a busy target, and nothing was seen")
    residue.text_restored(target.tgid)
    return objects


def attach_and_detach(rounds, seconds):
    target = targets.start("busy", 2)
    objects = one_round(target, seconds)
    files, before = residue.open_files(target.tgid), tide.proc_status(target.tgid, "VmRSS")
    for _ in range(rounds - 1):
        objects |= one_round(target, seconds)
    residue.bpf_gone(objects)
    tide.equal(residue.open_files(target.tgid), files, "open files of the target")
    after = tide.proc_status(target.tgid, "VmRSS")
    tide.check(after <= before * 1.25 + (1 << 20), f"RSS of the target {before} -> {after}")
    target.tell("quit")
    count = json.loads(target.lines.next())
    tide.equal((target.process.wait(tide.PATIENCE), count["errors"]), (0, 0), "harm to the target")
    return (f"{rounds} times attached for {seconds} to a busy process ({count['turns']} turns, "
            f"{count['signals']} signals, no error): text restored, no descriptor left, "
            f"{len(objects)} BPF objects gone")


def memory_returns(blocks, seconds, *options):
    """The tool's RSS after a target had so many live blocks and freed them."""
    target = targets.start("blocks", 2)
    session = tide.attach(target.tgid, "--hold", "1s", *options)
    tool = session.process.pid
    start = tide.proc_status(tool, "VmRSS")
    target.ask(f"fill {blocks}", seconds)
    target.ask("drain", seconds)
    tide.wait_until(lambda: tide.proc_status(tool, "VmRSS") <= start * 1.25,
                    f"return of the tool's RSS to 1.25 x {tide.mib(start)}", 30)
    end, top = tide.proc_status(tool, "VmRSS"), tide.proc_status(tool, "VmHWM")
    report = session.stop().report()
    seen = tide.caller(report, "make_block")
    tide.equal((seen["allocated_blocks"], seen["live_blocks"]), (blocks, 0), "blocks")
    tide.equal(target.quit(), 0, "exit status")
    tide.check(top > start * 1.5, f"the tool's RSS rose from {start} to {top} only: no proof")
    return (f"{blocks} live blocks and none again: the tool's RSS {tide.mib(start)}, at most "
            f"{tide.mib(top)}, then {tide.mib(end)}")
