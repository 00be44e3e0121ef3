"""Existing records of a zone that a pool could declare."""

from collections.abc import Iterator

from multiall_cli.agents.zones.plan import owned
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import Inventory, Pool
from multiall_cli.domain.records import ZoneContent
from multiall_cli.domain.zones import Zone
from multiall_cli.planning.zones import ownership
from multiall_cli.planning.zones.claims import addresses_of


@dataclass(frozen=True, slots=True)
class ImportSuggestion:
    """A name whose addresses all belong to members of one pool. `members`: those members, or () for the whole pool."""

    pool: str
    zone: str
    name: str
    ttl: int
    values: tuple[str, ...]
    members: tuple[str, ...] = ()


def proposals(zone: Zone, content: ZoneContent, inventory: Inventory) -> list[ImportSuggestion]:
    """Return the names of a zone that lead to members and bear no mark of ours, each with the pool that fits best."""
    ours = {place[0] for place in owned(content, zone)}
    names = sorted({name for name, kind in content.rrsets if kind in ("A", "AAAA")} - ours)
    found = (_best(zone, content, name, inventory) for name in names if ownership.marked(name) is None)
    return [each for each in found if each is not None]


def _best(zone: Zone, content: ZoneContent, name: str, inventory: Inventory) -> ImportSuggestion | None:
    """Return the smallest pool that has all addresses of a name; None for a server's own name."""
    there = [rrset for kind in ("A", "AAAA") if (rrset := content.rrsets.get((name, kind)))]
    values = {value for rrset in there for value in rrset.values}
    fitting = sorted(_holding(values, inventory), key=lambda each: (len(each.members), each.name))
    if not fitting:
        return None
    pool = fitting[0]
    members = [each for each in pool.members if values & set(addresses_of(inventory.servers[each]))]
    if len(members) == 1 and name.split(".")[0] == members[0].lower():
        return None
    written = "@" if name == zone.name else name.removesuffix(f".{zone.name}")
    some = tuple(members) if len(members) < len(pool.members) else ()
    return ImportSuggestion(
        pool.name, zone.shown, written, min(each.ttl for each in there), tuple(sorted(values)), some
    )


def _holding(values: set[str], inventory: Inventory) -> Iterator[Pool]:
    for pool in inventory.pools.values():
        known = {address for name in pool.members for address in addresses_of(inventory.servers[name])}
        if values <= known:
            yield pool


def unlisted(zone: Zone, content: ZoneContent) -> list[str]:
    """Return the zone's name servers (NS records) with addresses in the zone, none of which is declared."""
    declared = {each.address for each in zone.servers}
    found = []
    for name in content.rrsets[zone.name, "NS"].values if (zone.name, "NS") in content.rrsets else ():
        rrsets = [content.rrsets[name, kind] for kind in ("A", "AAAA") if (name, kind) in content.rrsets]
        addresses = {value for rrset in rrsets for value in rrset.values}
        if addresses and not addresses & declared:
            found.append(name.rstrip("."))
    return found
