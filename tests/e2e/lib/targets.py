# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the programs of tests/targets, and builds those that the build has not made.

The build makes c, cpp, musl and static; the variants of ODD are made here alone. A program
older than its source is made again, so a test can be run by itself.
"""

import os
import subprocess

import tide

FLAGS = ["-O2", "-g", "-fno-omit-frame-pointer", "-pthread", "-Wall"]
BARE = ["-O2", "-g", "-Wall", "-static", "-nostdlib", "-fno-stack-protector"]

# variant: (source, command); {name} is the program's name.
VARIANTS = {
    "c": ("c/{name}.c", ["gcc", *FLAGS]),
    "cpp": ("cpp/{name}.cc", ["g++", *FLAGS]),
    "musl": ("c/{name}.c", ["musl-gcc", *FLAGS]),
    "static": ("c/{name}.c", ["gcc", "-static", *FLAGS]),
    "musl-static": ("c/{name}.c", ["musl-gcc", "-static", *FLAGS]),
    "stripped-static": ("c/{name}.c", ["gcc", "-static", "-s", *FLAGS]),
    "rust": ("rust/{name}.rs", ["rustc", "-O", "-g", "-C", "force-frame-pointers=yes"]),
}
ODD = {
    "host": ("c/odd/host.c", ["gcc", *FLAGS]),
    "plugin": ("c/odd/plugin.c", ["gcc", *FLAGS, "-shared", "-fPIC"]),
    "noalloc": ("c/odd/noalloc.c", ["gcc", *BARE]),
}


def path(name, variant="c"):
    """The program's path, built when it is missing or out of date."""
    source, command = ODD[name] if variant == "odd" else VARIANTS[variant]
    source = os.path.join(tide.ROOT, "tests", "targets", source.format(name=name))
    program = os.path.join(tide.BUILD, "targets", variant, name)
    inputs = [source, os.path.join(tide.ROOT, "tests", "targets", "c", "handshake.h")]
    newest = max(os.stat(file).st_mtime for file in inputs)
    if not os.path.exists(program) or os.stat(program).st_mtime < newest:
        os.makedirs(os.path.dirname(program), exist_ok=True)
        new = f"{program}.{os.getpid()}"
        subprocess.run([*command, source, "-o", new], check=True)
        os.rename(new, program)
    return program


def start(name, *arguments, variant="c"):
    """A target that has said that it is ready."""
    return tide.Target([path(name, variant), *map(str, arguments)]).ready()
