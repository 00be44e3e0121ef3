"""A value that is watched for a week, and how often those who watch it say so: real trouble, hovering, spikes, gaps."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from multiall_cli.domain.baseline import Expectation, FactValue, Rule
from multiall_cli.domain.health import RuleState
from multiall_cli.planning.evaluate import Circumstances, evaluate

MINUTES = 7 * 24 * 60
EVERY = 60.0  # seconds between two looks
LIMIT, CLEAR = 0.90, 0.80
LASTING = 3  # looks that must fail
SLACK = 5  # minutes after the end of trouble in which what is told is no false alarm

Span = tuple[int, int]


@dataclass(frozen=True)
class Series:
    """One week. `values`: by the minute, None where the server cannot be reached; `incidents`: from, until."""

    values: Sequence[float | None]
    incidents: Sequence[Span]


def series(seed: int, minutes: int = MINUTES) -> Series:
    """Two or three incidents of 10 to 120 minutes a week; hours in which it hovers about its limit; spikes of one
    look; minutes in which nobody can look.
    """
    luck = random.Random(f"noise {seed}")
    level = [0.5] * minutes
    for begins, ends in _spans(luck, minutes, 3, 60, 180):
        level[begins:ends] = [LIMIT] * (ends - begins)
    for begins, ends in _spans(luck, minutes, 20, 1, 1):
        level[begins:ends] = [0.97] * (ends - begins)
    incidents = _spans(luck, minutes, 2.5, 10, 120)
    for begins, ends in incidents:
        level[begins:ends] = [0.97] * (ends - begins)
    values: list[float | None] = [each + luck.gauss(0, 0.012) for each in level]
    for begins, ends in _spans(luck, minutes, 5, 2, 15):
        values[begins:ends] = [None] * (ends - begins)
    return Series(values, incidents)


def _spans(luck: random.Random, minutes: int, per_week: float, least: int, most: int) -> list[Span]:
    """So many a week on average, from `least` to `most` minutes, that do not overlap."""
    found: list[Span] = []
    at = luck.expovariate(per_week / MINUTES)
    while at < minutes:
        ends = min(minutes, int(at) + luck.randint(least, most))
        found.append((int(at), ends))
        at = ends + luck.expovariate(per_week / MINUTES)
    return found


@dataclass
class Told:
    """What one watcher said of all series: alarms and all-clears; delays in minutes."""

    name: str
    messages: int = 0
    false: int = 0
    missed: int = 0
    delays: list[float] = field(default_factory=list)
    weeks: float = 0.0

    @property
    def per_week(self) -> float:
        return self.messages / self.weeks

    @property
    def false_per_week(self) -> float:
        return self.false / self.weeks

    @property
    def delay(self) -> float:
        return sum(self.delays) / len(self.delays) if self.delays else float("inf")


Watcher = Callable[[Sequence[float | None]], Iterator[bool | None]]
"""values → by the minute what it holds: an alarm, none, or (None) that it does not know, which is a message too."""


def every_change(values: Sequence[float | None]) -> Iterator[bool | None]:
    for value in values:
        yield None if value is None else value >= LIMIT


def nagios(values: Sequence[float | None]) -> Iterator[bool | None]:
    """Soft and hard states: three looks in a row make a problem hard, be it of another kind; one good look ends it."""
    hard: bool | None = False
    count = 0
    for value in values:
        state = None if value is None else value >= LIMIT
        count = 0 if state is False else count + 1
        if state is False or count >= LASTING or (hard is not False and count):
            hard = state
        yield hard


def prometheus(keep: int = 0) -> Watcher:
    """An alert with `for: 3m`; `keep`: `keep_firing_for` in minutes. Where there is no sample the alert is over."""

    def watch(values: Sequence[float | None]) -> Iterator[bool | None]:
        failing, quiet, firing = 0, 0, False
        for value in values:
            bad = value is not None and value >= LIMIT
            failing, quiet = (failing + 1, 0) if bad else (0, quiet + 1)
            firing = failing > LASTING or (firing and quiet <= keep)
            yield firing

    return watch


def ours(values: Sequence[float | None]) -> Iterator[bool | None]:
    """The evaluation that runs in production: `for`, a limit of its own to be well again, frozen while unreachable."""
    rule = Rule(
        "v", "disk", {"path": "/"}, (Expectation("used", critical=LIMIT),), lasting=LASTING * EVERY, clear=CLEAR
    )
    held: dict[str, RuleState] = {}
    alarm = False
    for minute, value in enumerate(values):
        if value is not None:
            readings = {rule.fact: FactValue({"used": value})}
            (status,), held = evaluate("s", (rule,), readings, held, Circumstances(EVERY * (minute + 1)))
            alarm = status.code.is_problem
        yield alarm


WATCHERS: dict[str, Watcher] = {
    "every change": every_change,
    "Nagios, 3 attempts": nagios,
    "Prometheus, for: 3m": prometheus(),
    "Prometheus, keep_firing_for: 5m": prometheus(5),
    "MultiAll, for: 3m, clear": ours,
}


def told(name: str, watcher: Watcher, many: Sequence[Series]) -> Told:
    found = Told(name)
    for each in many:
        found.weeks += len(each.values) / MINUTES
        _count(found, each, list(watcher(each.values)))
    return found


def _count(found: Told, each: Series, states: Sequence[bool | None]) -> None:
    before: bool | None = False
    begun = []
    for minute, state in enumerate(states):
        if state is not before:
            found.messages += 1
            if state is True:
                begun.append(minute)
        before = state
    found.false += sum(1 for minute in begun if not _is_trouble(each, minute))
    for begins, ends in each.incidents:
        first = next((minute for minute in range(begins, ends) if states[minute] is True), None)
        if first is None:
            found.missed += 1
        else:
            found.delays.append(first - begins)


def _is_trouble(each: Series, minute: int) -> bool:
    return any(begins <= minute <= ends + SLACK for begins, ends in each.incidents)
