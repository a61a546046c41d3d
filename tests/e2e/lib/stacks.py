# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks as chains of (file, offset), innermost first: how two views of one process compare.

Builds the programs of tests/targets/stacks, without frame pointers.
"""

import collections
import os
import subprocess

import tide

SOURCES = os.path.join(tide.ROOT, "tests", "targets", "stacks")
BARE = ["-O2", "-fomit-frame-pointer", "-pthread", "-Wall"]
MAX_FRAMES = 127

Record = collections.namedtuple("Record", "size label chain")


def build(name, *command, sources=()):
    """Compiles into build/targets/stacks/name when it is missing or out of date."""
    program = os.path.join(tide.BUILD, "targets", "stacks", name)
    inputs = [os.path.join(SOURCES, source) for source in sources]
    headers = [os.path.join(SOURCES, "truth.h"),
               os.path.join(tide.ROOT, "tests", "targets", "c", "handshake.h"), __file__]
    newest = max(os.stat(file).st_mtime for file in inputs + headers)
    if not os.path.exists(program) or os.stat(program).st_mtime < newest:
        os.makedirs(os.path.dirname(program), exist_ok=True)
        new = f"{program}.{os.getpid()}"
        subprocess.run([*command, *inputs, "-o", new], check=True)
        os.rename(new, program)
    return program


def name_of(path):
    """A file's name as it is known in every namespace and after its deletion."""
    return os.path.basename(path.removesuffix(" (deleted)"))


class Mappings:
    """Executable mappings: from an address to (file name, offset in the file)."""

    def __init__(self):
        self.areas = []

    def add(self, start, end, offset, path):
        self.areas.append((start, end, offset, name_of(path)))

    def place(self, address):
        # A return address may lie just behind the code it belongs to.
        for start, end, offset, name in self.areas:
            if start < address <= end:
                return name, address - start + offset
        return "", address


def chain_of(site):
    """A site's physical frames: those inlined into another share its address."""
    return tuple((name_of(frame["module"] or ""), frame["offset"])
                 for frame in site["stack"] if not frame["inlined"])


def read_records(target):
    """What a truth program recorded: [Record]."""
    mappings, raw = Mappings(), []
    while True:
        word, *rest = target.lines.next().split()
        if word == "done":
            tide.equal(len(raw), int(rest[0]), "records")
            break
        if word == "map":
            start, end, offset = (int(part, 16) for part in rest[:3])
            mappings.add(start, end, offset, rest[3])
        else:
            raw.append((int(word), rest[0], [int(address, 16) for address in rest[1:]]))
    return [Record(size, label, tuple(mappings.place(address) for address in frames[:MAX_FRAMES]))
            for size, label, frames in raw]


def show(chain, around=0):
    """The frames of a chain about a position, in one line."""
    first = max(around - 1, 0)
    return " ".join(f"{nr}:{name or '?'}+{offset:#x}"
                    for nr, (name, offset) in enumerate(chain[first:first + 5], first))


def first_difference(one, other):
    for nr, pair in enumerate(zip(one, other)):
        if pair[0] != pair[1]:
            return nr
    return min(len(one), len(other))
