"""Writes docs/performance.md from the results of the last runs: `python -m benchmarks.page`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.race import RESULTS

PAGE = RESULTS.parents[1] / "docs" / "performance.md"
REMARKS = RESULTS.parent / "remarks.md"
HEAD = """\
# Performance

<!-- Written by `python -m benchmarks.page` from benchmarks/results and benchmarks/remarks.md. -->

`./dev bench` measures all of this anew. Each case is done by MultiAll and by other programs, by turns, on one machine,
against real OpenSSH servers of the lab on that same machine: what the servers cost is in every figure. Read the
ratios; the seconds are the machine's. *times*: how long a program took, with MultiAll as 1. *cpu* is what the admin
host's programs took of its processors, *peak* the memory of the largest of its processes.
"""


def page() -> str:
    parts = [HEAD]
    for file in sorted(RESULTS.glob("*.json")):
        told = json.loads(file.read_text("utf-8"))
        parts.append(f"Measured on {told['date']}, {told['machine']}; {told.get('versions', '')}:\n")
        parts += ["\n".join(_race(race)) + "\n" for race in told["races"]]
        parts += ["\n".join(_table(table)) + "\n" for table in told.get("tables", [])]
    parts.append(REMARKS.read_text("utf-8"))
    return "\n".join(parts)


def _race(race: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {race['case'][:1].upper()}{race['case'][1:]}\n"
    yield "| program | seconds | times | cpu seconds | peak MB | goal |"
    yield "|---|---|---|---|---|---|"
    for row in race["rows"]:
        goal = race["goals"].get(row["name"])
        wanted = "" if goal is None else f"{goal:g} ×, {'reached' if row['times'] >= goal else 'missed'}"
        yield (
            f"| {row['name']} | {row['wall']:.3f} | {row['times']:.2f} | {row['cpu']:.3f} "
            f"| {row['peak'] / 1e6:.0f} | {wanted} |"
        )
    yield f"\nMedian of {race['rounds']}."


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {table['title']}\n"
    yield f"| {' | '.join(table['head'])} |"
    yield "|---" * len(table["head"]) + "|"
    yield from (f"| {' | '.join(row)} |" for row in table["rows"])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {Path(PAGE).name}")
