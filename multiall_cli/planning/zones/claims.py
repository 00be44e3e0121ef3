"""What pools ask of zones: one claim for each name and type."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from multiall_cli.domain.change import Conflict
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.records import Claim, RRsetKey, key_of
from multiall_cli.domain.zones import BelowMinimum, NameDeclaration, Zone
from multiall_cli.planning.zones.names import address_type, canonical, is_ip, reverse, zone_of

WEIGHT = 10  # default weight of a member in an SRV record


def addresses_of(server: Server, *, inside: bool = False) -> tuple[str, ...]:
    """Return a server's addresses for clients: `public:`, or else its own IP address. `inside`: only its own."""
    own = (server.address,) if is_ip(server.address) else ()
    found = own if inside else server.public or own
    return tuple(canonical(each) for each in found)


def zones_of_pool(inventory: Inventory, pool: Pool) -> tuple[Zone, ...]:
    """Return the zones in which a pool has names."""
    if not pool.names:
        return ()
    names = {each.zone for each in pool.names}
    return tuple(
        zone
        for name, zone in inventory.zones.items()
        if name in names or any(each.pool == pool.name for each in claims_of(inventory, name)[0])
    )


def claims_of(inventory: Inventory, zone: str = "") -> tuple[tuple[Claim, ...], Mapping[RRsetKey, Conflict]]:
    """Return the claims of all pools on a zone ('': on all zones), and the conflicts between them.

    Equal claims become one. Of unequal claims the highest priority wins; with equal priority the name is a conflict and
    is left as it is.
    """
    rivals: dict[tuple[str, str], list[Claim]] = {}
    for pool in inventory.pools.values():
        for declared in pool.names:
            for claim in _claims(declared, pool, inventory):
                if zone not in ("", claim.zone):
                    continue
                rivals.setdefault(claim.place, []).append(claim)
    settled: list[Claim] = []
    contested: dict[RRsetKey, Conflict] = {}
    for place in sorted(rivals):
        top = max(each.priority for each in rivals[place])
        first, *others = [each for each in rivals[place] if each.priority == top]
        unequal = [each for each in others if not _are_equal(first, each)]
        if unequal:
            contested[place] = _conflict(first, unequal[0])
        else:
            chosen = first if first.follows else min([first, *others], key=lambda each: each.ttl)
            settled.append(replace(chosen, pools=tuple(dict.fromkeys(each.pool for each in (first, *others)))))
    held, at_odds = _apart(settled)
    return tuple(held), {**contested, **at_odds}


def places_of(declared: NameDeclaration, pool: Pool, inventory: Inventory) -> dict[str, set[tuple[str, RRsetKey]]]:
    """Return member → the names and types, each with its zone, that publish it."""
    found: dict[str, set[tuple[str, RRsetKey]]] = {}
    for claim in _claims(declared, pool, inventory):
        for member in claim.values:
            found.setdefault(member, set()).add((claim.zone, claim.place))
    return found


def _are_equal(one: Claim, other: Claim) -> bool:
    """Return whether two claims are equal, whoever makes them.

    The order of members counts if only the first one is published. Claims that do not follow health may differ in TTL:
    the shortest one applies.
    """
    alike = replace(other, pool=one.pool, ttl=other.ttl if one.follows else one.ttl)
    return alike == one and (not one.first or list(other.values) == list(one.values))


def _apart(settled: Iterable[Claim]) -> tuple[list[Claim], dict[RRsetKey, Conflict]]:
    """An alias must be alone at its name (RFC 1034, 3.6.2): either it wins, or the other claims do."""
    names: dict[str, list[Claim]] = {}
    for each in settled:
        names.setdefault(each.place[0], []).append(each)
    held: list[Claim] = []
    contested: dict[RRsetKey, Conflict] = {}
    for found in names.values():
        aliases = [each for each in found if each.place[1] == "CNAME"]
        others = [each for each in found if each.place[1] != "CNAME"]
        if not aliases or not others:
            held += found
            continue
        alias, rival = aliases[0], max(others, key=lambda each: each.priority)
        if alias.priority == rival.priority:
            contested |= {each.place: _beside(each, alias, rival) for each in found}
        else:
            held += aliases if alias.priority > rival.priority else others
    return held, contested


def _beside(each: Claim, alias: Claim, rival: Claim) -> Conflict:
    what = (
        f"an alias (pool {alias.pool}, {alias.origin}) cannot stand beside the {rival.place[1]} of this name "
        f"(pool {rival.pool}, {rival.origin})"
    )
    return Conflict(key_of(each.place), what, "leave one of them out, or give its pool a lower `priority:`")


def _conflict(one: Claim, other: Claim) -> Conflict:
    if one.pool == other.pool:
        what = f"pool {one.pool} asks for different records ({one.origin} and {other.origin})"
        return Conflict(key_of(one.place), what, "make them equal, or leave one of them out")
    what = f"pools {one.pool} ({one.origin}) and {other.pool} ({other.origin}) ask for different records"
    return Conflict(key_of(one.place), what, "make them equal, or give one of the pools a higher `priority:`")


def _claims(declared: NameDeclaration, pool: Pool, inventory: Inventory) -> Iterator[Claim]:
    servers = [inventory.servers[name] for name in declared.members]
    if declared.cname:
        yield _alias(declared, pool, servers)
    else:
        yield from _addresses(declared, pool, servers)
    if declared.service:
        yield _service(declared, pool, servers)
    if declared.cname or declared.service:
        yield from _hosts(declared, pool, servers)
    if declared.ptr:
        yield from _pointers(declared, pool, servers, inventory.zones.values())


def _claim(declared: NameDeclaration, pool: Pool, kind: str, values: Mapping[str, str]) -> Claim:
    """Return a claim that follows health."""
    return Claim(
        (declared.name, kind),
        declared.zone,
        declared.ttl,
        values,
        pool.name,
        at_least=declared.at_least,
        on_floor=declared.on_floor,
        sorry=declared.sorry,
        priority=pool.priority,
        origin=declared.origin,
    )


def _addresses(declared: NameDeclaration, pool: Pool, servers: Iterable[Server]) -> Iterator[Claim]:
    for kind in declared.types:
        values = {each.name: address for each in servers if (address := _address(each, kind, declared))}
        if values:
            sorry = tuple(canonical(each) for each in declared.sorry if address_type(each) == kind)
            yield replace(_claim(declared, pool, kind, values), sorry=sorry)


def _address(server: Server, kind: str, declared: NameDeclaration) -> str:
    found = addresses_of(server, inside=declared.inside)
    return next((each for each in found if address_type(each) == kind), "")


def domain_of(declared: NameDeclaration) -> str:
    """Return the name of the zone that contains a name."""
    return declared.domain or declared.zone


def _alias(declared: NameDeclaration, pool: Pool, servers: Iterable[Server]) -> Claim:
    values = {each.name: host_of(each, domain_of(declared)) for each in servers}
    return replace(_claim(declared, pool, "CNAME", values), first=True, on_floor=BelowMinimum.KEEP, sorry=())


def _service(declared: NameDeclaration, pool: Pool, servers: Iterable[Server]) -> Claim:
    values = {
        each.name: f"0 {declared.weights.get(each.name, WEIGHT)} {declared.port} {host_of(each, domain_of(declared))}"
        for each in servers
    }
    claim = _claim(declared, pool, "SRV", values)
    floor = BelowMinimum.KEEP if claim.on_floor is BelowMinimum.SORRY else claim.on_floor
    return replace(claim, place=(f"{declared.service}.{declared.name}", "SRV"), on_floor=floor, sorry=())


def host_of(server: Server, zone: str) -> str:
    """Return a member's own host name, the target of aliases and services."""
    return f"{server.name.lower()}.{zone}"


def _hosts(declared: NameDeclaration, pool: Pool, servers: Iterable[Server]) -> Iterator[Claim]:
    """Yield the members' own names, which do not depend on health."""
    for server in servers:
        for kind in ("A", "AAAA"):
            if address := _address(server, kind, declared):
                place = (host_of(server, domain_of(declared)), kind)
                yield _steady(declared, pool, place, declared.zone, {server.name: address})


def _pointers(
    declared: NameDeclaration, pool: Pool, servers: Iterable[Server], zones: Iterable[Zone]
) -> Iterator[Claim]:
    known = list(zones)
    for server in servers:
        for address in addresses_of(server, inside=declared.inside):
            nearest = zone_of(reverse(address), [each.name for each in known])
            for zone in known if address_type(address) in declared.types else ():
                if zone.name == nearest:
                    yield _steady(declared, pool, (reverse(address), "PTR"), zone.id, {server.name: declared.name})


def _steady(
    declared: NameDeclaration, pool: Pool, place: tuple[str, str], zone: str, values: Mapping[str, str]
) -> Claim:
    """Return a claim that does not depend on the health of members."""
    return Claim(
        place,
        zone,
        declared.ttl,
        values,
        pool.name,
        follows=False,
        priority=pool.priority,
        origin=declared.origin,
    )
