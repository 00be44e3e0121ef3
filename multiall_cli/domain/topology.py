"""Topology: evidence, verdicts, links, downtimes and the resulting picture of reachability."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import IntEnum, StrEnum

from multiall_cli.domain.baseline import Code, HealthSummary
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.publication import Published


class ProbeLevel(IntEnum):
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
        """Return whether the machine has power and a network. Such a server is not down, whatever else is wrong."""
        return self >= ProbeLevel.ICMP

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Result of one observer's probe of one server.

    `at`: seconds since the epoch; `rtt`: seconds until the answer; `lag`: seconds by which the prober itself was late;
    `trouble`: the failure of a server that shows life (`auth failed`).
    """

    observer: str
    target: str
    rung: ProbeLevel
    at: float
    rtt: float | None = None
    trouble: str = ""
    lag: float = 0.0

    def __str__(self) -> str:
        took = f" in {self.rtt * 1000:.0f} ms" if self.rtt is not None else ""
        return f"{self.observer} → {self.target}: {self.rung.word}{took}{f' ({self.trouble})' if self.trouble else ''}"


FORWARDS_NOTHING = "its sshd forwards nothing, so its python3 tried"
_MET = {
    "refused": (ProbeLevel.REFUSED, ""),
    "away": (ProbeLevel.NO_ROUTE, ""),
    "name": (ProbeLevel.NO_ROUTE, "it has no address"),
    "timeout": (ProbeLevel.TIMEOUT, ""),
    "auth": (ProbeLevel.BANNER, "no key of ours is accepted"),
    "host-key-unknown": (ProbeLevel.BANNER, "its host key is not known"),
    "host-key-changed": (ProbeLevel.BANNER, "its host key has changed"),
    "host-key-unchecked": (ProbeLevel.BANNER, "its host key cannot be checked here"),
    "banner": (ProbeLevel.TCP, "its sshd sends no usable banner"),
}


def failed(observer: str, target: str, reason: str, at: float) -> list[Evidence]:
    """Return the evidence of a session that failed to open; `reason`: a word of UNREACHABLE_REASONS.

    Empty if the server was not tried, or if its jump host failed.
    """
    if reason not in _MET:
        return []
    rung, trouble = _MET[reason]
    return [Evidence(observer, target, rung, at, trouble=trouble)]


class State(StrEnum):
    """State of a server, derived from evidence."""

    UNKNOWN = "unknown"
    UP = "up"
    DEGRADED = "degraded"
    SUSPECT = "suspect"
    UNREACHABLE = "unreachable"
    """The vantage cannot reach it, but a peer can."""
    PARTITIONED = "partitioned"
    """Only observers that the vantage cannot reach either can reach it."""
    DOWN = "down"


REST = (State.UP, State.DEGRADED)
"""States of servers that answer the vantage."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict on one server: its state, since when (seconds since the epoch), by which rule and on what evidence.

    `reason`: the failure in words; `cause`: the larger failure that this is a part of (`site=b`).
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


class DowntimeKind(StrEnum):
    """Kind of downtime that an operator sets for a server."""

    DRAIN = "drain"
    MAINTENANCE = "maintenance"
    PINNED_UP = "pinned up"
    PINNED_DOWN = "pinned down"


@dataclass(frozen=True, slots=True)
class Downtime:
    """Downtime of a server: its kind, operator, reason, begin and end (seconds since the epoch). It always ends.

    `begins` 0: valid from the moment it was set, even if the clock was wrong; `said`: when it was set (0: not known);
    `said_of`: the server it was set for, if this one only depends on that one.
    """

    server: str
    what: DowntimeKind
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
    """Change of one verdict: of a server, or of the whole (`server` empty)."""

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
    """Open from here to there, but not from there to here: the effect of a firewall."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Link from one observer to one server: its state, and the time of the evidence.

    `carries`: whether our connections could use this link; false if the observer's sshd forwards nothing.
    """

    observer: str
    target: str
    state: LinkState
    at: float
    rtt: float | None = None
    carries: bool = True


@dataclass(frozen=True, slots=True)
class Topology:
    """Picture of the topology at one moment. Consumers read only this.

    `vantage`: the observer; `components`: groups of observers and servers that reach each other, the vantage's first;
    `hinges`: servers whose loss would cut a component; `relays`: unreachable server → the peer to go through; `frozen`:
    why no verdict changes now ('' in normal operation); `stale_after`: seconds after which our own evidence of a server
    is too old to act on; `serving`: pool → its members that can get work; `health`: the result of each server's last
    health check.
    """

    at: float
    vantage: str
    verdicts: Mapping[str, Verdict]
    planned: Mapping[str, Sequence[Downtime]] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    components: tuple[tuple[str, ...], ...] = ()
    hinges: tuple[str, ...] = ()
    relays: Mapping[str, str] = field(default_factory=dict)
    frozen: str = ""
    stale_after: float = math.inf
    serving: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    health: Mapping[str, HealthSummary] = field(default_factory=dict)

    def planned_of(self, server: str) -> Downtime | None:
        """Return the downtime that applies now: a pin before maintenance before a drain."""
        order = (DowntimeKind.PINNED_UP, DowntimeKind.PINNED_DOWN, DowntimeKind.MAINTENANCE, DowntimeKind.DRAIN)
        held = [each for each in self.planned.get(server, ()) if each.holds(self.at)]
        return min(held, key=lambda each: order.index(each.what), default=None)

    def state_of(self, server: str) -> State:
        """Return the state that consumers act on: the operator's pin, otherwise the verdict."""
        word = self.planned_of(server)
        if word is not None and word.what is DowntimeKind.PINNED_UP:
            return State.UP
        if word is not None and word.what is DowntimeKind.PINNED_DOWN:
            return State.DOWN
        verdict = self.verdicts.get(server)
        return State.UNKNOWN if verdict is None else verdict.state

    def health_of(self, server: str) -> Code | None:
        """Return the code of its last health check; None if it has no rules, or was never checked."""
        latest = self.health.get(server)
        return None if latest is None else latest.code

    @property
    def doubts(self) -> bool:
        """Return whether a suspicion is open."""
        return any(each.state is State.SUSPECT for each in self.verdicts.values())

    def seen_at(self, server: str) -> float:
        """Return when we last probed it, in seconds since the epoch; 0: never."""
        verdict = self.verdicts.get(server)
        ours = [each.at for each in verdict.evidence if each.observer == self.vantage] if verdict else []
        return max(ours, default=0.0)

    def is_stale(self, server: str) -> bool:
        """Return whether our last probe is too old to act on its verdict."""
        return self.at - self.seen_at(server) >= self.stale_after

    def as_declared(self, server: str) -> bool:
        """Return whether it is up, or an operator declared that it need not be."""
        word = self.planned_of(server)
        return self.state_of(server) is State.UP or (word is not None and word.what is not DowntimeKind.PINNED_DOWN)


@dataclass(frozen=True, slots=True)
class Round:
    """One round over all servers.

    `took`, `bound`: seconds; a loss is detected within `bound` of the first round that sees it.

    `published`: result of the publication to members; None if it was not due.
    """

    topology: Topology
    events: tuple[Event, ...]
    samples: int
    took: float
    bound: float
    published: Published | None = None
