#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An object loaded while watched has its sites named."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def test():
    target = tide.Target([targets.path("host", "odd"), targets.path("plugin", "odd")]).ready()
    session = tide.attach(target.tgid)
    target.ask("load")
    target.ask("call 60")
    report = session.stop().report()
    loaded, called = (tide.caller(report, name) for name in ("site_plugin_loaded", "plugin_alloc"))
    tide.equal((loaded["live_blocks"], loaded["live_bytes"]), (40, 12000), "blocks when loaded")
    tide.equal((called["live_blocks"], called["live_bytes"]), (60, 24000), "blocks when called")
    tide.equal(target.quit(), 0, "exit status")
    return "an object loaded after the attach: 40 blocks of its constructor, 60 of a call, named"


if __name__ == "__main__":
    tide.main(test)
