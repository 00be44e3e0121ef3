"""The detector against others in simulated worlds: `python -m benchmarks.topology_worlds [SERVERS]`.

100,000 servers are our own machine's alone: how long an hour of theirs takes it, and how much memory.
"""

import resource
import subprocess
import sys
import time
from dataclasses import replace

from benchmarks.race import ROOT, keep
from multiall_cli.planning.liveness import NORMAL
from tests.worlds.detectors import icinga, ours, strikes, swim
from tests.worlds.world import Score, World, made

MANY = 100_000
SEEDS = (1, 2, 3, 4)
"""Worlds of an hour each: what is rare does not come in every hour."""
EVERY = 30.0  # seconds between two probes of one of many
WORLDS = {
    "5 % of probes are lost": {"loss": 0.05},
    "servers pause for some seconds each hour": {"loss": 0.01, "pauses_per_hour": 1.0},
    "the admin host stalls every five minutes": {"loss": 0.01, "pauses_per_hour": 1.0, "stall_every": 300.0},
    "and its uplink is cut for two minutes": {
        "loss": 0.01, "pauses_per_hour": 1.0, "stall_every": 300.0, "cut": 120.0,
    },
}  # fmt: skip


def scores(world: World) -> list[Score]:
    return [
        ours(world, NORMAL, "MultiAll"),
        strikes(world, 10.0, "3 strikes, 10 s"),
        strikes(world, 5.0, "3 strikes, 5 s"),
        icinga(world),
        swim(world),
    ]


def added(each: tuple[Score, ...]) -> Score:
    """One detector's hours together."""
    return Score(
        each[0].detector,
        tuple(delay for hour in each for delay in hour.delays),
        sum(hour.missed for hour in each),
        sum(hour.false for hour in each),
        sum(hour.probes for hour in each) / len(each),
    )


def compared(servers: int) -> list[list[str]]:
    rows = []
    for words, rates in WORLDS.items():
        for each in map(added, zip(*(scores(made(words, servers, 1.0, seed, **rates)) for seed in SEEDS), strict=True)):
            print(f"{words}: {each}", flush=True)
            delays = [f"{each.at(0.5):.1f}", f"{each.at(0.99):.1f}"]
            rows.append([words, each.detector, *delays, str(each.false), f"{each.probes:.0f}"])
    return rows


def many() -> list[str]:
    """In a process of its own, whose memory is only this."""
    code = "from benchmarks.topology_worlds import hour; hour()"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
    print(done.stdout, flush=True)
    return done.stdout.strip().split("  ")


def hour() -> None:
    rates = {**WORLDS["and its uplink is cut for two minutes"], "crashes": MANY // 50}
    world = made("many", MANY, 1.0, 1, **rates)
    began = time.monotonic()
    score = ours(world, replace(NORMAL, every=EVERY), "MultiAll")
    took, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    told = [f"{took:.0f}", f"{peak:.0f}", f"{score.at(0.5):.1f}", f"{score.at(0.99):.1f}", str(score.false)]
    print("  ".join(told))


def main(servers: int = 1000) -> None:
    heads = ["world", "detector", "p50 s", "p99 s", "false DOWN", "probes/s"]
    keep(
        "topology_worlds",
        [],
        {
            "title": f"Detectors of failure in {len(SEEDS)} hours of {servers:,} servers",
            "head": heads,
            "rows": compared(servers),
        },
        {
            "title": f"An hour of {MANY:,} servers, each probed every {EVERY:g} s, 2,000 of which crash",
            "head": ["seconds (goal 300)", "peak MB (goal 300)", "p50 s", "p99 s", "false DOWN"],
            "rows": [many()],
        },
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
