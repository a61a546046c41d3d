#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The text report: sites with figures and verdicts, coverage last, no colours in a file."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def test():
    target = targets.start("limits")
    session = tide.Session("attach", "--tier", "all", target.tgid).watching()
    target.ask("plain 3000")
    text = session.stop().report_text()
    tide.equal(target.quit(), 0, "exit status")
    tide.check("\x1b" not in text, "escape sequences in a file")
    for word in ("limits", str(target.tgid), "site_plain", "plain", "293"):
        tide.check(word in text, f"no {word!r} in the report:\n{text}")
    last = [line for line in text.splitlines() if line.strip()][-1]
    tide.check(any(word in last.lower() for word in ("coverage", "events", "lost")),
               f"the last line is not about coverage: {last!r}")
    tide.check(max(map(len, text.splitlines())) <= 200, "lines too long to read")
    doctor = tide.Session("doctor").expect(0)
    tide.check(len(doctor.report_text().splitlines()) >= 3, "doctor says too little")
    version = tide.Session("--version").expect(0).report_text()
    tide.check("tidemark" in version, f"version: {version!r}")
    tide.check("attach" in tide.Session("--help").expect(0).report_text(), "help names no attach")
    return f"{len(text.splitlines())} lines of text, the last: {last.strip()}"


if __name__ == "__main__":
    tide.main(test)
