"""Checks a site's servers again and again in one process: `python -m benchmarks.baseline_warm SITE TARGET`.

Each line of the input is a number of checks; the answer is a line of JSON, what one of them took on average.
"""

import json
import re
import sys
import time
from pathlib import Path

from multiall_cli.fleet import Fleet


def main(site: str, target: str) -> None:
    with Fleet.load(site) as fleet:
        fleet.topology.keep_warm()
        _look(fleet, target)
        for line in sys.stdin:
            print(json.dumps(_lap(fleet, target, int(line))), flush=True)


def _lap(fleet: Fleet, target: str, count: int) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        _look(fleet, target)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text("ascii"))
    return {"wall": wall / count, "cpu": cpu / count, "peak": 1024 * int(peak[0])}


def _look(fleet: Fleet, target: str) -> None:
    """Errors: SystemExit where anything is not well: its time would mean nothing."""
    bad = [each for each in fleet.baseline.check(target) if each.code.is_problem]
    if bad:
        sys.exit(f"{bad[0].server} is not well: {bad[0].problems or bad[0].trouble}"[:2000])


if __name__ == "__main__":
    main(*sys.argv[1:])
