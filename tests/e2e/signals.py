#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGINT, SIGTERM and SIGKILL at any moment: no probe stays, the target is unharmed."""

import os
import random
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import residue  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


ROUNDS = int(os.environ.get("TIDE_ROUNDS", "15"))


def one_round(target, number, delay):
    session = tide.Session("attach", "--tier", "all", "--format", "json", target.tgid)
    objects = set()
    try:
        session.process.wait(delay)
    except subprocess.TimeoutExpired:
        objects = residue.bpf_objects(session.process.pid)
        session.process.send_signal(number)
    status = session.wait()
    if number == signal.SIGKILL:
        tide.equal(status, -signal.SIGKILL, "exit status")
    elif status == 0:
        session.report()
    else:
        # Before the tool has set up its signals the default action ends it.
        tide.check(status == -number and not session.report_text(),
                   f"exit status {status} after signal {number}, {delay:.3f} s:\n{session.text()}")
    return objects, status == 0


def attach_seconds(target):
    began = time.monotonic()
    tide.attach(target.tgid).stop()
    return time.monotonic() - began


def test():
    target = targets.start("busy", 2)
    whole = attach_seconds(target)
    chance = random.Random(7)
    objects, reports = set(), 0
    for nr in range(ROUNDS):
        number = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[nr % 3]
        held, reported = one_round(target, number, chance.uniform(0, whole * 1.2))
        objects |= held
        reports += reported
        residue.text_restored(target.tgid)
    tide.check(objects, "no signal met the tool with a BPF object")
    residue.bpf_gone(objects)
    tide.equal(target.quit(), 0, "the busy target found its blocks whole")
    return (f"{ROUNDS} signals at random moments of the first {whole * 1.2:.1f} s: {reports} "
            f"reports, text of the target restored each time, {len(objects)} BPF objects gone")


if __name__ == "__main__":
    tide.main(test)
