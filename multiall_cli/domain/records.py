"""What zones hold and are to hold: records, claims, plans and reports."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from multiall_cli.domain.change import Change, Conflict
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.run import Run
from multiall_cli.domain.sayings import NOWHERE
from multiall_cli.domain.values import ONE, Amount
from multiall_cli.domain.zones import OnFloor, Zone

MANAGED = ("A", "AAAA", "CNAME", "SRV", "PTR")
"""The only types that are ever written, besides the TXT of a marker: never SOA, NS or what DNSSEC has."""


@dataclass(frozen=True, slots=True)
class RRset:
    """All records of one name and type. `ttl` in seconds; `values`: as a zone's file has them, sorted.

    `marker`: the text of our mark that stands beside them, '' where there is none.
    """

    ttl: int
    values: tuple[str, ...]
    marker: str = field(default="", compare=False, repr=False)
    """Not compared, so not part of `repr` either: plan ids are made from it, and a marker holds a time."""

    def brief(self) -> str:
        return f"{self.ttl} {', '.join(self.values)}" if self.values else "no records"


def rrset_of(brief: str) -> RRset | None:
    """What `brief` told; None for ''."""
    if not brief:
        return None
    if brief == RRset(0, ()).brief():
        return RRset(0, ())
    ttl, _, values = brief.partition(" ")
    return RRset(int(ttl), tuple(values.split(", ")))


Place = tuple[str, str]
"""A fully qualified name in lower case, and a type."""


def key_of(place: Place) -> str:
    """The key of a change: `www.example.net A`."""
    return f"{place[0].rstrip('.') or '.'} {place[1]}"


def place_of(key: str) -> Place:
    name, _, kind = key.rpartition(" ")
    return (name if name.endswith(".") else f"{name}."), kind


@dataclass(frozen=True, slots=True)
class Content:
    """A zone as its primary gave it, whole. `soa`: the data of its SOA record, as text."""

    serial: int
    soa: str
    rrsets: Mapping[Place, RRset]


class Stand(StrEnum):
    """Whether a member is to be in its names."""

    IN = "in"
    OUT = "out"
    HOLD = "as it is"
    """Not enough is known: it stays in, or out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands, and why, in words."""

    server: str
    stand: Stand
    why: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What the records of one name and type are to be, before anyone looked at what is there.

    `values`: member → its record, in the pool's order; `follows`: whether health decides who is in it; `first`: only
    the first member that can serve; `pools`: all that ask for the same.
    """

    place: Place
    zone: str
    ttl: int
    values: Mapping[str, str]
    pool: str
    follows: bool = True
    first: bool = False
    at_least: Amount = ONE
    on_floor: OnFloor = OnFloor.KEEP
    sorry: tuple[str, ...] = ()
    pools: tuple[str, ...] = field(default=(), compare=False)
    priority: int = field(default=0, compare=False)
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the records of a claim are to be now. `wanted` None: nothing is known that could be given.

    `there`: what they are now; `notes`: why they are not simply those of all who are in, in words.
    """

    claim: Claim
    wanted: RRset | None
    standings: tuple[Standing, ...] = ()
    notes: tuple[str, ...] = ()
    there: RRset | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """A record that clients may still hold. `until`: seconds since the epoch; `gone`: whether it is no longer given;
    `ttl`: seconds that a client holds it who is given it now; `noted`: when `until` was reckoned (0: not known).
    """

    place: Place
    value: str
    until: float
    gone: bool = True
    ttl: float = field(default=0.0, compare=False)
    noted: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Leasing:
    """A lease that is taken together with changes. `name`: of its TXT record; `before`: the record's data as it was
    read, which must still hold; `after`: its data from then on.
    """

    name: str
    before: tuple[str, ...]
    after: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a primary made of changes, by their keys: those that it did, and those that it refuses, each with why and
    what to do. What is in neither is no longer as it was planned. `leased`: the lease was taken with them.
    """

    done: frozenset[str] = frozenset()
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    leased: bool = False


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """What one run would change in a zone. `ours`: how many names and types bear our mark there now."""

    zone: Zone
    changes: tuple[Change[RRset], ...]
    decisions: tuple[Decision, ...] = field(default=(), repr=False)
    conflicts: tuple[Conflict, ...] = ()
    ours: int = 0
    serial: int = 0
    id: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(
            f"{key_of(each.claim.place)}: {words}"
            for each in self.decisions
            if each.claim.follows
            for words in each.notes
        )

    @property
    def code(self) -> Exit:
        """How well the zone would be without a change: a name that gives nothing, since no one is known to be well, is
        not as wanted.
        """
        bare = any(each.claim.follows and each.wanted is None and each.there is None for each in self.decisions)
        return Exit.REFUSED if self.conflicts else Exit.PARTIAL if bare else Exit.OK


@dataclass(frozen=True, slots=True)
class Served:
    """How one server answers for a zone. `lag`: seconds from the change until it had it; None: it has it not.

    `trouble`: what is wrong with it, in words, and `todo`.
    """

    server: str
    serial: int | None
    lag: float | None = None
    trouble: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """What a sync did with a zone. `until`: when the last client lets go of what was taken out (0: nothing was);
    `refused`: what the primary does not do; `stopped`: why nothing, or not all, was done; `brake`: why a sync would be
    refused, where this is but a plan.
    """

    plan: ZonePlan
    run: str = ""
    changed: int = 0
    servers: tuple[Served, ...] = ()
    until: float = 0.0
    refused: tuple[Conflict, ...] = ()
    stopped: str = ""
    todo: str = ""
    exit: Exit = Exit.OK
    brake: str = ""


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """A zone from outside: how its servers stand, what clients may still hold, and the last run that changed it."""

    zone: Zone
    servers: tuple[Served, ...]
    departures: tuple[Departure, ...]
    last: Run | None


@dataclass(frozen=True, slots=True)
class Explained:
    """All that is known of a name and type. `claim` None: nothing declares it; `decision` None: it is not ours to
    write, and `conflict` says why.
    """

    place: Place
    zone: Zone
    claim: Claim | None
    there: RRset | None
    marker: str
    decision: Decision | None
    conflict: Conflict | None
