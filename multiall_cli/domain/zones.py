"""Names that clients look up: what pools declare of them, the zones that hold them, and what is there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from multiall_cli.domain.change import Change, Conflict
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.run import Run
from multiall_cli.domain.sayings import NOWHERE
from multiall_cli.domain.values import ONE, Amount, Secret

DNS_PORT = 53
MANAGED = ("A", "AAAA", "CNAME", "SRV", "PTR")
"""The only types that are ever written, besides the TXT of a marker: never SOA, NS or what DNSSEC has."""


class OnFloor(StrEnum):
    """What a name gives where fewer members than `at_least` can serve."""

    KEEP = "keep-last"
    """What it gives now: no one is taken out."""
    ALL = "all"
    """Every member, whatever is known of it."""
    EMPTY = "empty"
    """Only who can serve, though that be no one."""
    SORRY = "sorry"
    """The addresses of `sorry:`."""


@dataclass(frozen=True, slots=True)
class NameDeclaration:
    """One name that a pool's members serve.

    `zone`, `name`: fully qualified, in lower case; `members`: those whose addresses it gives, in this order; `ttl` in
    seconds; `types` of addresses; `ptr`: whether the addresses' own names point back; `service` (`_https._tcp`) and
    `port`: of an SRV record; `weights`: member → its weight there; `cname`: the name is an alias of the first member
    that can serve.
    """

    zone: str
    name: str
    members: tuple[str, ...] = ()
    ttl: int = 60
    types: tuple[str, ...] = ("A", "AAAA")
    at_least: Amount = ONE
    on_floor: OnFloor = OnFloor.KEEP
    sorry: tuple[str, ...] = ()
    ptr: bool = False
    service: str = ""
    port: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    cname: bool = False
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class NameServer:
    """Who answers for a zone. `name`: a server of the inventory, or how its address was written."""

    name: str
    address: str
    port: int = DNS_PORT


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key. `algorithm`: as BIND calls it, such as hmac-sha256; `secret`: base64, as `rndc-confgen` writes it."""

    name: str
    algorithm: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone, who serves it, and how far one run may go.

    `name`: fully qualified, in lower case; `owner`: stands in our markers, so that two sites can share a zone;
    `share`, `at_most`: of our names, how many may change in a run and in an hour (whichever is more); `interval`:
    seconds between a change of a name and the next one that adds to it; `within`: seconds in which every server must
    have a change; `file`: where it lies on the primary and its `mirrors`, who are primaries too ('': it takes updates);
    `fragment`: what that file includes, all of it ours.
    """

    name: str
    primary: NameServer
    secondaries: tuple[NameServer, ...] = ()
    key: Key | None = None
    owner: str = "multiall"
    share: float = 0.2
    at_most: int = 10
    interval: float = 10.0
    within: float = 10.0
    file: str = ""
    fragment: str = ""
    mirrors: tuple[NameServer, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)

    @property
    def servers(self) -> tuple[NameServer, ...]:
        return (self.primary, *self.mirrors, *self.secondaries)

    @property
    def shown(self) -> str:
        """Its name as people write it."""
        return self.name.rstrip(".") or "."


@dataclass(frozen=True, slots=True)
class RRset:
    """All records of one name and type. `ttl` in seconds; `values`: as a zone's file has them, sorted.

    `marker`: the text of our mark that stands beside them, '' where there is none.
    """

    ttl: int
    values: tuple[str, ...]
    marker: str = field(default="", compare=False)

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
    the first member that can serve.
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
    """A record that clients may still hold. `until`: seconds since the epoch."""

    place: Place
    value: str
    until: float


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
    `stopped`: why nothing, or not all, was done.
    """

    plan: ZonePlan
    run: str = ""
    changed: int = 0
    servers: tuple[Served, ...] = ()
    until: float = 0.0
    stopped: str = ""
    todo: str = ""
    exit: Exit = Exit.OK


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


def worst(codes: Iterable[Exit]) -> Exit:
    """The exit code of several zones: an interruption first, then refusals, failures, differences."""
    order: Sequence[Exit] = (
        Exit.INTERRUPTED, Exit.ERROR, Exit.LOCKED, Exit.REFUSED, Exit.PARTIAL, Exit.DIFFERENCES, Exit.OK, Exit.USAGE,
    )  # fmt: skip
    return min(codes, key=order.index, default=Exit.OK)
