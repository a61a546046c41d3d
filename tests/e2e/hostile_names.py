#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target chooses its own name: what is printed of it must not command the reader's terminal."""

import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import schema  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402

# Not UTF-8, a line of its own, an escape sequence, a quotation mark; in a comm's 15 bytes.
NAME = b'e\xff\nwatched\x1b[7m"'


def run_it(program, *options):
    done = subprocess.run([tide.TIDEMARK, "run", *options, "--", program], capture_output=True,
                          check=False, timeout=tide.PATIENCE)
    tide.equal(done.returncode, 0, f"exit status: {done.stderr!r}")
    return done.stdout, done.stderr


def test():
    program = os.path.join(os.fsencode(tide.scratch()), NAME)
    shutil.copy(targets.path("early"), program)
    text, messages = run_it(program)
    for what, output in (("report", text), ("messages", messages)):
        tide.check(b"\x1b" not in output, f"an escape sequence passed into the {what}: {output!r}")
        output.decode()
    starts = [line for line in messages.splitlines() if line.startswith(b"watched")]
    tide.equal(starts, [], "lines that the target wrote into the messages")
    report = json.loads(run_it(program, "--format", "json")[0])
    schema.validate(report)
    tide.check("watched" in report["process"]["exe"], f"exe: {report['process']['exe']!r}")
    bare = os.path.join(os.fsencode(tide.scratch()), NAME)
    shutil.copy(targets.path("noalloc", "odd"), bare)
    refused = tide.Session("attach", tide.start([bare]).pid)
    refused.expect(4)
    tide.check("\x1b" not in refused.text(), f"an escape sequence: {refused.text()!r}")
    return f"a program named {NAME!r}: report, messages and JSON are clean"


if __name__ == "__main__":
    tide.main(test)
