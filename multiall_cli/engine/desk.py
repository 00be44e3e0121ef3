"""What zones are kept with, and what is remembered of each between runs."""

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import field
from hashlib import sha256

from multiall_cli.domain.change import Conflict
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import (
    Claim,
    Departure,
    Place,
)
from multiall_cli.domain.topology import Topology
from multiall_cli.domain.zones import Zone
from multiall_cli.engine.context import Context
from multiall_cli.planning.zones import seen
from multiall_cli.planning.zones.bounds import settled, while_given
from multiall_cli.planning.zones.decide import place_of_record
from multiall_cli.ports.dns import NameServers
from multiall_cli.ports.store import Store

_STORE_ID = re.compile(rb"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Desk:
    """What zones are kept with. `claims`: zone → what pools ask of it, and what they contradict each other on there."""

    context: Context
    servers: NameServers
    topology: Topology
    claims: Mapping[str, tuple[Sequence[Claim], Mapping[Place, Conflict]]] = field(default_factory=dict)

    def of(self, zone: Zone) -> Sequence[Claim]:
        return self.claims[zone.id][0] if zone.id in self.claims else ()

    def contested(self, zone: Zone) -> Mapping[Place, Conflict]:
        return self.claims[zone.id][1] if zone.id in self.claims else {}


def books(zone: Zone) -> str:
    """What the zone's lock, runs and outbox are kept under: no pool can be called so."""
    return f"(dns) {zone.shown}"


def agent_of(zone: Zone) -> str:
    return f"zones:{zone.shown}"


def seen_before(store: Store, zone: Zone) -> Set[bytes]:
    """What was declared of a zone when it was synced from here, as `seen.short` has it."""
    return seen.unpack(store.cached(_seen_of(zone)) or b"")


def note_seen(desk: Desk, zone: Zone, owned: Callable[[], Iterable[Place]]) -> None:
    """All that is declared now. `owned`: what bears our mark in the zone."""
    store = desk.context.store
    kept = store.cached(_seen_of(zone)) or b""
    declared = [*(claim.place for claim in desk.of(zone)), *desk.contested(zone)]
    if (now := seen.noted(kept, declared, owned)) != kept:
        store.keep(_seen_of(zone), now)


def members_before(store: Store, zone: Zone) -> Mapping[str, Set[str]] | None:
    """Where the members of a zone's names were when it was synced from here; None: it never was."""
    try:
        kept = json.loads(store.cached(_members_of(zone)) or b"")
        return {str(name): set(map(str, [*places])) for name, places in kept.items() if not isinstance(places, str)}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None  # there is none, or it has another shape


def note_members(desk: Desk, zone: Zone, given: Callable[[], Iterable[str]]) -> None:
    """Where they are now, and where they were while clients are still sent there. `given`: all our records' places."""
    former, now = members_before(desk.context.store, zone) or {}, dict[str, set[str]]()
    for claim in desk.of(zone):
        for name, value in claim.values.items() if claim.follows else ():
            now.setdefault(name, set()).add(place_of_record(value))
    if moved := {name: former[name] - places for name, places in now.items() if former.get(name, set()) - places}:
        there = set(given())
        now |= {name: now[name] | (places & there) for name, places in moved.items()}
    packed = json.dumps({name: sorted(places) for name, places in sorted(now.items())}).encode()
    if packed != desk.context.store.cached(_members_of(zone)):
        desk.context.store.keep(_members_of(zone), packed)


def _members_of(zone: Zone) -> str:
    return f"zone members:{zone.id}"


def _seen_of(zone: Zone) -> str:
    return f"zone seen:{zone.id}"


def is_late(store: Store, zone: Zone) -> bool:
    """Whether a server of the zone had not the newest one when we looked last, or could not be asked."""
    return bool(store.cached(_late(zone)))


def note_late(store: Store, zone: Zone, *, late: bool) -> None:
    store.keep(_late(zone), b"1" if late else b"")


def store_id(store: Store, host: str) -> str:
    """Stands for this store on this host in leases: a run that was killed here does not keep the next one from here
    out. A copy of the state folder on another host is another store.
    """
    kept = store.cached("store id")
    if kept is None or _STORE_ID.fullmatch(kept) is None:
        store.keep("store id", kept := secrets.token_hex(4).encode())
    return sha256(kept + host.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _late(zone: Zone) -> str:
    return f"zone late:{zone.id}"


def departed(store: Store, zone: Zone, now: float) -> list[Departure]:
    """What clients may hold of what a zone gave: gone, or given for a shorter time now. While a server is late it may
    give all of it still.
    """
    packed = store.agreed(zone.primary.name, agent_of(zone))
    told = json.loads(packed) if packed else []
    stored = [Departure((name, kind), value, *more) for name, kind, value, *more in told]
    left = settled(stored, now)
    if [each.noted for each in left] != [each.noted for each in stored]:
        remember(store, zone, left)  # else their time would begin anew at each look
    return while_given(left, now) if is_late(store, zone) else left


def remember(store: Store, zone: Zone, left: Iterable[Departure]) -> None:
    told = [[*each.place, each.value, each.until, each.gone, each.ttl, each.noted] for each in left]
    store.agree(zone.primary.name, agent_of(zone), json.dumps(told).encode(), "")
