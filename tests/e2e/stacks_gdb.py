#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks of programs from packages are those that gdb shows.

gdb stops a program at a fixed set of its calls of the allocator (series of consecutive ones, from
the first on and later); in another run, watched from its start, each of these stacks is a site's.
"""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import servers  # noqa: E402
import stacks  # noqa: E402
import tide  # noqa: E402

IN_GDB = os.path.join(stacks.SOURCES, "in_gdb.py")
# Both runs see the same environment.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "HOME": "/nonexistent",
               "PYTHONHASHSEED": "0"}
SQL = ("CREATE TABLE t(a PRIMARY KEY, b); INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'x'); "
       "SELECT group_concat(b) FROM (SELECT b FROM t WHERE a > 1 ORDER BY b DESC); "
       "CREATE INDEX i ON t(b); SELECT printf('%s', json_object('k', b)) FROM t;\n")
SCRIPT = ("import json, re\n"
          "class A:\n    def __init__(self): self.x = [re.compile('a+%d' % i) for i in range(9)]\n"
          "print(len(json.dumps([len(A().x), sorted(range(50), key=lambda v: -v)])))")


def redis_ends(port):
    """A request that makes the server exit, as soon as it listens."""
    return port, b"SHUTDOWN NOSAVE\r\n"


def memcached_ends(port):
    return port, b"shutdown\r\n"


def scratch_files(*contents):
    """Paths of files with these contents. gdb has ways of its own with quotes in arguments."""
    paths = []
    for nr, content in enumerate(contents):
        paths.append(os.path.join(tide.scratch(), f"file{nr}"))
        with open(paths[-1], "wb") as file:
            file.write(content)
    return paths


def programs():
    """name: (command, calls of malloc to pass before each series, calls in a series, how it is ended)."""
    data, sql, script = scratch_files(bytes(range(256)) * 4096, SQL.encode(), SCRIPT.encode())
    redis, memcached = servers.free_port(), servers.free_port()
    return {
        "sqlite3": (["/usr/bin/sqlite3", "-batch", "-init", sql, ":memory:", ".quit"], [0, 100, 300], 60, None),
        "python3": ([os.path.realpath("/usr/bin/python3"), "-E", "-s", "-S", script], [0, 1000, 3000], 80,
                    None),
        "memcached": (["/usr/bin/memcached", "-A", "-u", "root", "-l", "127.0.0.1", "-U", "0",
                       "-p", str(memcached)], [0], 40, memcached_ends(memcached)),
        "redis-server": (["/usr/bin/redis-server", "--port", str(redis), "--bind", "127.0.0.1",
                          "--save", "", "--daemonize", "no", "--dir", tide.scratch()],
                         [0, 100, 1000], 80, redis_ends(redis)),
        "xz": (["/usr/bin/xz", "-c", "-T1", data], [0], 30, None),
    }


def gdbs_stacks(command, skip, take):
    """The distinct chains that gdb shows."""
    output = os.path.join(tide.scratch(), "stacks")
    plan = json.dumps({"skip": skip, "take": take, "output": output})
    gdb = tide.start(["gdb", "-nx", "-batch", "-x", IN_GDB, "--args", *command],
                     env={**ENVIRONMENT, "TIDE_GDB_PLAN": plan}, stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = gdb.communicate(timeout=tide.PATIENCE)[0].decode(errors="replace")
    tide.equal(gdb.returncode, 0, f"gdb's exit status; it said:\n{said[-2000:]}")
    with open(output, encoding="utf-8") as lines:
        chains = [tuple((stacks.name_of(name), offset) for name, offset in json.loads(line))
                  for line in lines]
    return {chain[:stacks.MAX_FRAMES] for chain in chains}


def finish(session, ending):
    """The request that ends a server, once it listens."""
    port, request = ending
    connection = servers.connect(session.process, port)
    connection.sendall(request)
    connection.close()


def watched_stacks(command, ending):
    output = os.path.join(tide.scratch(), "report")
    session = tide.Session("run", "--tier", "all", "--format", "json", "-O", output, "--",
                           *command, env=ENVIRONMENT)
    if ending:
        finish(session, ending)
    session.expect(0)
    with open(output, encoding="utf-8") as file:
        report = json.load(file)
    return {stacks.chain_of(site) for site in report["sites"]}, report


def nearest(chain, chains):
    """The most similar chain from the inside out, for the message."""
    return max(chains, key=lambda other: stacks.first_difference(chain, other), default=())


def judge(name, command, skip, take, ending):
    wanted = gdbs_stacks(command, skip, take)
    found, report = watched_stacks(command, ending)
    missing = wanted - found
    for chain in sorted(missing, key=len)[:3]:
        other = nearest(chain, found)
        nr = stacks.first_difference(chain, other)
        print(f"{name}: gdb has {len(chain)} frames, report {len(other)}; gdb "
              f"{stacks.show(chain, nr)} | report {stacks.show(other, nr)}")
    tide.check(not missing, f"{name}: {len(missing)} of gdb's {len(wanted)} stacks are not in the "
               f"report; it has {len(found)}, {report['coverage']['truncated_stacks']} truncated")
    tide.check(wanted, f"{name}: gdb saw no allocation")
    return f"{name} {len(wanted)} (up to {max(map(len, wanted))} frames)"


def test():
    done = [judge(name, *plan) for name, plan in programs().items()]
    return "each of gdb's stacks is in the report: " + ", ".join(done)


if __name__ == "__main__":
    tide.main(test)
