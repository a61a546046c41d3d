#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel may refuse: BPF not permitted, BTF missing, no room for the ring."""

import os
import resource
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402

WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"]
# In a mount namespace of its own the directory is empty; nobody else sees that.
WITHOUT_BTF = ["unshare", "--mount", "sh", "-c",
               'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"']


def little_address_space():
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))


def refused(status, target, words, *arguments, **options):
    session = tide.Session("attach", "--for", "1s", *arguments, target.tgid, **options)
    session.expect(status)
    text = session.text().strip()
    for word in words:
        tide.check(word in text, f"no {word!r} in {text!r}")
    tide.between(len(text.splitlines()), 1, 4, f"lines of {text!r}")
    tide.equal(session.report_text(), "", "report")
    return text.splitlines()[0]


def test():
    target = targets.start("limits")
    refused(3, target, ["BPF"], prefix=WITHOUT_RIGHTS)
    refused(3, target, ["BTF"], prefix=WITHOUT_BTF)
    refused(1, target, ["--ring-size"], "--ring-size", "1G", preexec_fn=little_address_space)
    doctor = tide.Session("doctor", prefix=WITHOUT_BTF)
    tide.check(doctor.wait() != 0, "doctor is content without BTF")
    tide.check("BTF" in doctor.report_text(), "doctor does not name BTF")
    tide.equal(target.quit(), 0, "exit status of the target")
    return "BPF not permitted 3, BTF missing 3 (and doctor names it), no room for the ring 1"


if __name__ == "__main__":
    tide.main(test)
