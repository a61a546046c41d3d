# SPDX-License-Identifier: GPL-2.0-or-later
"""What a session may leave behind: nothing.

A probe is a changed instruction in the target's text, so the text in memory is compared with the
file it came from. BPF objects are noted by their ids while the tool has them open, because other
programs on the machine come and go with theirs.
"""

import json
import os
import subprocess

import tide


def patched_text(tgid):
    """Places in the process's file-backed executable mappings that differ from the file."""
    found = []
    with open(f"/proc/{tgid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{tgid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            fields = line.split(None, 5)
            if len(fields) < 6 or fields[1][2] != "x" or not fields[5].startswith("/"):
                continue
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            there = os.pread(memory.fileno(), end - begin, begin)
            # By this link also when the file was replaced under its name.
            with open(f"/proc/{tgid}/map_files/{fields[0]}", "rb") as file:
                here = os.pread(file.fileno(), end - begin, int(fields[2], 16))
            found += [f"{fields[5].strip()}+{int(fields[2], 16) + at:#x}"
                      for at in range(min(len(here), len(there))) if here[at] != there[at]]
    return found


def text_restored(tgid):
    tide.wait_until(lambda: not patched_text(tgid), "restored text of the target", 20)


def _bpftool():
    for path in ("bpftool", "/usr/sbin/bpftool"):
        try:
            subprocess.run([path, "version"], capture_output=True, check=True)
            return path
        except (OSError, subprocess.CalledProcessError):
            continue
    raise AssertionError("bpftool is missing: package bpftool (linux-tools on Ubuntu)")


KINDS = ("prog", "map", "link")


def bpf_objects(tgid):
    """The (kind, id) of every BPF object the process has open; fewer while it starts or ends."""
    found = set()
    try:
        for name in os.listdir(f"/proc/{tgid}/fdinfo"):
            with open(f"/proc/{tgid}/fdinfo/{name}", encoding="utf-8") as info:
                for line in info:
                    key, _, value = line.partition(":")
                    if key.endswith("_id") and key[:-3] in KINDS:
                        found.add((key[:-3], int(value)))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def _listed(kind):
    """Ids of all objects of a kind; None when one went away while they were listed."""
    out = subprocess.run([_bpftool(), "-j", kind, "show"], capture_output=True, check=False)
    try:
        rows = json.loads(out.stdout or b"[]")
    except ValueError:
        return None
    if out.returncode != 0 or not isinstance(rows, list):
        return None
    return {(kind, row["id"]) for row in rows}


def _all_gone(objects):
    lists = [_listed(kind) for kind in KINDS]
    return None not in lists and not objects & set().union(*lists)


def bpf_gone(objects):
    """Waits until none of the given objects exists any more; the kernel takes its time to free."""
    tide.wait_until(lambda: _all_gone(objects), "end of the tool's BPF objects", 20)


def open_files(tgid):
    return len(os.listdir(f"/proc/{tgid}/fd"))
