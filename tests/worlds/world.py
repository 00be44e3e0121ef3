"""Worlds of servers that crash, pause and are cut off, in which detectors of failure are compared."""

import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

JUST_BEFORE = 30.0  # seconds that any detector here needs

Span = tuple[float, float]
"""From, until: in seconds since the beginning of the world."""


def _within(spans: Sequence[Span], t: float) -> Span | None:
    at = bisect_right(spans, (t, float("inf"))) - 1
    return spans[at] if at >= 0 and t < spans[at][1] else None


@dataclass(frozen=True)
class World:
    """What befalls whom. All spans are in order and do not overlap.

    `loss`: share of probes that are lost; `pauses`: a server is silent and lives; `crashes`: silent for good;
    `stalls`: the admin's programs stand still; `cuts`: its uplink is out; `partition`: these servers and the others,
    the admin among them, do not hear each other for that long.
    """

    name: str
    servers: int
    seconds: float
    seed: int
    loss: float = 0.0
    pauses: Mapping[int, Sequence[Span]] = field(default_factory=dict)
    crashes: Mapping[int, float] = field(default_factory=dict)
    stalls: Sequence[Span] = ()
    cuts: Sequence[Span] = ()
    partition: tuple[Span, frozenset[int]] = ((0.0, 0.0), frozenset())

    def lives(self, server: int, t: float) -> bool:
        """Not crashed; it may be silent all the same."""
        return t < self.crashes.get(server, float("inf"))

    def speaks(self, server: int, t: float) -> bool:
        return self.lives(server, t) and _within(self.pauses.get(server, ()), t) is None

    def could_be_known(self, server: int) -> float:
        """When a crash could first be looked at: not while the admin is cut off, or just before."""
        crash = self.crashes[server]
        cut = _within(self.cuts, crash + JUST_BEFORE) or _within(self.cuts, crash)
        return crash if cut is None else cut[1]

    def cut_off(self, t: float) -> bool:
        return _within(self.cuts, t) is not None

    def stalled(self, t: float) -> float:
        """When the admin's programs go on; `t` where they do not stand still."""
        stall = _within(self.stalls, t)
        return t if stall is None else stall[1]

    def apart(self, one: int, other: int, t: float) -> bool:
        """Whether the partition lies between them; the admin is -1."""
        (begins, ends), inside = self.partition
        return begins <= t < ends and (one in inside) != (other in inside)

    def answers(self, observer: int, target: int, t: float, luck: random.Random) -> bool:
        """Whether a probe of the observer's (-1: the admin's) is answered."""
        if self.apart(observer, target, t) or not self.speaks(target, t):
            return False
        return luck.random() >= self.loss

    @property
    def domain(self) -> Mapping[int, str]:
        return {server: f"rack={server // 20}" for server in range(self.servers)}


def made(
    name: str,
    servers: int,
    hours: float,
    seed: int,
    *,
    crashes: int = 20,
    loss: float = 0.0,
    pauses_per_hour: float = 0.0,
    pause: float = 3.0,
    stall_every: float = 0.0,
    stall: float = 5.0,
    cut: float = 0.0,
    partition: float = 0.0,
) -> World:
    """A world by its rates. `pause`, `stall`: mean lengths in seconds; `cut`: seconds of one cut in the middle;
    `partition`: seconds for which a third of the servers are apart.
    """
    luck = random.Random(f"{name} {seed}")
    seconds = hours * 3600
    dead = luck.sample(range(servers), min(crashes, servers))
    middle = (seconds / 2, seconds / 2 + cut)
    apart = frozenset(range(servers // 3)) if partition else frozenset[int]()
    return World(
        name,
        servers,
        seconds,
        seed,
        loss,
        {server: _spans(luck, seconds, 3600 / pauses_per_hour, pause) for server in range(servers)}
        if pauses_per_hour
        else {},
        {server: luck.uniform(300, seconds - 300) for server in dead},
        _spans(luck, seconds, stall_every, stall) if stall_every else (),
        [middle] if cut else (),
        ((seconds / 2, seconds / 2 + partition), apart),
    )


def _spans(luck: random.Random, seconds: float, every: float, mean: float) -> list[Span]:
    """Spans that come by chance, with exponential lengths."""
    spans, t = [], luck.expovariate(1 / every)
    while t < seconds:
        end = t + luck.expovariate(1 / mean)
        spans.append((t, end))
        t = end + luck.expovariate(1 / every)
    return spans


@dataclass(frozen=True)
class Score:
    """How a detector did: seconds until crashes were told, DOWN verdicts on servers that lived, probes per second."""

    detector: str
    delays: tuple[float, ...]
    missed: int
    false: int
    probes: float
    messages: int = 0

    def at(self, share: float) -> float:
        """A percentile of the delays."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")

    def __str__(self) -> str:
        return (
            f"{self.detector:<22} p50 {self.at(0.5):6.1f} s  p99 {self.at(0.99):6.1f} s  "
            f"false DOWN {self.false:6}  missed {self.missed}  {self.probes:7.1f} probes/s"
        )


class Tally:
    """Counts what a detector says of the servers of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: dict[int, float] = {}
        self._false = 0

    def down(self, server: int, t: float) -> None:
        if self._world.lives(server, t):
            self._false += 1
        else:
            self._told.setdefault(server, max(0.0, t - self._world.could_be_known(server)))

    def score(self, detector: str, probes: int, messages: int = 0) -> Score:
        missed = len(self._world.crashes) - len(self._told)
        return Score(detector, tuple(self._told.values()), missed, self._false, probes / self._world.seconds, messages)
