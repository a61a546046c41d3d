#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target that becomes another program half-way: the report is of the first one."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def test():
    target = targets.start("exec")
    session = tide.attach(target.tgid)
    target.ask("fill 700")
    target.tell("exec")
    target.ready()
    status = session.wait()
    tide.equal(status, 0, "exit status (messages:\n" + session.text() + ")")
    report = session.report()
    seen = tide.caller(report, "site_before_exec")
    tide.equal((seen["allocated_blocks"], seen["allocated_bytes"]), (700, 70000), "blocks before")
    tide.check("exec" in session.text() or any("exec" in note
                                               for note in report["coverage"]["notes"]),
               "nothing says that the target began another program")
    target.ask("fill 10")
    tide.equal(target.quit(), 0, "exit status of the new program")
    return "700 blocks before the exec are in the report, the session ended by itself and said why"


if __name__ == "__main__":
    tide.main(test)
