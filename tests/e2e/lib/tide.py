# SPDX-License-Identifier: GPL-2.0-or-later
"""What all end-to-end tests share: target programs, sessions of the tool, and how a test ends.

A test is a function that returns the one line saying what it proved, with figures, and raises
when it did not; main() runs it, ends every process it began, and sets the exit status: 0 passed,
1 failed, 77 skipped because this kernel lacks something. Nothing waits for time to pass: a target
and its test take turns by lines, and the tool says `watching` when its probes are in place.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True

import schema  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
BUILD = os.environ.get("TIDE_BUILD", os.path.join(ROOT, "build"))
TIDEMARK = os.environ.get("TIDEMARK", os.path.join(BUILD, "tidemark"))
PATIENCE = float(os.environ.get("TIDE_PATIENCE", "60"))

_running = []
_scratch = []


class Skip(Exception):
    """This kernel lacks what the test needs; the text says what."""


def check(good, what):
    """An assertion that python -O keeps, and that says what was expected."""
    if not good:
        raise AssertionError(what)


def equal(got, want, what):
    check(got == want, f"{what}: {got!r}, expected {want!r}")


def between(value, low, high, what):
    check(low <= value <= high, f"{what}: {value}, expected {low} to {high}")


def wait_until(ready, what, seconds=None):
    """Polls until ready() is true; its value is returned."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    while True:
        value = ready()
        if value:
            return value
        check(time.monotonic() < deadline, f"no {what} within {seconds or PATIENCE:.0f} s")
        time.sleep(0.02)


def scratch():
    """A directory of the test's own, gone afterwards."""
    path = tempfile.mkdtemp(prefix="tidemark-e2e-")
    _scratch.append(path)
    return path


def start(argv, **options):
    """A child process that main() will end at the latest."""
    process = subprocess.Popen(argv, **options)
    _running.append(process)
    return process


class Lines:
    """Lines from a pipe, with a deadline for each."""

    def __init__(self, stream, what):
        self.fd = stream.fileno()
        self.what = what
        self.rest = b""

    def next(self, seconds=None):
        deadline = time.monotonic() + (seconds or PATIENCE)
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            check(left > 0, f"{self.what} said nothing for {seconds or PATIENCE:.0f} s")
            if select.select([self.fd], [], [], left)[0]:
                data = os.read(self.fd, 65536)
                check(data, f"{self.what} ended too early")
                self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()


class Target:
    """One of the programs of tests/targets, which take commands on stdin."""

    def __init__(self, argv, **options):
        self.process = start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.tgid = self.process.pid
        self.lines = Lines(self.process.stdout, os.path.basename(argv[0]))

    def ready(self):
        equal(self.lines.next(), "ready", "first line of the target")
        return self

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, command, seconds=None):
        """Gives a command and returns what follows "done " in the reply."""
        self.tell(command)
        line = self.lines.next(seconds)
        check(line.startswith("done "), f"{command}: the target said {line!r}")
        return line[len("done "):]

    def quit(self):
        self.tell("quit")
        return self.process.wait(PATIENCE)


class Session:
    """One run of the tool. Its report goes to a file, its messages are kept line by line.

    prefix: a command that runs the tool under other circumstances.
    """

    def __init__(self, *arguments, **options):
        self.output = os.path.join(scratch(), "report")
        self.messages = []
        self.news = threading.Condition()
        command = [*options.pop("prefix", []), TIDEMARK, *map(str, arguments)]
        with open(self.output, "wb") as out:
            self.process = start(command, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.PIPE, **options)
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        rest = ""
        while True:
            data = os.read(self.process.stderr.fileno(), 65536)
            rest += data.decode(errors="replace").replace("\r", "\n")
            *lines, rest = rest.split("\n") if data else [*rest.split("\n"), ""]
            with self.news:
                self.messages += lines
                self.ended = not data
                self.news.notify_all()
            if not data:
                return

    def text(self):
        with self.news:
            return "\n".join(self.messages)

    def watching(self):
        """Returns once every probe is in place."""
        def seen():
            return any(line.startswith("watching") for line in self.messages)
        with self.news:
            self.news.wait_for(lambda: seen() or self.ended, PATIENCE)
            check(seen(), "the tool never said that it is watching:\n" + "\n".join(self.messages))
        return self

    def wait(self, seconds=None):
        """The exit status, when the tool ends by itself."""
        status = self.process.wait(seconds or PATIENCE)
        self.reader.join(PATIENCE)
        return status

    def stop(self, number=signal.SIGINT):
        """Ends the session as Ctrl-C does; it must succeed."""
        self.process.send_signal(number)
        self.expect(0)
        return self

    def expect(self, status):
        equal(self.wait(), status, "exit status (messages:\n" + self.text() + "\n)")
        return self

    def report_text(self):
        with open(self.output, encoding="utf-8") as report:
            return report.read()

    def reports(self):
        """All JSON documents of the report, each checked against the schema."""
        text, found = self.report_text().strip(), []
        decoder = json.JSONDecoder()
        while text:
            document, end = decoder.raw_decode(text)
            text = text[end:].lstrip()
            found.append(document)
        for document in found:
            schema.validate(document, settled=document is found[-1])
        return found

    def report(self):
        found = self.reports()
        equal(len(found), 1, "documents in the report")
        return found[0]


def attach(tgid, *options):
    """Watches a process with every allocation followed; JSON to stdout. Returns when watching."""
    session = Session("attach", "--tier", "all", "--format", "json", *options, tgid)
    return session.watching()


def run(*options_and_command):
    return Session("run", "--tier", "all", "--format", "json", *options_and_command)


FIGURES = ("live_blocks", "live_bytes", "allocated_blocks", "allocated_bytes", "freed_blocks",
           "freed_bytes")


def first_function(site):
    """The immediate caller of the allocator, as the report names it."""
    for frame in site["stack"]:
        return frame["function"] or ""
    return ""


def by_caller(report):
    """Figures of all sites with the same immediate caller, added up."""
    sums = {}
    for site in report["sites"]:
        into = sums.setdefault(first_function(site), dict.fromkeys(FIGURES, 0))
        for figure in FIGURES:
            into[figure] += site[figure]
    return sums


def caller(report, function):
    return by_caller(report).get(function, dict.fromkeys(FIGURES, 0))


def proc_status(tgid, field):
    """A field of /proc/TGID/status in bytes."""
    with open(f"/proc/{tgid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field} of process {tgid}")


def mib(value):
    return f"{value / (1 << 20):.1f} MiB"


def _end_all():
    for process in reversed(_running):
        if process.poll() is None:
            process.kill()
            process.wait()
    for path in _scratch:
        shutil.rmtree(path, ignore_errors=True)


def main(test):
    """Runs one test to its exit status."""
    def out_of_time(*_):
        raise AssertionError("the test took too long")

    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, out_of_time)  # the runner's own patience
    signal.alarm(int(os.environ.get("TIDE_TIMEOUT", "120")) - 5)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    status = 1
    try:
        check(os.geteuid() == 0, "this test places real probes and needs root")
        check(os.access(TIDEMARK, os.X_OK), f"{TIDEMARK} is missing: build it first")
        began = time.monotonic()
        print(f"{test()} [{time.monotonic() - began:.1f} s]")
        status = 0
    except Skip as reason:
        print(reason)
        status = 77
    except Exception:  # every failure of a test is shown with its trace
        traceback.print_exc()
    finally:
        _end_all()
    sys.stdout.flush()
    sys.exit(status)
