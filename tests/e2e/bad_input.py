#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of bad input: its exit status, one clear message, and no report."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


def expect(status, arguments, *words, lines=4):
    session = tide.Session(*arguments)
    session.expect(status)
    text = session.text().strip()
    tide.between(len(text.splitlines()), 1, lines, f"lines of message for {arguments}: {text!r}")
    for word in words:
        tide.check(word.lower() in text.lower(), f"{arguments}: no {word!r} in {text!r}")
    tide.equal(session.report_text(), "", f"report for {arguments}")
    return 1


def unused_tgid():
    child = tide.start(["/bin/true"])
    child.wait()
    return child.pid


def thread_of(tgid):
    tids = [int(name) for name in os.listdir(f"/proc/{tgid}/task")]
    return next(tid for tid in tids if tid != tgid)


def usage_errors(tgid):
    wrong = (
        ["attach"], ["attach", "abc"], ["attach", "-5"], ["attach", "0"],
        ["attach", "99999999999999999999"], ["attach", f"{tgid}x"], ["attach", tgid, "soon"],
        ["attach", tgid, "1s", "-1"], ["attach", tgid, "1s", "2", "3"], ["run"], ["run", "--"],
        ["attach", "--tier", "most", tgid], ["attach", "--format", "yaml", tgid],
        ["attach", "--hold", "5 bananas", tgid], ["attach", "--hold", "-1s", tgid],
        ["attach", "--max-blocks", "0", tgid], ["attach", "--max-blocks", "1e99", tgid],
        ["attach", "--ring-size", "5000", tgid], ["attach", "--ring-size", "1K", tgid],
        ["attach", "--no-such-option", tgid], ["attach", "-T", "many", tgid],
        ["attach", "-o", tgid], ["no-such-command"],
    )
    return sum(expect(2, arguments, lines=40) for arguments in wrong)


def targets_out_of_reach(target):
    go = [
        expect(4, ["attach", unused_tgid()], "process"),
        expect(4, ["attach", thread_of(target.tgid)], str(target.tgid)),
        # Kernel threads: the tool reads /proc/2/stat and refuses, nothing is touched.
        expect(4, ["attach", 2], "kernel"),
        expect(4, ["attach", 4194304], "process"),
        expect(4, ["run", "--", "/no/such/program"], "/no/such/program"),
    ]
    bare = tide.start([targets.path("noalloc", "odd")])
    go.append(expect(4, ["attach", bare.pid], "allocator"))
    stripped = tide.Target([targets.path("limits", "stripped-static")]).ready()
    go.append(expect(4, ["attach", stripped.tgid], "allocator"))
    tide.equal(stripped.quit(), 0, "exit status of the stripped program")
    return len(go)


def reports_that_cannot_be_written(target):
    return sum((
        expect(1, ["attach", "-O", "/no/such/directory/report", "--for", "1s", target.tgid],
               "/no/such/directory"),
        expect(1, ["attach", "-O", tide.scratch(), "--for", "1s", target.tgid]),
        expect(1, ["attach", "-O", "/dev/full", "--for", "100ms", target.tgid], "/dev/full",
               lines=8),
    ))


def test():
    target = targets.start("busy", 1)
    wrong = usage_errors(target.tgid)
    reach = targets_out_of_reach(target)
    unwritable = reports_that_cannot_be_written(target)
    tide.equal(target.quit(), 0, "the process that all of this was about is well")
    return (f"{wrong} wrong command lines exit 2, {reach} targets that cannot be watched exit 4, "
            f"{unwritable} reports that cannot be written exit 1, each with its message")


if __name__ == "__main__":
    tide.main(test)
