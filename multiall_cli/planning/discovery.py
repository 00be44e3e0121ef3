"""Undeclared neighbours: derived from what members see, to propose as lines of an inventory. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import replace

from multiall_cli.domain.discovery import Neighbour, Sighting
from multiall_cli.domain.inventory import Server
from multiall_cli.planning.targets.ranges import is_name


def unknown(sightings: Iterable[Sighting], servers: Mapping[str, Server]) -> tuple[Neighbour, ...]:
    """Return each address that belongs to no declared server and no member, in the order of addresses.

    Each comes with all its observers and how they saw it.
    """
    told = list(sightings)
    near = _near(told, servers)
    ours = {_same(server.address) for server in servers.values()} | set(servers)
    ours |= {_same(each.address) for each in told if each.how == "own"}
    found: dict[str, Neighbour] = {}
    for each in told:
        address = _same(each.address)
        if each.how == "own" or address in ours or each.name in ours or not _is_a_place(address):
            continue
        if each.how == "connection" and address not in near and _subnet(address) not in near:
            continue  # any other connected host, for example a client
        before = found.get(address, Neighbour(address))
        found[address] = replace(
            before,
            name=before.name or (each.name if is_name(each.name) else ""),
            seen_by=tuple(sorted({*before.seen_by, each.observer})),
            how=tuple(sorted({*before.how, each.how})),
        )
    return tuple(sorted(found.values(), key=lambda each: _order(each.address)))


def _near(told: Iterable[Sighting], servers: Mapping[str, Server]) -> set[str]:
    """Return the addresses that a member knows from more than a connection, and the subnets of declared servers."""
    known = {_same(each.address) for each in told if each.how not in ("own", "connection")}
    return known | {_subnet(server.address) for server in servers.values()}


def _subnet(address: str) -> str:
    """Return the /24 or /64 of an address, or '' if it is not numeric."""
    try:
        version = ipaddress.ip_address(_same(address)).version
        return str(ipaddress.ip_network((_same(address), 24 if version == 4 else 64), strict=False))
    except ValueError:
        return ""


def _same(address: str) -> str:
    """Return an address in canonical form; an IPv4-mapped IPv6 address as IPv4."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    inside = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
    return str(inside or number)


def _is_a_place(address: str) -> bool:
    """Return whether other hosts could reach a server at this address."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (
        number.is_loopback
        or number.is_multicast
        or number.is_link_local
        or number.is_unspecified
        or (number.version == 4 and number.is_reserved)  # includes 255.255.255.255
    )


def _order(address: str) -> tuple[int, int]:
    number = ipaddress.ip_address(address)
    return number.version, int(number)


def named(neighbours: Iterable[Neighbour], servers: Mapping[str, Server]) -> dict[str, Neighbour]:
    """Return each neighbour by a free name: its own, or else one made of its address."""
    found: dict[str, Neighbour] = {}
    for each in neighbours:
        made = f"host-{each.address.replace('.', '-').replace(':', '-')}"
        wanted = (each.name, made, *(f"{made}-{number}" for number in range(2, len(found) + len(servers) + 3)))
        found[next(name for name in wanted if name and name not in servers and name not in found)] = each
    return found
