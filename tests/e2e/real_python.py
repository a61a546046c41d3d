#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The distribution's python3, building and dropping structures while watched."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import servers  # noqa: E402
import tide  # noqa: E402


PROGRAM = """
import sys
kept = {}
print("ready", flush=True)
for line in sys.stdin:
    if line == "build\\n":
        kept["blocks"] = [bytes(100000) for _ in range(400)]
        kept["table"] = {number: None for number in range(500000)}
    elif line == "drop\\n":
        kept.clear()
    elif line == "quit\\n":
        break
    print("done", line.strip(), flush=True)
"""
BLOCK_BYTES = 400 * 100033


def test():
    target = tide.Target(["/usr/bin/python3", "-c", PROGRAM]).ready()
    before = tide.proc_status(target.tgid, "RssAnon")
    session = tide.attach(target.tgid)
    target.ask("build")
    grown = tide.proc_status(target.tgid, "RssAnon") - before
    report = session.stop().report()
    live = report["totals"]["live_bytes"]
    tide.between(live, BLOCK_BYTES, grown * 1.15, f"live bytes (the process grew by {grown})")
    servers.plausible_parts(report)
    tide.check(report["sites"][0]["live_bytes"] > BLOCK_BYTES * 0.9, "no site carries the blocks")

    session = tide.attach(target.tgid)
    target.ask("drop")
    target.ask("build")
    target.ask("drop")
    report = session.stop().report()
    left, allocated = report["totals"]["live_bytes"], sum(
        site["allocated_bytes"] for site in report["sites"])
    tide.check(allocated > BLOCK_BYTES, "the second building was not seen")
    tide.check(left < BLOCK_BYTES * 0.05, f"{left} bytes live after all was dropped")
    tide.equal(target.quit(), 0, "exit status")
    return (f"built: live {tide.mib(live)}, grown by {tide.mib(grown)}; built and dropped again: "
            f"{tide.mib(allocated)} allocated, {tide.mib(left)} live")


if __name__ == "__main__":
    tide.main(test)
