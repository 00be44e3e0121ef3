"""How often one is told of a value that is watched for a week: `python -m benchmarks.health_noise [SERIES]`."""

import sys

from benchmarks.race import keep
from tests.worlds.noise import WATCHERS, series, told


def main(count: int = 200) -> None:
    many = [series(seed) for seed in range(count)]
    rows = []
    for name, watcher in WATCHERS.items():
        each = told(name, watcher, many)
        rows.append([name, f"{each.per_week:.1f}", f"{each.false_per_week:.2f}", str(each.missed), f"{each.delay:.1f}"])
        print("  ".join(rows[-1]), flush=True)
    heads = ["watcher", "messages a week", "false alarms a week", "incidents missed", "delay min"]
    title = f"What is told of {count} values in a week: incidents, hovering, spikes, minutes without contact"
    keep("health_noise", [], {"title": title, "head": heads, "rows": rows})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
