#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A session of `run` that is ended half-way leaves its command running, whatever it was doing."""

import os
import random
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import tide  # noqa: E402

ROUNDS = 15
# Begins itself anew again and again, and at last says that it got through.
SCRIPT = """
if [ "$1" -gt 0 ]; then exec sh "$0" $(($1 - 1)) "$2"; fi
echo through > "$2"
"""


def end_command(session, mark):
    """A command that hangs is not our child any more; it is known by its number and its words."""
    for tgid in re.findall(r"pid (\d+)", session.text()):
        try:
            with open(f"/proc/{tgid}/cmdline", encoding="utf-8") as words:
                if mark in words.read():
                    os.kill(int(tgid), signal.SIGKILL)
        except OSError:
            pass


def one_round(script, number, delay):
    mark = os.path.join(tide.scratch(), "mark")
    session = tide.run("--", "sh", script, "6", mark)
    session.watching()
    try:
        session.process.wait(delay)
    except subprocess.TimeoutExpired:
        session.process.send_signal(number)
    try:
        status = session.process.wait(tide.PATIENCE)
        tide.check(status in (0, -signal.SIGKILL), f"exit status {status}:\n" + session.text())
        tide.wait_until(lambda: os.path.exists(mark), f"end of the command after signal {number} "
                        f"at {delay:.3f} s (does it hang?)", 15)
    finally:
        end_command(session, mark)
    if status == 0:
        session.reports()


def test():
    script = os.path.join(tide.scratch(), "again.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(SCRIPT)
    chance = random.Random(3)
    for nr in range(ROUNDS):
        one_round(script, (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[nr % 3], chance.uniform(0, 1.5))
    return f"{ROUNDS} sessions ended by a signal around an exec: every command ran to its end"


if __name__ == "__main__":
    tide.main(test)
