"""Zones of a site by name, and their agents."""

import re
import secrets
import socket
from collections.abc import Iterable
from hashlib import sha256

from multiall_cli.agents.zones import Writer, ZoneAgent
from multiall_cli.agents.zones.agent import GivenChanges
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.run import SavedState
from multiall_cli.domain.zones import Zone
from multiall_cli.engine.context import Context
from multiall_cli.engine.operator import who
from multiall_cli.fleet.lookup import find_pool
from multiall_cli.fleet.name_servers import NameServersOfSite
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.zones.claims import claims_of, zones_of_pool
from multiall_cli.planning.zones.names import absolute, zone_of
from multiall_cli.ports.store import Store

_STORE_ID = re.compile(rb"[0-9a-f]{8}")


def chosen(context: Context, name: str = "") -> tuple[Zone, ...]:
    """Return one zone, or all. Raises UsageError if there is none of that name, or none at all."""
    zones = context.inventory.zones
    if not zones:
        raise UsageError("dns", "the site declares no zone", "add `zones:` to its inventory")
    if not name:
        return tuple(zones.values())
    wanted = absolute(name if name.endswith(".") else f"{name}.", ".")
    if wanted not in zones:
        known = [each.shown for each in zones.values()]
        raise UsageError(f"zone {name}", "there is no such zone", f"{did_you_mean(name, known)}`zones:` has them all")
    return (zones[wanted],)


def of_pool(context: Context, pool: str) -> tuple[Zone, ...]:
    """Return the zones in which a pool has names."""
    return zones_of_pool(context.inventory, find_pool(context, pool))


def agents_of(
    context: Context, zones: Iterable[Zone], pool: str = "", given: GivenChanges | None = None
) -> list[ZoneAgent]:
    """Return the agents of zones. `context`: with the topology; `pool`, `given`: as of `ZoneAgent`."""
    servers, host = NameServersOfSite(context), socket.gethostname()
    writer = Writer(f"{who()}@{host}", store_id(context.store, host))
    return [
        ZoneAgent(zone, servers, writer, *claims_of(context.inventory, zone.id), pool=pool, given=given)
        for zone in zones
    ]


def zones_of_name(context: Context, name: str) -> tuple[str, list[Zone]]:
    """Return the fully qualified name that an operator means, and its zones (several, if the zone has views).

    Raises UsageError if no zone has it.
    """
    zones = chosen(context)
    whole, names = absolute(f"{name.rstrip('.')}.", "."), {each.name for each in zones}
    if not zone_of(whole, names) and len(names) == 1:
        whole = absolute(name, next(iter(names)))
    nearest = zone_of(whole, names)
    if not nearest:
        raise UsageError(f"name {name}", "it is in no zone of `zones:`", "write it whole, such as www.example.net")
    return whole, [each for each in zones if each.name == nearest]


def nearest_names(context: Context, name: str) -> str:
    """Return what may be meant by a name that no pool declares, for the end of an error text."""
    claims = (each for zone in context.inventory.zones for each in claims_of(context.inventory, zone)[0])
    known = sorted({each.place[0].rstrip(".") for each in claims})
    return f"{did_you_mean(name, known)}`multiall dns show` shows all names"


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
