# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON report, schema 1, as a check: fields, types, words, and sums that must hold.

Further fields are allowed (the schema grows), a missing or changed one is not.
"""

import re

VERDICTS = {"high-water", "growing", "steady", "released"}
EVIDENCE = {"proven", "likely"}
TIERS = {"pages", "large", "all"}
PARTS = {"live", "allocator-held", "heap-untracked", "go-heap", "anon-mmap", "stack", "file",
         "shmem", "other"}
STRUCTURES = {"go-map", "go-swissmap", "go-slice", "hashbrown", "std-vector",
              "std-unordered-map", "buffer"}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


class Bad(AssertionError):
    """The report does not follow the schema."""


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def text(value):
    return isinstance(value, str)


def some_text(value):
    return isinstance(value, str) and value != ""


def flag(value):
    return isinstance(value, bool)


def moment(value):
    return isinstance(value, str) and TIME.match(value) is not None


def any_id(value):
    return count(value) or some_text(value)


def hex_id(value):
    return isinstance(value, str) and re.match(r"^([0-9a-f]{2})+$", value) is not None


def one_of(words):
    return lambda value: value in words


class OrNull:
    """The kind, or null."""

    def __init__(self, kind):
        self.kind = kind


class ListOf:
    """A list whose items are all of the kind."""

    def __init__(self, kind):
        self.kind = kind


FRAME = {"function": OrNull(some_text), "file": OrNull(some_text), "line": OrNull(count),
         "module": OrNull(some_text), "build_id": OrNull(hex_id), "offset": count,
         "inlined": flag}
STRUCTURE = {"kind": one_of(STRUCTURES), "used": count, "capacity": count, "bytes": count,
             "owner": OrNull(some_text), "lineage": ListOf({"at": moment, "bytes": count})}
SITE = {"id": any_id, "verdict": one_of(VERDICTS), "evidence": one_of(EVIDENCE),
        "why": some_text, "fix": OrNull(some_text), "live_bytes": count, "live_blocks": count,
        "resident_bytes": OrNull(count), "held_bytes": count, "peak_bytes": count,
        "peak_at": OrNull(moment), "floor_bytes": count, "allocated_bytes": count,
        "allocated_blocks": count, "freed_bytes": count, "freed_blocks": count,
        "oldest_block_seconds": OrNull(number), "reclaimable_bytes": OrNull(count),
        "structure": OrNull(STRUCTURE),
        "ratchets": ListOf({"at": moment, "from_bytes": count, "to_bytes": count}),
        "stack": ListOf(FRAME)}
REPORT = {
    "schema": one_of({1}),
    "tool": {"name": one_of({"tidemark"}), "version": some_text},
    "process": {"pid": count, "comm": text, "exe": OrNull(text), "start_time": moment,
                "cgroup": OrNull(text), "limit_bytes": OrNull(count)},
    "window": {"start": moment, "end": moment, "seconds": number, "hold_seconds": number},
    "coverage": {"tier": one_of(TIERS), "min_bytes": count, "sample_bytes": OrNull(count),
                 "allocators": ListOf({"name": some_text, "object": some_text,
                                        "build_id": OrNull(hex_id), "placement": some_text}),
                 "events": count, "lost_events": count, "resyncs": count,
                 "untracked_blocks": count, "truncated_stacks": count,
                 "overhead": {"probe_hits": count, "ns_per_hit": OrNull(number),
                              "cpu_pct": OrNull(number)},
                 "notes": ListOf(some_text)},
    # The process may have gone before its memory could be read.
    "memory": OrNull({"rss_bytes": OrNull(count), "peak_rss_bytes": OrNull(count),
                       "parts": ListOf({"kind": one_of(PARTS), "bytes": count})}),
    "totals": {"live_bytes": count, "live_blocks": count, "held_bytes": count,
               "reclaimable_bytes": OrNull(count)},
    "sites": ListOf(SITE),
}


def check(value, kind, where, errors):
    """Appends to errors what is wrong with a value of the given kind."""
    if isinstance(kind, OrNull):
        if value is not None:
            check(value, kind.kind, where, errors)
    elif isinstance(kind, ListOf):
        if not isinstance(value, list):
            errors.append(f"{where}: not a list: {value!r}")
            return
        for nr, item in enumerate(value):
            check(item, kind.kind, f"{where}[{nr}]", errors)
    elif isinstance(kind, dict):
        check_object(value, kind, where, errors)
    elif not kind(value):
        errors.append(f"{where}: unexpected value {value!r}")


def check_object(value, kinds, where, errors):
    if not isinstance(value, dict):
        errors.append(f"{where}: not an object: {value!r}")
        return
    for name, kind in kinds.items():
        if name in value:
            check(value[name], kind, f"{where}.{name}", errors)
        else:
            errors.append(f"{where}.{name}: missing")


def check_settled(site, where, errors):
    """What was allocated and not freed is live, once nothing changes any more."""
    for unit in ("blocks", "bytes"):
        left = site["allocated_" + unit] - site["freed_" + unit]
        if left != site["live_" + unit]:
            errors.append(f"{where}: allocated - freed is {left} {unit}, live {site}")


def check_site(site, where, errors):
    """Relations between the figures of one site."""
    rules = (
        ("peak_bytes", site["peak_bytes"] >= site["live_bytes"]),
        ("floor_bytes", site["floor_bytes"] <= site["live_bytes"]),
        ("held_bytes", site["held_bytes"] <= site["live_bytes"]),
        ("why", "\n" not in site["why"]),
        ("ratchets", all(r["to_bytes"] > r["from_bytes"] for r in site["ratchets"])),
    )
    errors.extend(f"{where}.{name} does not fit: {site[name]!r} in {site}"
                  for name, good in rules if not good)


def check_sums(report, settled, errors):
    sites, totals, memory = report["sites"], report["totals"], report["memory"]
    for figure in ("live_bytes", "live_blocks", "held_bytes"):
        added = sum(site[figure] for site in sites)
        if added != totals[figure]:
            errors.append(f"totals.{figure}: {totals[figure]}, but the sites add up to {added}")
    if memory and memory["parts"]:
        added = sum(part["bytes"] for part in memory["parts"])
        if added != memory["rss_bytes"]:
            errors.append(f"memory.parts add up to {added}, not {memory['rss_bytes']}")
    if len({site["id"] for site in sites}) != len(sites):
        errors.append("two sites share an id")
    for nr, site in enumerate(sites):
        check_site(site, f"sites[{nr}]", errors)
        if settled:
            check_settled(site, f"sites[{nr}]", errors)


def validate(report, settled=True):
    """Raises Bad with everything that is wrong. settled: a final report, nothing is in flight."""
    errors = []
    check(report, REPORT, "report", errors)
    if not errors:
        check_sums(report, settled, errors)
    if errors:
        raise Bad("the report breaks its schema:\n" + "\n".join(errors[:20]))
