#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Without the rights it takes: exit 3, the reason and what to do, and no harm."""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


NOBODY = 65534


def as_nobody(tool, *arguments):
    process = tide.start([tool, *map(str, arguments)], user=NOBODY, group=NOBODY, extra_groups=[],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=tide.PATIENCE)
    return process.returncode, out.decode(), err.decode()


def test():
    place = tide.scratch()
    os.chmod(place, 0o755)
    tool = shutil.copy(tide.TIDEMARK, place)
    os.chmod(tool, 0o755)
    ours = targets.start("limits")
    program = shutil.copy(targets.path("limits"), place)
    os.chmod(program, 0o755)
    theirs = tide.Target([program], user=NOBODY, group=NOBODY, extra_groups=[]).ready()
    for tgid in (ours.tgid, theirs.tgid):
        status, out, err = as_nobody(tool, "attach", "--for", "1s", tgid)
        tide.equal(status, 3, f"exit status without root (messages: {err})")
        tide.check("root" in err, f"nothing says who may: {err!r}")
        tide.equal(out, "", "report")
    mark = os.path.join(place, "began")
    status, out, err = as_nobody(tool, "run", "--", "/usr/bin/touch", mark)
    tide.equal(status, 3, f"exit status of run without root (messages: {err})")
    tide.check(not os.path.exists(mark), "the command ran though it could not be watched")
    for target in (ours, theirs):
        tide.equal(target.quit(), 0, "exit status of the target")
    return "nobody: attach to root's process, to nobody's own and run all exit 3 and say what to do"


if __name__ == "__main__":
    tide.main(test)
