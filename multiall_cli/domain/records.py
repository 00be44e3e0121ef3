"""Records of zones, observed and desired; claims, plans and reports."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from multiall_cli.domain.change import Change, Conflict
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.rule_source import NOWHERE
from multiall_cli.domain.run import Run
from multiall_cli.domain.values import ONE, Amount
from multiall_cli.domain.zones import BelowMinimum, Zone

MANAGED = ("A", "AAAA", "CNAME", "SRV", "PTR")
"""The only types that are ever written, besides the TXT of a marker: never SOA, NS or DNSSEC types."""


@dataclass(frozen=True, slots=True)
class RRset:
    """All records of one name and type. `ttl` in seconds; `values`: in zone file format, sorted.

    `marker`: the text of our marker beside them, '' if there is none.
    """

    ttl: int
    values: tuple[str, ...]
    marker: str = field(default="", compare=False, repr=False)
    """Neither compared nor part of `repr`: plan ids are made from `repr`, and a marker includes a time."""

    def brief(self) -> str:
        return f"{self.ttl} {', '.join(self.values)}" if self.values else "no records"


def rrset_of(brief: str) -> RRset | None:
    """Return the records from the text of `brief`; None for ''."""
    if not brief:
        return None
    if brief == RRset(0, ()).brief():
        return RRset(0, ())
    ttl, _, values = brief.partition(" ")
    return RRset(int(ttl), tuple(values.split(", ")))


RRsetKey = tuple[str, str]
"""A fully qualified name in lower case, and a type."""


def key_of(place: RRsetKey) -> str:
    """Return the key of a change: `www.example.net A`."""
    return f"{place[0].rstrip('.') or '.'} {place[1]}"


def place_of(key: str) -> RRsetKey:
    name, _, kind = key.rpartition(" ")
    return (name if name.endswith(".") else f"{name}."), kind


@dataclass(frozen=True, slots=True)
class ZoneContent:
    """Whole zone as its primary sent it. `soa`: the data of its SOA record, as text."""

    serial: int
    soa: str
    rrsets: Mapping[RRsetKey, RRset]


class Membership(StrEnum):
    """Whether a member should be in its names."""

    IN = "in"
    OUT = "out"
    HOLD = "as it is"
    """Not enough is known: it stays in, or out."""


@dataclass(frozen=True, slots=True)
class MembershipDecision:
    """Verdict on a member's place in its names, with the reason in words."""

    server: str
    stand: Membership
    why: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Declared records of one name and type, before the zone is read.

    `values`: member → its record, in the pool's order; `follows`: whether health decides on its members; `first`: only
    the first member that can serve; `pools`: all pools with the same claim.
    """

    place: RRsetKey
    zone: str
    ttl: int
    values: Mapping[str, str]
    pool: str
    follows: bool = True
    first: bool = False
    at_least: Amount = ONE
    on_floor: BelowMinimum = BelowMinimum.KEEP
    sorry: tuple[str, ...] = ()
    pools: tuple[str, ...] = field(default=(), compare=False)
    priority: int = field(default=0, compare=False)
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """Records that a claim should have now. `wanted` None: no record is known that could be given.

    `there`: the present records; `notes`: why `wanted` differs from the records of all members that are in, in words.
    """

    claim: Claim
    wanted: RRset | None
    standings: tuple[MembershipDecision, ...] = ()
    notes: tuple[str, ...] = ()
    there: RRset | None = None


@dataclass(frozen=True, slots=True)
class RetiredRecord:
    """Record that clients may still have cached.

    `until`: seconds since the epoch; `gone`: whether the zone no longer gives it; `ttl`: seconds for which a client
    caches it if it gets it now; `noted`: when `until` was computed (0: not known).
    """

    place: RRsetKey
    value: str
    until: float
    gone: bool = True
    ttl: float = field(default=0.0, compare=False)
    noted: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Leasing:
    """Lease that is taken together with changes.

    `name`: of its TXT record; `before`: the record's data as it was read, which must be unchanged; `after`: the new
    data.
    """

    name: str
    before: tuple[str, ...]
    after: str


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """Result of changes at a primary, by key.

    `done`: changes that it made; `refused`: changes that it refuses, each with the reason and the fix; a change in
    neither is no longer as planned. `leased`: the lease was taken with them.
    """

    done: frozenset[str] = frozenset()
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    leased: bool = False


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """Changes of one run in a zone. `ours`: number of names and types that have our marker now."""

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
        """Return the exit code that the zone has without a change.

        A name without records, because no member is known to be healthy, is not as desired.
        """
        return Exit.REFUSED if self.conflicts else Exit.PARTIAL if self.bare else Exit.OK

    @property
    def bare(self) -> tuple[RRsetKey, ...]:
        """Return the names that have no records, because no member is known to be healthy."""
        return tuple(
            each.claim.place
            for each in self.decisions
            if each.claim.follows and each.wanted is None and each.there is None
        )


@dataclass(frozen=True, slots=True)
class ServerZoneStatus:
    """Answer of one server for a zone. `lag`: seconds from the change until it had it; None: it does not have it.

    `trouble`: the failure in words; `todo`: the fix.
    """

    server: str
    serial: int | None
    lag: float | None = None
    trouble: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """Result of a zone sync.

    `until`: when the last client drops the removed records (0: nothing was removed); `refused`: changes that the
    primary refuses; `stopped`: why nothing, or not all, was done; `brake`: for a plan, why a sync would be refused.
    """

    plan: ZonePlan
    run: str = ""
    changed: int = 0
    servers: tuple[ServerZoneStatus, ...] = ()
    until: float = 0.0
    refused: tuple[Conflict, ...] = ()
    stopped: str = ""
    todo: str = ""
    exit: Exit = Exit.OK
    brake: str = ""


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """Status of a zone: its servers, records that clients may still have cached, and the last run that changed it."""

    zone: Zone
    servers: tuple[ServerZoneStatus, ...]
    departures: tuple[RetiredRecord, ...]
    last: Run | None


@dataclass(frozen=True, slots=True)
class ExplainedName:
    """Explanation of a name and type.

    `claim` None: nothing declares it; `decision` None: we may not write it, and `conflict` gives the reason.
    """

    place: RRsetKey
    zone: Zone
    claim: Claim | None
    there: RRset | None
    marker: str
    decision: Decision | None
    conflict: Conflict | None
