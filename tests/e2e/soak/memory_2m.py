#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tool's own memory comes back down after two million blocks went."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import endurance  # noqa: E402
import tide  # noqa: E402


def test():
    return endurance.memory_returns(2000000, 600)


if __name__ == "__main__":
    tide.main(test)
