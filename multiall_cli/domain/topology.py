"""Who reaches whom: evidence, verdicts, links, downtimes and the picture that is made of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import IntEnum, StrEnum

from multiall_cli.domain.baseline import Code, Latest
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.publication import Published


class Rung(IntEnum):
    """How far an observer got with a server; the higher, the more it proves."""

    TIMEOUT = 0
    NO_ROUTE = 1
    ICMP = 2
    REFUSED = 3
    TCP = 4
    BANNER = 5
    AUTH = 6

    @property
    def shows_life(self) -> bool:
        """The machine has power and a network: whatever else is wrong with it, it is not down."""
        return self >= Rung.ICMP

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one observer met when it tried one server.

    `at`: seconds since the epoch; `rtt`, `lag`: seconds, of the answer and by how much the prober itself was late;
    `trouble`: what is wrong with a server that shows life (`auth failed`).
    """

    observer: str
    target: str
    rung: Rung
    at: float
    rtt: float | None = None
    trouble: str = ""
    lag: float = 0.0

    def __str__(self) -> str:
        took = f" in {self.rtt * 1000:.0f} ms" if self.rtt is not None else ""
        return f"{self.observer} → {self.target}: {self.rung.word}{took}{f' ({self.trouble})' if self.trouble else ''}"


FORWARDS_NOTHING = "its sshd forwards nothing, so its python3 tried"
_MET = {
    "refused": (Rung.REFUSED, ""),
    "away": (Rung.NO_ROUTE, ""),
    "name": (Rung.NO_ROUTE, "it has no address"),
    "timeout": (Rung.TIMEOUT, ""),
    "auth": (Rung.BANNER, "no key of ours is accepted"),
    "host-key-unknown": (Rung.BANNER, "its host key is not known"),
    "host-key-changed": (Rung.BANNER, "its host key has changed"),
    "host-key-unchecked": (Rung.BANNER, "its host key cannot be checked here"),
    "banner": (Rung.TCP, "its sshd sends no usable banner"),
}


def failed(observer: str, target: str, reason: str, at: float) -> list[Evidence]:
    """What a session that was not opened shows of the server; `reason`: a word of UNREACHABLE_REASONS.

    Nothing where it was not tried, or where its jump host was what failed.
    """
    if reason not in _MET:
        return []
    rung, trouble = _MET[reason]
    return [Evidence(observer, target, rung, at, trouble=trouble)]


class State(StrEnum):
    """What is held of a server."""

    UNKNOWN = "unknown"
    UP = "up"
    DEGRADED = "degraded"
    SUSPECT = "suspect"
    UNREACHABLE = "unreachable"
    """The vantage cannot reach it, a brother can."""
    PARTITIONED = "partitioned"
    """Only observers reach it that the vantage does not reach either."""
    DOWN = "down"


REST = (State.UP, State.DEGRADED)
"""Who answers us."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held of one server, since when (seconds since the epoch), by which rule and on what evidence.

    `reason`: what is wrong, in words; `cause`: the greater trouble that this is a part of (`site=b`).
    """

    server: str
    state: State = State.UNKNOWN
    since: float = 0.0
    reason: str = ""
    rule: str = ""
    cause: str = ""
    flapping: bool = False
    seen: float = 0.0
    evidence: tuple[Evidence, ...] = ()


class Downtime(StrEnum):
    """What an operator said of a server."""

    DRAIN = "drain"
    MAINTENANCE = "maintenance"
    PINNED_UP = "pinned up"
    PINNED_DOWN = "pinned down"


@dataclass(frozen=True, slots=True)
class Planned:
    """An operator's word on a server: by whom, why, and from when until when (seconds since the epoch). It ends.

    `begins` 0: it holds from the moment it was said, whatever the clock showed; `said`: when that was (0: not known);
    `said_of`: the server of which it was said, where this one only depends on that one.
    """

    server: str
    what: Downtime
    begins: float
    ends: float
    who: str
    because: str
    id: int = 0
    said_of: str = ""
    said: float = field(default=0.0, compare=False)

    def holds(self, now: float) -> bool:
        return self.begins <= now < self.ends


@dataclass(frozen=True, slots=True)
class Event:
    """One change of what is held: of a server, or of the whole (`server` empty)."""

    at: float
    server: str
    before: str
    after: str
    rule: str
    words: str
    cause: str = ""
    evidence: tuple[Evidence, ...] = ()
    id: int = 0


class LinkState(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    FILTERED = "filtered"
    ASYMMETRIC = "asymmetric"
    """Open from here to there, and not from there to here: a firewall's doing."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The way from one observer to one server: how it is, and when that was seen.

    `carries`: whether a connection of ours could go this way: not where the observer's sshd forwards nothing.
    """

    observer: str
    target: str
    state: LinkState
    at: float
    rtt: float | None = None
    carries: bool = True


@dataclass(frozen=True, slots=True)
class Topology:
    """The picture at one moment. Consumers read only this.

    `vantage`: who looks; `components`: groups of observers and servers that reach each other, the vantage's first;
    `hinges`: servers whose loss would cut a component; `relays`: unreachable server → the brother to go through;
    `frozen`: why nothing is decided now ('' where all is as usual); `stale_after`: seconds after which what we saw
    of a server ourselves is too old to act on; `serving`: pool → those of its members that can be given work;
    `health`: what its baseline rules said of a server when it was last looked at.
    """

    at: float
    vantage: str
    verdicts: Mapping[str, Verdict]
    planned: Mapping[str, Sequence[Planned]] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    components: tuple[tuple[str, ...], ...] = ()
    hinges: tuple[str, ...] = ()
    relays: Mapping[str, str] = field(default_factory=dict)
    frozen: str = ""
    stale_after: float = math.inf
    serving: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    health: Mapping[str, Latest] = field(default_factory=dict)

    def planned_of(self, server: str) -> Planned | None:
        """The operator's word that holds now: a pin before maintenance before a drain."""
        order = (Downtime.PINNED_UP, Downtime.PINNED_DOWN, Downtime.MAINTENANCE, Downtime.DRAIN)
        held = [each for each in self.planned.get(server, ()) if each.holds(self.at)]
        return min(held, key=lambda each: order.index(each.what), default=None)

    def state_of(self, server: str) -> State:
        """What consumers act on: the operator's pin, else what is held."""
        word = self.planned_of(server)
        if word is not None and word.what is Downtime.PINNED_UP:
            return State.UP
        if word is not None and word.what is Downtime.PINNED_DOWN:
            return State.DOWN
        verdict = self.verdicts.get(server)
        return State.UNKNOWN if verdict is None else verdict.state

    def health_of(self, server: str) -> Code | None:
        """How it stands by its rules; None where it has none, or never was looked at."""
        latest = self.health.get(server)
        return None if latest is None else latest.code

    @property
    def doubts(self) -> bool:
        """Whether a suspicion is open."""
        return any(each.state is State.SUSPECT for each in self.verdicts.values())

    def seen_at(self, server: str) -> float:
        """When we last tried it, in seconds since the epoch; 0: never."""
        verdict = self.verdicts.get(server)
        ours = [each.at for each in verdict.evidence if each.observer == self.vantage] if verdict else []
        return max(ours, default=0.0)

    def is_stale(self, server: str) -> bool:
        """Whether we have not looked at it for too long to act on what is held of it."""
        return self.at - self.seen_at(server) >= self.stale_after

    def as_declared(self, server: str) -> bool:
        """Whether it is up, or an operator said that it need not be."""
        word = self.planned_of(server)
        return self.state_of(server) is State.UP or (word is not None and word.what is not Downtime.PINNED_DOWN)


@dataclass(frozen=True, slots=True)
class Round:
    """One look at all servers. `took`, `bound`: seconds; a loss is seen within `bound` of the round that met it.

    `published`: what became of giving it to the members; None where that was not due.
    """

    topology: Topology
    events: tuple[Event, ...]
    samples: int
    took: float
    bound: float
    published: Published | None = None
