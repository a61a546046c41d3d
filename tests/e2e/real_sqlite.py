#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sqlite3 from its package with a large table in memory, a sort, and all of it dropped."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import servers  # noqa: E402
import tide  # noqa: E402


ROWS = 60000
BUILD = (f"CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
         f"LIMIT {ROWS}) SELECT i, printf('%0400d', i * 7919 % {ROWS}) AS text FROM n;")
QUERY = "SELECT count(*) FROM (SELECT text FROM t ORDER BY text DESC LIMIT 40000);"


def test():
    shell = tide.Target(["sqlite3", "-batch", ":memory:"])
    shell.tell("SELECT 'ready';")
    shell.ready()
    before = tide.proc_status(shell.tgid, "RssAnon")
    session = tide.attach(shell.tgid)
    shell.tell(BUILD)
    shell.tell(QUERY)
    tide.equal(shell.lines.next(), "40000", "answer of the query")
    grown = tide.proc_status(shell.tgid, "RssAnon") - before
    report = session.stop().report()
    live = report["totals"]["live_bytes"]
    parts = servers.plausible_parts(report)
    tide.between(live, ROWS * 400, grown * 1.15, f"live bytes (the process grew by {grown})")
    explained = live + parts["allocator-held"] + parts["heap-untracked"]
    tide.between(explained, grown * 0.85, grown * 1.4, "live + allocator-held + untracked")
    shell.tell(".quit")
    tide.equal(shell.process.wait(tide.PATIENCE), 0, "exit status")
    return (f"{ROWS} rows sorted: live {tide.mib(live)}, allocator-held "
            f"{tide.mib(parts['allocator-held'])}, the process grew by {tide.mib(grown)}")


if __name__ == "__main__":
    tide.main(test)
