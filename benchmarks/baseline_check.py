"""100 rules on one lab server and on 50, against testinfra and ansible's setup: `python -m benchmarks.baseline_check
[ROUNDS]`.

Cold is the command as from cron; warm is a process that goes on (benchmarks/baseline_warm.py).
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.baseline_rules import Thing, hundred, more, pack, tests
from benchmarks.ground import OURS, Ground, ground
from benchmarks.race import ROOT, Failed, Lap, Race, Row, Runner, keep, race
from multiall_cli.lab.real.faults import FaultKind

HOSTS = 50
FEW = 5  # servers that testinfra takes of the 50: it goes from one to the next, and a round is to end
RULES = 1000
CHECKS = 5  # of a warm process, of which a lap is the mean
DELAY = 0.05  # seconds each way of the line by which round trips are counted
WARM = f"{OURS}, warm"
PARAMIKO, SHARED, PLAIN = "testinfra paramiko", "testinfra ssh, ControlPath", "testinfra ssh"
SETUP = "ansible setup"
TESTINFRA, ANSIBLE = 40.0, 20.0  # times as long as ours, warm, that the goals want
PROCESSOR = 500.0  # the same of testinfra's time of the processor


class Warm:
    """A process of ours over one site, in the lab's network, that checks whenever it is told to."""

    def __init__(self, made: Ground, target: str) -> None:
        argv = (sys.executable, "-m", "benchmarks.baseline_warm", str(made.folder / "site"), target)
        runner = made.runner(WARM, *argv, env={"PYTHONPATH": str(ROOT)})
        self._child = subprocess.Popen(
            runner.argv, env=runner.env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def lap(self, count: int = CHECKS) -> Lap:
        assert self._child.stdin is not None and self._child.stdout is not None  # noqa: S101, PT018  (asked for)
        self._child.stdin.write(f"{count}\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise Failed("the warm process ended; why, it has said above")
        return Lap(**json.loads(answer))

    def runner(self, name: str = WARM) -> Runner:
        return Runner(name, (), lap=self.lap)

    def end(self) -> None:
        self._child.communicate()


@contextmanager
def warm(made: Ground, target: str) -> Iterator[Warm]:
    process = Warm(made, target)
    try:
        yield process
    finally:
        process.end()


def told(made: Ground, things: Sequence[Thing]) -> None:
    """These are the rules of all its servers, and its tests."""
    made.write({"baseline": ["things"]})
    rules = made.folder / "site" / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "things.yaml").write_text(json.dumps(pack(things)))
    (made.folder / "test_things.py").write_text(tests(things))


def testinfra(made: Ground, name: str, back_end: str, names: Sequence[str], *, config: Path) -> Runner:
    """One of its back-ends, each run with connections of its own."""
    hosts = ",".join(f"{back_end}://{each}" for each in names)
    words = ("-q", "-p", "no:cacheprovider", "--ssh-config", str(config), "--hosts", hosts)

    def anew() -> None:
        made.end_connections()
        (made.folder / "cp").mkdir()

    return made.runner(name, "pytest", *words, str(made.folder / "test_things.py"), before=anew)


def back_ends(made: Ground, names: Sequence[str], of: str = "") -> list[Runner]:
    plain, shared = made.lab.ssh_config, made.folder / "shared_config"
    shared.write_text(f"{plain.read_text()}  ControlPath {made.folder}/cp/%n\n")  # it takes no such option itself
    return [
        testinfra(made, f"{PARAMIKO}{of}", "paramiko", names, config=plain),
        testinfra(made, f"{SHARED}{of}", "ssh", names, config=shared),
        testinfra(made, f"{PLAIN}{of}", "ssh", names, config=plain),
    ]


def setup(made: Ground, target: str) -> Runner:
    return made.ansible(SETUP, target, "-m", "setup", env={"ANSIBLE_PIPELINING": "True"})


def compared(made: Ground, rounds: int) -> Race:
    """All of the lab's servers."""
    names = made.lab.names
    of = "" if len(names) <= FEW else f", {FEW} of them"
    peers = [*back_ends(made, names[:FEW], of), setup(made, "all")]
    goals = {each.name: ANSIBLE if each.name == SETUP else TESTINFRA for each in peers}
    what = "1 server" if len(names) == 1 else f"{len(names)} servers"
    with warm(made, "@web") as process:
        return race(
            f"100 rules on {what}", [process.runner(), made.multiall("baseline", "check"), *peers], rounds, goals
        )


def larger(made: Ground, things: Sequence[Thing], rounds: int) -> Race:
    """The same server with 1,000 rules, in a site of its own."""
    bigger = replace(made, folder=made.folder / "more")
    told(bigger, things)
    with warm(made, "@web") as few, warm(bigger, "@web") as many:
        runners = [
            few.runner("100 rules, warm"),
            many.runner(f"{RULES:,} rules, warm"),
            made.multiall("baseline", "check", name="100 rules"),
            bigger.multiall("baseline", "check", name=f"{RULES:,} rules"),
        ]
        return race(f"{RULES:,} rules on 1 server against 100", runners, rounds)


def line(made: Ground) -> tuple[float, float, float]:
    """Bytes and packets that a warm check takes on the server's line, and its round trips: by how much longer it
    takes over a long line, in turns of that line.
    """
    name = made.lab.names[0]
    with warm(made, name) as process:
        near = process.lap().wall
        before = _passed(made, name)
        process.lap()
        passed = [(now - then) / CHECKS for then, now in zip(before, _passed(made, name), strict=True)]
        with made.lab.broken(name, FaultKind.LINE, delay=DELAY):
            process.lap(1)
            far = process.lap().wall
    return passed[0], passed[1], (far - near) / (2 * DELAY)


def _passed(made: Ground, name: str) -> tuple[int, int]:
    """Bytes and packets, both ways, that the server's interface has counted."""
    folder = Path("/sys/class/net/eth0/statistics")
    files = [str(folder / f"{way}_{what}") for what in ("bytes", "packets") for way in ("rx", "tx")]
    counted = [int(each) for each in made.lab.run(name, ["cat", *files]).stdout.split()]
    return counted[0] + counted[1], counted[2] + counted[3]


def goals(races: Sequence[Race], passed: tuple[float, float, float]) -> dict[str, object]:
    """What was wanted of it, beside what was measured."""
    one, many, more_rules = races
    size, packets, turns = passed
    few, thousand = more_rules.rows[:2]
    rows = [
        _most("round trips of a warm check of 100 rules", round(turns), 1.0, "{:.0f}"),
        _most("its bytes on the server's line", size, 20_000, "{:,.0f}"),
        ["its packets there, both ways", f"{packets:.0f}", "", ""],
        _least("wall time of the best testinfra, 1 server", _best(one, "wall"), TESTINFRA),
        _least("wall time of ansible setup, 1 server", _ratio(one, SETUP, "wall"), ANSIBLE),
        _least(f"wall time of ansible setup, {HOSTS} servers", _ratio(many, SETUP, "wall"), ANSIBLE),
        _least("processor time of the best testinfra, 1 server", _best(one, "cpu"), PROCESSOR),
        _most("our processor time, 1 server, ms", 1000 * one.rows[0].cpu, 5.0, "{:.1f}"),
        _most(f"our processor time a server of {HOSTS}, ms", 1000 * many.rows[0].cpu / HOSTS, 5.0, "{:.1f}"),
        _most(f"wall time of {RULES:,} rules against 100", thousand.wall / few.wall, 2.0, "{:.2f} ×"),
        _most(f"our processor time of {RULES:,} rules against 100", thousand.cpu / few.cpu, 2.0, "{:.2f} ×"),
    ]
    return {"title": "Warm checks of 100 rules and their goals", "head": ["what", "measured", "goal", ""], "rows": rows}


def _row(race: Race, name: str) -> Row:
    return next(row for row in race.rows if row.name == name)


def _ratio(race: Race, name: str, what: str) -> float:
    return float(getattr(_row(race, name), what) / getattr(race.rows[0], what))


def _best(race: Race, what: str) -> float:
    return min(_ratio(race, name, what) for name in (PARAMIKO, SHARED, PLAIN))


def _least(what: str, found: float, goal: float) -> list[str]:
    return [what, f"{found:.1f} ×", f"at least {goal:g} ×", "reached" if found >= goal else "missed"]


def _most(what: str, found: float, goal: float, shown: str) -> list[str]:
    return [what, shown.format(found), f"at most {goal:g}", "reached" if found <= goal else "missed"]


def main(rounds: int = 3) -> None:
    things = hundred()
    with ground(1) as made:
        told(made, things)
        races = [compared(made, rounds)]
        passed = line(made)
        further = larger(made, (*things, *more(RULES - len(things))), rounds)
    with ground(HOSTS) as made:
        told(made, things)
        races += [compared(made, 1), further]
    table = goals(races, passed)
    print("\n".join("  ".join(row) for row in table["rows"]))  # type: ignore[attr-defined]
    keep("baseline_check", races, table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
