#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The familiar options: top, age, smallest size, each block by its address, output file."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import schema  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


def test():
    target = targets.start("limits")
    output = os.path.join(tide.scratch(), "out.json")
    session = tide.attach(target.tgid, "-z", "101", "-O", output)
    target.ask("nest 50")
    session.stop()
    tide.equal(session.report_text(), "", "stdout when the report goes to a file")
    with open(output, encoding="utf-8") as file:
        report = json.load(file)
    schema.validate(report)
    tide.equal(report["totals"]["live_blocks"], 50, "blocks of at least 101 bytes")
    tide.equal(report["coverage"]["min_bytes"], 101, "min_bytes of the coverage")
    tide.equal(target.quit(), 0, "exit status")

    target = targets.start("limits")
    session = tide.Session("attach", "--tier", "all", "-T", 2, "-a", target.tgid).watching()
    target.ask("nest 40")
    text = session.stop().report_text()
    sites, _, blocks = text.partition("Largest live blocks")
    shown = [name for name in ("site_calloc", "site_new_array", "site_posix", "site_aligned",
                               "site_memalign") if name in sites]
    tide.equal(len(shown), 2, f"sites shown with -T 2: {shown}")
    tide.check("0x" in blocks, "no address with --show-allocs")

    session = tide.Session("attach", "--tier", "all", "-o", "1h", target.tgid).watching()
    target.ask("plain 30")
    text = session.stop().report_text()
    tide.check("site_plain" not in text, "a young site is shown with --older 1h:\n" + text)
    tide.equal(target.quit(), 0, "exit status")
    return "-z leaves out small blocks, -T shows that many sites, -a addresses, -o no young block"


if __name__ == "__main__":
    tide.main(test)
