# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers from packages, started by a test on a loopback port of its own."""

import socket

import tide


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(process, port):
    """A connection to the server once it listens; fails when the server ends."""
    def try_it():
        tide.check(process.poll() is None, f"{process.args[0]} ended with {process.returncode}")
        try:
            return socket.create_connection(("127.0.0.1", port), tide.PATIENCE)
        except ConnectionRefusedError:
            return None
    return tide.wait_until(try_it, f"answer of {process.args[0]}")


def read_bytes(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        tide.check(more, "the server closed its connection")
        data += more
    return data


def ask(connection, request, expected):
    """Sends a request whose answer is one line that begins as expected."""
    connection.sendall(request)
    line = b""
    while not line.endswith(b"\n"):
        line += read_bytes(connection, 1)
    tide.check(line.startswith(expected), f"{request!r}: the server said {line!r}")


def plausible_parts(report):
    """The parts of the resident memory by kind; they add up, and none is beyond the whole."""
    memory = report["memory"]
    parts = dict.fromkeys(("live", "allocator-held", "heap-untracked"), 0)
    parts.update({part["kind"]: part["bytes"] for part in memory["parts"]})
    tide.equal(sum(parts.values()), memory["rss_bytes"], "sum of the parts")
    tide.check(memory["peak_rss_bytes"] >= memory["rss_bytes"], "peak below the present RSS")
    tide.check(parts["live"] <= report["totals"]["live_bytes"] * 1.1 + (1 << 20),
               f"live part {parts['live']} beyond the live bytes")
    return parts


def watching_or_status(session):
    """None once the tool is watching, or the status with which it refused."""
    try:
        session.watching()
    except AssertionError:
        return session.wait()
    return None
