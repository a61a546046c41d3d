#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated code has the names that its compiler lists for perf, also those listed after the attach,
and when the list lies in another mount and pid namespace; the names stay when the process ends."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402

SIZES = (100001, 200002, 300003)


def only_child(tgid):
    with open(f"/proc/{tgid}/task/{tgid}/children", encoding="utf-8") as children:
        found = children.read().split()
    return int(found[0])


def names(report):
    """Name and bytes of the generated function that each site begins with."""
    found = {}
    for site in report["sites"]:
        frame = site["stack"][site["headline"]] if site["stack"] else {}
        if (frame.get("function") or "").startswith("jit_"):
            tide.equal(frame["module"], None, "module of generated code")
            tide.check(frame["offset"] > 4096, "the address of generated code")
            callers = [caller["function"] for caller in site["stack"][1:]]
            tide.check("site_generated" in callers, f"callers of generated code: {callers}")
            found[frame["function"]] = site["allocated_bytes"]
    return found


def expected(sizes):
    return {f"jit_{size} /app/load.js:{size}": size for size in sizes}


def judge(target, tgid):
    session = tide.attach(tgid)
    for size in SIZES:
        target.ask(f"make {size}")
    tide.equal(names(session.stop().report()), expected(SIZES), "generated functions")
    session = tide.attach(tgid)
    target.ask("make 400004")
    target.tell("quit")
    session.expect(0)
    tide.equal(names(session.report()), expected([400004]), "those of an ended process")
    tide.equal(target.process.wait(tide.PATIENCE), 0, "exit status")


def test():
    program = targets.path("jit")
    target = tide.Target([program]).ready()
    try:
        judge(target, target.tgid)
    finally:
        os.unlink(f"/tmp/perf-{target.tgid}.map")
    # There it is process 1, and /tmp is a mount that only it sees.
    target = tide.Target(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                          'exec 3<"$0" && mount -t tmpfs none /tmp && cp /dev/fd/3 /tmp/jit && '
                          'chmod +x /tmp/jit && exec /tmp/jit 3<&-', program]).ready()
    judge(target, only_child(target.tgid))
    tide.check(not os.path.exists("/tmp/perf-1.map"), "the list is seen from outside")
    return (f"{2 * (len(SIZES) + 1)} generated functions named, half of them in mount and pid "
            "namespaces of their own")


if __name__ == "__main__":
    tide.main(test)
