"""How soon a watch over warm sessions sees a loss, on lab hosts: `python -m benchmarks.topology_seen [LOSSES]`."""

import json
import queue
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median

from benchmarks.ground import Ground, ground
from benchmarks.race import keep
from multiall_cli.lab.real.faults import FaultKind

HOSTS = 45
LOSSES = 20  # of power with the fast profile, each on another host; half as many with the normal one, and of sshd
FAST = {"every": "1s", "timeout": "500ms", "confirm_after": "3s"}
NORMAL = {"every": "2s", "timeout": "1s", "confirm_after": "22.25s"}
LIMIT = 120.0  # seconds after which what is awaited will not come


class Watch:
    """`multiall topology watch`, whose lines are read as they come."""

    def __init__(self, made: Ground, every: str) -> None:
        argv = made.multiall("topology", "watch", "--every", every, "-o", "ndjson")
        self._child = subprocess.Popen(argv.argv, env=argv.env, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[tuple[float, dict[str, object]]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._child.stdout is not None  # noqa: S101  (it was asked for)
        for text in self._child.stdout:
            self._lines.put((time.monotonic(), json.loads(text)))

    def next(self) -> tuple[float, str, str]:
        """The next line: when it came, of which server, and the state that it is in now."""
        at, told = self._lines.get(timeout=LIMIT)
        return at, str(told.get("server")), str(told.get("after", told.get("state")))

    def until(self, server: str, states: tuple[str, ...]) -> float:
        """When it said that a server is in one of these states."""
        while True:
            at, name, state = self.next()
            if name == server and state in states:
                return at

    def end(self) -> None:
        self._child.terminate()
        self._child.wait()


@contextmanager
def watched(made: Ground, profile: Mapping[str, str], every: str) -> Iterator[Watch]:
    """A new site, all of whose hosts are up."""
    made.lab.reset()
    made.write()
    shutil.rmtree(made.folder / "site" / "state", ignore_errors=True)
    told = {"store": "./state", "parallel": 64, "topology": profile}
    (made.folder / "site" / "multiall.yaml").write_text(json.dumps(told))
    watch = Watch(made, every)
    try:
        missing = set(made.lab.names)
        while missing:
            missing.discard(watch.next()[1])
        yield watch
    finally:
        watch.end()


def seen(made: Ground, watch: Watch, fault: FaultKind, names: list[str], states: tuple[str, ...]) -> list[float]:
    """Seconds from a fault to the line about it, for each host in turn."""
    found = []
    for name in names:
        time.sleep(random.uniform(0.5, 2.0))  # at no particular moment of the watch's rounds
        began = time.monotonic()
        made.lab.do(name, fault)
        found.append(watch.until(name, states) - began)
    return found


def main(losses: int = LOSSES) -> None:
    rows: list[list[str]] = []

    def told(what: str, found: list[float], goal: str) -> None:
        row = [what, str(len(found)), f"{median(found):.2f}", f"{max(found):.2f}", goal]
        print("  ".join(row), flush=True)
        rows.append(row)

    with ground(HOSTS) as made:
        names = list(made.lab.names)
        down = ("down",)
        with watched(made, FAST, "1s") as watch:
            told("power is lost, fast profile", seen(made, watch, FaultKind.POWER_OFF, names[:losses], down), "5 / 7")
            rest = names[losses : losses + losses // 2]
            told("all of sshd is killed", seen(made, watch, FaultKind.KILL_SSHD, rest, ("degraded", "suspect")), "1")
        with watched(made, NORMAL, "2s") as watch:
            told(
                "power is lost, normal profile",
                seen(made, watch, FaultKind.POWER_OFF, names[: losses // 2], down),
                "- / 25",
            )
    head = ["what happens", "times", "median seconds", "longest", "goal (median / longest)"]
    keep(
        "topology_seen",
        [],
        {"title": f"How soon a loss is seen, on {HOSTS} hosts with warm sessions", "head": head, "rows": rows},
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
