#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""memcached from its package, filled and flushed over its protocol."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import residue  # noqa: E402
import servers  # noqa: E402
import tide  # noqa: E402


ITEMS, SIZE = 40000, 1000


def begin():
    port = servers.free_port()
    process = tide.start(["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0",
                          "-m", "256", "-t", "2"])
    return process, servers.connect(process, port)


def fill(connection):
    value = b"v" * SIZE
    for first in range(0, ITEMS, 500):
        batch = b"".join(b"set key%d 0 0 %d noreply\r\n%s\r\n" % (nr, SIZE, value)
                         for nr in range(first, first + 500))
        connection.sendall(batch)
    servers.ask(connection, b"version\r\n", b"VERSION")


def test():
    server, connection = begin()
    before = tide.proc_status(server.pid, "RssAnon")
    session = tide.attach(server.pid)
    fill(connection)
    grown = tide.proc_status(server.pid, "RssAnon") - before
    servers.ask(connection, b"flush_all\r\n", b"OK")
    report = session.stop().report()
    live = report["totals"]["live_bytes"]
    tide.between(grown, ITEMS * SIZE, ITEMS * SIZE * 1.6, "growth of the process")
    tide.between(live, grown * 0.85, grown * 1.15, f"live bytes (the process grew by {grown})")
    servers.plausible_parts(report)
    top = report["sites"][0]
    tide.check(top["live_bytes"] > live * 0.5, "no site carries the items")
    tide.check("memcached" in (top["stack"][0]["module"] or ""), f"its caller: {top['stack'][:1]}")
    servers.ask(connection, b"version\r\n", b"VERSION")
    residue.text_restored(server.pid)
    return (f"{ITEMS} items of {SIZE} bytes: grew by {tide.mib(grown)}, live {tide.mib(live)} also "
            f"after flush_all; first site {tide.mib(top['live_bytes'])}, {top['verdict']}")


if __name__ == "__main__":
    tide.main(test)
