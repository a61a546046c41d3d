#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A table that kept its spike is told from memory in use and memory given back."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import schema  # noqa: E402
import targets  # noqa: E402
import tide  # noqa: E402


def run_story(output):
    story = [targets.path("story"), "24", "8", "100000", "500"]
    session = tide.run("--hold", "1s", "-O", output, "--", *story)
    session.expect(0)
    with open(output, encoding="utf-8") as file:
        report = json.load(file)
    schema.validate(report)
    return report, json.loads(session.report_text())


def main_site(report, function):
    sites = [site for site in report["sites"] if tide.first_function(site) == function]
    tide.check(sites, f"no site of {function}")
    return max(sites, key=lambda site: site["peak_bytes"])


def test():
    report, own = run_story(os.path.join(tide.scratch(), "report.json"))
    table, journal, batch, export = (main_site(report, name) for name in (
        "table_resize", "open_journal", "read_batch", "export_results"))
    tide.equal(report["sites"][0]["id"], table["id"], "first site of the report")
    tide.equal(table["verdict"], "high-water", "verdict on the table: " + table["why"])
    tide.equal(table["live_bytes"], own["table_bytes"], "bytes of the table")
    tide.check(table["ratchets"], "the table's floor rose, and no ratchet says when")
    tide.equal(table["ratchets"][-1]["to_bytes"], own["table_bytes"], "where its floor rose to")
    tide.equal(journal["verdict"], "steady", "verdict on the journal: " + journal["why"])
    tide.equal((batch["live_bytes"], batch["allocated_blocks"]), (0, own["batches"]), "batches")
    tide.equal((export["live_bytes"], export["peak_bytes"]), (0, own["export_bytes"]), "export")
    tide.equal(export["verdict"], "released", "verdict on the export: " + export["why"])
    return f"{table['verdict']}, {table['evidence']}: {table['why']}"


if __name__ == "__main__":
    tide.main(test)
