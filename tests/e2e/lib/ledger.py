# SPDX-License-Identifier: GPL-2.0-or-later
"""Judging a report against the books of the ledger target."""

import json

import tide


def round_of(target, command="go"):
    """Runs one command of the ledger and returns its books, which must be free of errors."""
    books = json.loads(target.ask(command, 100))
    tide.equal(books["errors"], 0, "errors the ledger found in its own blocks")
    return books


def agree(report, books):
    """Every site's figures are equal in report and books. Returns the number of sites."""
    found = tide.by_caller(report)
    wrong = []
    for name, own in books["sites"].items():
        seen = found.get(name, dict.fromkeys(tide.FIGURES, 0))
        wrong += [f"{name}.{figure}: report {seen[figure]}, ledger {own[figure]}"
                  for figure in tide.FIGURES if seen[figure] != own[figure]]
    tide.check(not wrong, f"{len(wrong)} figures differ:\n" + "\n".join(wrong[:30]) +
               f"\ncoverage: {json.dumps(report['coverage'])}")
    strangers = [name for name in found if name.startswith("site_") and name not in books["sites"]]
    tide.equal(strangers, [], "sites the ledger does not have")
    return len(books["sites"])


def live_blocks(books):
    return sum(site["live_blocks"] for site in books["sites"].values())


def freed_blocks(books):
    return sum(site["freed_blocks"] for site in books["sites"].values())
