# SPDX-License-Identifier: GPL-2.0-or-later
"""What the source checks share: finding C files, and seeing code without comments and strings."""

import os
import re
import sys

DIRS = ("bpf", "userspace", "tests", "vmlinux")


def c_files(root, dirs=DIRS):
    """Paths of all C sources and headers below root, relative to it, in order."""
    found = []
    for top in dirs:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith((".c", ".h", ".cc")):
                    found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(text, comments, strings):
    def one(match):
        is_string = match.group(0)[0] in "\"'"
        if strings if is_string else comments:
            return re.sub(r"[^\n]", " ", match.group(0))
        return match.group(0)

    return _TOKEN.sub(one, text)


def code_only(text, keep_strings=False):
    """The text with comments (and string literals) blanked; line numbers stay."""
    return _blank(text, comments=True, strings=not keep_strings)


def without_strings(text):
    """The text with string literals blanked, comments kept."""
    return _blank(text, comments=False, strings=True)


def finish(findings, what):
    for line in findings:
        print(line)
    if findings:
        print(f"{what}: {len(findings)} findings")
        sys.exit(1)


def root_from_argv():
    if len(sys.argv) > 1:
        return sys.argv[1]
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
