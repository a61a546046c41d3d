#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""redis-server, which brings an allocator of its own: watched, or clearly refused."""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import servers  # noqa: E402
import tide  # noqa: E402


KEYS, SIZE = 10000, 2000


def fill(connection):
    value = b"v" * SIZE
    for first in range(0, KEYS, 500):
        connection.sendall(b"".join(
            b"*3\r\n$3\r\nSET\r\n$9\r\nkey%06d\r\n$%d\r\n%s\r\n" % (nr, SIZE, value)
            for nr in range(first, first + 500)))
        servers.read_bytes(connection, len(b"+OK\r\n") * 500)


def test():
    port = servers.free_port()
    server = tide.start(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                         "--appendonly", "no", "--dir", tide.scratch(), "--daemonize", "no"],
                        stdout=subprocess.DEVNULL)
    connection = servers.connect(server, port)
    servers.ask(connection, b"PING\r\n", b"+PONG")
    session = tide.Session("attach", "--tier", "all", "--format", "json", server.pid)
    status = servers.watching_or_status(session)
    if status is not None:
        tide.equal(status, 4, "exit status when its allocator cannot be watched: " + session.text())
        servers.ask(connection, b"PING\r\n", b"+PONG")
        return "refused, and redis-server answers: " + session.text().strip().splitlines()[0]
    fill(connection)
    report = session.stop().report()
    live = report["totals"]["live_bytes"]
    names = [allocator["name"] for allocator in report["coverage"]["allocators"]]
    servers.ask(connection, b"PING\r\n", b"+PONG")
    tide.between(live, KEYS * SIZE, KEYS * SIZE * 1.6, f"live bytes with {names}: "
                 f"{report['coverage']['notes']}")
    return f"{KEYS} values of {SIZE} bytes: live {tide.mib(live)} with {', '.join(names)}"


if __name__ == "__main__":
    tide.main(test)
