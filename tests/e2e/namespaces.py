#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A target in namespaces and a root directory of its own, as in a container."""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import ledger  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402

OPERATIONS = 30000


def make_root(program):
    """A root directory with the program and the objects it loads, at paths of their own."""
    root = tide.scratch()
    os.makedirs(os.path.join(root, "srv"))
    shutil.copy(program, os.path.join(root, "srv", "ledger"))
    # For a static program ldd lists nothing and fails.
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for word in listed.split():
        if word.startswith("/"):
            os.makedirs(root + os.path.dirname(word), exist_ok=True)
            shutil.copy(word, root + word)
    return root


def only_child(tgid):
    with open(f"/proc/{tgid}/task/{tgid}/children", encoding="utf-8") as children:
        found = children.read().split()
    return int(found[0]) if found else None


def judge(variant):
    # The root is a mount that only the target sees: from outside none of its files has a path.
    root, mount = make_root(targets.path("ledger", variant)), tide.scratch()
    target = tide.Target(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                          'mount -t tmpfs none "$1" && cp -a "$0/." "$1" && shift && '
                          'exec chroot "$@"', root, mount, mount, "/srv/ledger", "mixed", "4",
                          str(OPERATIONS), "2"]).ready()
    tgid = only_child(target.tgid)
    session = tide.attach(tgid)
    books = ledger.round_of(target)
    report = session.stop().report()
    ledger.agree(report, books)
    tide.equal(report["process"]["pid"], tgid, "pid as seen from here")
    paths = [allocator["object"] for allocator in report["coverage"]["allocators"]]
    tide.check(not os.listdir(mount), "the target's mount is seen from outside: nothing is proved")
    tide.check(paths and not any(os.path.exists(path) for path in paths if mount in path),
               f"objects: {paths}")
    tide.equal(target.quit(), 0, "exit status")
    return ledger.live_blocks(books)


def test():
    found = [judge(variant) for variant in ("c", "static")]
    return f"own root, mounts and pids, files with no path from outside: exact, {found} blocks live"


if __name__ == "__main__":
    tide.main(test)
