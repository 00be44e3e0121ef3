"""Programs that do the same job, run by turns on one machine: medians, ratios, processor time, peak of memory."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

LAP = Path(__file__).with_name("lap.py")
ROOT = Path(__file__).parents[1]
OTHERS = ROOT / ".venv-comparison" / "bin"
RESULTS = Path(__file__).parent / "results"
MOST = 600.0  # seconds that one run may take


@dataclass(frozen=True, slots=True)
class Runner:
    """One of the programs. `before` prepares each run and is not timed; `good`: exit codes of a job that was done;
    `lap`: one that runs already, and measures itself.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None
    good: tuple[int, ...] = (0,)
    lap: "Callable[[], Lap] | None" = None


@dataclass(frozen=True, slots=True)
class Lap:
    """One run. `wall`, `cpu` (of it and all that it waited for) in seconds; `peak`: bytes of its largest process."""

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Row:
    """A program's medians, and how many times as long as the first program it took."""

    name: str
    wall: float
    cpu: float
    peak: int
    times: float


@dataclass(frozen=True, slots=True)
class Race:
    """One case: what was done, how often, and the programs, ours first. `goals`: program → the least `times`."""

    case: str
    rounds: int
    rows: tuple[Row, ...]
    goals: Mapping[str, float] = field(default_factory=dict)

    def table(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{self.case} (median of {self.rounds})"]
        for row in self.rows:
            goal = self.goals.get(row.name)
            wanted = "" if goal is None else f"  goal {goal:g} ×: {'reached' if row.times >= goal else 'MISSED'}"
            lines.append(
                f"  {row.name:<{width}}  {row.wall:8.3f} s  {row.times:6.2f} ×  cpu {row.cpu:7.3f} s"
                f"  peak {row.peak / 1e6:5.0f} MB{wanted}"
            )
        return "\n".join(lines)


class Failed(Exception):
    """A program did not do its job, so its time means nothing."""


def run(runner: Runner) -> Lap:
    """One run, with what it prints thrown away. Errors: Failed, with its last words."""
    runner.before()
    if runner.lap is not None:
        return runner.lap()
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(
            [sys.executable, "-IS", LAP, out.name, *runner.argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            timeout=MOST,
            env={**os.environ, **runner.env},
            text=True,
            errors="replace",
            check=True,
        )
        told = json.loads(out.read())
    if told.pop("code") not in runner.good:
        raise Failed(f"{runner.name} did not do its job: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return Lap(**told)


def race(case: str, runners: Sequence[Runner], rounds: int, goals: Mapping[str, float] | None = None) -> Race:
    """Each once to warm up, then by turns; what comes first is ours."""
    for runner in runners:
        run(runner)
    laps: dict[str, list[Lap]] = {runner.name: [] for runner in runners}
    for number in range(rounds):
        turn = number % len(runners)
        for runner in [*runners[turn:], *runners[:turn]]:
            laps[runner.name].append(run(runner))
    first = median(lap.wall for lap in laps[runners[0].name])
    rows = [
        Row(
            name,
            median(lap.wall for lap in own),
            median(lap.cpu for lap in own),
            max(lap.peak for lap in own),
            median(lap.wall for lap in own) / first,
        )
        for name, own in laps.items()
    ]
    done = Race(case, rounds, tuple(rows), dict(goals or {}))
    print(done.table(), flush=True)
    return done


def keep(name: str, races: Sequence[Race], *tables: Mapping[str, object]) -> None:
    """Write the results of a module of benchmarks where `benchmarks.page` finds them.

    `tables`: figures that are no race: `title`, `head` and `rows` of texts.
    """
    RESULTS.mkdir(exist_ok=True)
    told = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "races": [asdict(each) for each in races],
        "tables": list(tables),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


def machine() -> str:
    """The machine in words: seconds are of it alone, ratios less so."""
    told = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    model = next((line.partition(":")[2].strip() for line in told if line.startswith("model name")), "unknown")
    system = os.uname()
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{os.cpu_count()} cores of {model}, {system.sysname} {system.release.partition('-')[0]}, Python {python}"


def versions() -> str:
    """Of the programs that are compared, in words."""
    asked = [
        *((str(OTHERS / name), "--version") for name in ("ansible", "pyinfra", "clush")),
        ("rsync", "--version"),
        ("ssh", "-V"),
    ]
    told = [subprocess.run(each, capture_output=True, text=True, check=True) for each in asked]
    found = [re.search(r"\d+\.\d+[\w.]*", each.stdout or each.stderr) for each in told]
    names = ("ansible-core", "pyinfra", "ClusterShell", "rsync", "OpenSSH")
    libraries = {"parallel-ssh": "parallel_ssh", "pytest-testinfra": "pytest_testinfra"}
    places = {name: next(OTHERS.parent.glob(f"lib/*/site-packages/{each}-*.dist-info"), None)
              for name, each in libraries.items()}  # fmt: skip
    more = [f"{name} {place.stem.split('-')[1]}" for name, place in places.items() if place]
    return ", ".join([f"{name} {each[0]}" for name, each in zip(names, found, strict=True) if each] + more)
