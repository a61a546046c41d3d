#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fifty times: attach, ten seconds, detach, on a busy process."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import endurance  # noqa: E402
import tide  # noqa: E402


def test():
    return endurance.attach_and_detach(50, "10s")


if __name__ == "__main__":
    tide.main(test)
