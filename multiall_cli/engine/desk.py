"""Common input of zone syncs, and the values that are saved of each zone between runs."""

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
    RetiredRecord,
    RRsetKey,
)
from multiall_cli.domain.run import SavedState
from multiall_cli.domain.scope import Scope, zone_scope
from multiall_cli.domain.topology import Topology
from multiall_cli.domain.zones import Zone
from multiall_cli.engine.context import Context
from multiall_cli.planning.zones import known_names
from multiall_cli.planning.zones.membership import place_of_record
from multiall_cli.planning.zones.resolver_cache import settled, while_served
from multiall_cli.ports.dns import NameServers
from multiall_cli.ports.store import Store

_STORE_ID = re.compile(rb"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class ZoneContext:
    """Common input of zone syncs. `claims`: zone → the claims of pools there, and the conflicts between them."""

    context: Context
    servers: NameServers
    topology: Topology
    claims: Mapping[str, tuple[Sequence[Claim], Mapping[RRsetKey, Conflict]]] = field(default_factory=dict)

    def of(self, zone: Zone) -> Sequence[Claim]:
        return self.claims[zone.id][0] if zone.id in self.claims else ()

    def contested(self, zone: Zone) -> Mapping[RRsetKey, Conflict]:
        return self.claims[zone.id][1] if zone.id in self.claims else {}


def scope_of(zone: Zone) -> Scope:
    """Return the scope of the zone's lock, runs and backlog."""
    return zone_scope(zone.shown)


def agent_of(zone: Zone) -> str:
    return f"zones:{zone.shown}"


def _saved(store: Store, zone: Zone, part: str) -> bytes | None:
    return store.states.get(agent_of(zone), zone.shown, part)


def save(store: Store, zone: Zone, part: str, value: bytes) -> None:
    """Save one of the values that affect decisions on a zone."""
    store.states.put([SavedState(agent_of(zone), zone.shown, value, part)])


def seen_before(store: Store, zone: Zone) -> Set[bytes]:
    """Return the names that were declared in a zone at its last sync from here, in the format of `seen.short`."""
    return known_names.unpack(_saved(store, zone, "names") or b"")


def note_seen(desk: ZoneContext, zone: Zone, owned: Callable[[], Iterable[RRsetKey]]) -> None:
    """Save all names that are declared now. `owned`: returns the names and types in the zone with our marker."""
    store = desk.context.store
    before = _saved(store, zone, "names") or b""
    declared = [*(claim.place for claim in desk.of(zone)), *desk.contested(zone)]
    if (now := known_names.noted(before, declared, owned)) != before:
        save(store, zone, "names", now)


def members_before(store: Store, zone: Zone) -> Mapping[str, Set[str]] | None:
    """Return the places of the zone's members at its last sync from here; None: there was no sync."""
    try:
        found = json.loads(_saved(store, zone, "members") or b"")
        return {str(name): set(map(str, [*places])) for name, places in found.items() if not isinstance(places, str)}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None  # missing, or in another format


def note_members(desk: ZoneContext, zone: Zone, given: Callable[[], Iterable[str]]) -> None:
    """Save the members' current places, and former places as long as the zone still gives them.

    `given`: returns the places in all our records.
    """
    former, now = members_before(desk.context.store, zone) or {}, dict[str, set[str]]()
    for claim in desk.of(zone):
        for name, value in claim.values.items() if claim.follows else ():
            now.setdefault(name, set()).add(place_of_record(value))
    if moved := {name: former[name] - places for name, places in now.items() if former.get(name, set()) - places}:
        there = set(given())
        now |= {name: now[name] | (places & there) for name, places in moved.items()}
    packed = json.dumps({name: sorted(places) for name, places in sorted(now.items())}).encode()
    if packed != _saved(desk.context.store, zone, "members"):
        save(desk.context.store, zone, "members", packed)


def is_late(store: Store, zone: Zone) -> bool:
    """Return whether a server of the zone was behind or unreachable at the last check."""
    return bool(_saved(store, zone, "late"))


def note_late(store: Store, zone: Zone, *, late: bool) -> None:
    save(store, zone, "late", b"1" if late else b"")


def pushed_at(store: Store, zone: Zone) -> float:
    """Return when the zone's file was last pushed to a primary that served an older one; 0: never."""
    try:
        return float(_saved(store, zone, "pushed") or 0.0)
    except ValueError:
        return 0.0  # in another format


def store_id(store: Store, host: str) -> str:
    """Return the id of this store on this host in leases.

    The next run from here may take over the lease of a run that was killed here. A copy of the state folder on another
    host is another store.
    """
    saved = store.states.get("store", "site", "id")
    if saved is None or _STORE_ID.fullmatch(saved) is None:
        saved = secrets.token_hex(4).encode()
        store.states.put([SavedState("store", "site", saved, "id")])
    return sha256(saved + host.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def departed(store: Store, zone: Zone, now: float) -> list[RetiredRecord]:
    """Return the records that clients may still have cached: removed, or now given with a shorter TTL.

    As long as a server is late, it may still serve all of them.
    """
    packed = _saved(store, zone, "departures")
    told = json.loads(packed) if packed else []
    stored = [RetiredRecord((name, kind), value, *more) for name, kind, value, *more in told]
    left = settled(stored, now)
    if [each.noted for each in left] != [each.noted for each in stored]:
        remember(store, zone, left)  # otherwise their time would begin anew at each call
    return while_served(left, now) if is_late(store, zone) else left


def remember(store: Store, zone: Zone, left: Iterable[RetiredRecord]) -> None:
    told = [[*each.place, each.value, each.until, each.gone, each.ttl, each.noted] for each in left]
    save(store, zone, "departures", json.dumps(told).encode())
