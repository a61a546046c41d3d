#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stripped program gets its names from a debuginfod server when the user asks for it, and without
that no server is ever asked, whatever the environment says."""

import http.server
import os
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import targets  # noqa: E402
import tide  # noqa: E402


class Server(http.server.ThreadingHTTPServer):
    """Serves one debug file, under the build id of the program it belongs to."""

    def __init__(self, build_id, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.path, self.content = f"/buildid/{build_id}/debuginfo", content
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path != self.server.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_):
        pass


def stripped():
    """A program without names, its build id, and its debug file's content."""
    directory = tide.scratch()
    program, debug = os.path.join(directory, "early"), os.path.join(tide.scratch(), "debug")
    subprocess.run(["objcopy", "--only-keep-debug", targets.path("early"), debug], check=True)
    subprocess.run(["strip", "-o", program, targets.path("early")], check=True)
    notes = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True)
    with open(debug, "rb") as file:
        return program, notes.stdout.split("Build ID: ")[1].split()[0], file.read()


def frames(program, url, *options):
    environment = {**os.environ, "DEBUGINFOD_URLS": url, "no_proxy": "*",
                   "DEBUGINFOD_CACHE_PATH": tide.scratch()}
    session = tide.Session("run", "--format", "json", *options, "--", program, env=environment)
    report = session.expect(0).report()
    return report, {(frame["function"], os.path.basename(frame["file"] or ""))
                    for site in report["sites"] for frame in site["stack"]
                    if frame["module"] == program}


def test():
    program, build_id, content = stripped()
    server = Server(build_id, content)
    url = f"http://127.0.0.1:{server.server_port}/"
    _, found = frames(program, url)
    tide.equal(found, {(None, "")}, "names of a stripped program")
    tide.equal(server.asked, [], "requests although nobody asked for any")
    _, found = frames(program, url, "--debuginfod")
    for name in ("site_in_main", "site_before_main", "main"):
        tide.check((name, "early.c") in found, f"{name} is not among {found}")
    tide.check(server.path in server.asked, f"requests: {server.asked}")
    asked = len(server.asked)
    report, found = frames(program, "", "--debuginfod")
    tide.equal(found, {(None, "")}, "names without a server")
    tide.check(any("DEBUGINFOD_URLS" in note for note in report["coverage"]["notes"]),
               f"nothing is said of the missing server: {report['coverage']['notes']}")
    server.shutdown()
    return f"named after {asked} requests with --debuginfod, no request without"


if __name__ == "__main__":
    tide.main(test)
