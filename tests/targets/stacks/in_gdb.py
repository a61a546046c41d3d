# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside gdb: the stacks of a program's calls of the allocator as gdb unwinds them.

TIDE_GDB_PLAN is JSON: {"skip": [calls of malloc to pass before each series], "take": calls of
malloc, calloc or realloc in a series,
"output": file}. One JSON list [[file name, offset], ...] a line, innermost caller first.
Only the main thread counts, and only calls that come from outside the allocator.
"""

import json
import os

import gdb

plan = json.loads(os.environ["TIDE_GDB_PLAN"])
areas = []


def quiet(command):
    return gdb.execute(command, to_string=True)


def read_areas():
    del areas[:]
    with open(f"/proc/{gdb.selected_inferior().pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            part = line.split(None, 5)
            if "x" in part[1]:
                start, end = (int(number, 16) for number in part[0].split("-"))
                path = part[5].strip() if len(part) > 5 else ""
                areas.append((start, end, int(part[2], 16), os.path.basename(path)))


def place(address):
    for _ in range(2):
        for start, end, offset, name in areas:
            if start < address <= end:
                return name, address - start + offset
        read_areas()
    return "", address


def stack():
    """The physical frames above the allocator: no inlined ones, none that gdb only infers."""
    frame, chain = gdb.newest_frame().older(), []
    while frame and frame.is_valid():
        if frame.type() in (gdb.NORMAL_FRAME, gdb.SIGTRAMP_FRAME):
            chain.append(place(frame.pc()))
        frame = frame.older()
    return chain


def from_outside():
    caller = gdb.newest_frame().older()
    name = (caller and caller.name()) or ""
    return not any(word in name for word in ("alloc", "memalign"))


def take(output):
    for skip in plan["skip"]:
        malloc.ignore_count = skip
        for _ in range(plan["take"]):
            quiet("continue")
            calloc.enabled = realloc.enabled = True
            if not gdb.selected_inferior().pid:
                return
            if gdb.selected_thread().num == 1 and from_outside():
                output.write(json.dumps(stack()) + "\n")
        calloc.enabled = realloc.enabled = False


for setting in ("pagination off", "confirm off", "startup-with-shell off",
                "breakpoint pending on", "backtrace past-main on", "backtrace past-entry on",
                "backtrace limit 140"):
    quiet("set " + setting)
for variable in ("LINES", "COLUMNS", "TIDE_GDB_PLAN"):
    quiet("unset environment " + variable)
quiet("starti")
quiet("tbreak __libc_start_main")
quiet("continue")
malloc, calloc, realloc = (gdb.Breakpoint(name) for name in ("malloc", "calloc", "realloc"))
calloc.enabled = realloc.enabled = False
with open(plan["output"], "w", encoding="utf-8") as lines:
    take(lines)
if gdb.selected_inferior().pid:
    quiet("kill")
