#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The built-in story: the report names the table that kept its spike."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import tide  # noqa: E402


def test():
    demo = tide.Session("demo")
    demo.expect(0)
    lines = demo.report_text()
    tide.check("table_resize" in lines, "the demo's report does not name table_resize:\n" + lines)
    tide.check("high-water" in lines, "the demo's report has no high-water verdict:\n" + lines)
    paragraph = next(line for line in lines.splitlines() if "high-water" in line)
    return f"the demo names table_resize; its first verdict line: {paragraph.strip()}"


if __name__ == "__main__":
    tide.main(test)
