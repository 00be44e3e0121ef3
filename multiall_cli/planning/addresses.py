"""Servers that share an address: an error within a name, elsewhere perhaps an oversight. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from multiall_cli.domain.errors import Fault, Origin
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.planning.zones.claims import addresses_of
from multiall_cli.planning.zones.names import address_type, canonical, is_ip


def shared_in_name(servers: Iterable[Server], types: Sequence[str], *, inside: bool) -> Iterator[tuple[str, str]]:
    """Yield the members that would give one name the same address, each with what to do.

    If one of them were drained, its address would stay in the name through the other.
    """
    first: dict[str, Server] = {}
    for server in servers:
        for address in addresses_of(server, inside=inside):
            other = first.setdefault(address, server)
            if other is not server and address_type(address) in types:
                what = f"{other.name} ({_place(other)}) and {server.name} ({_place(server)}) both give it {address}"
                yield what, "correct one of the addresses, or leave one of the two out by `members:`"


def shared_logins(servers: Iterable[Server]) -> list[Fault]:
    """Return a warning for each server with the same address and port as an earlier one."""
    first: dict[tuple[object, ...], Server] = {}
    found = []
    for server in (each for each in servers if each.link is Link.SSH):
        address = canonical(server.address) if is_ip(server.address) else server.address.lower()
        other = first.setdefault((address, server.ssh.port, server.ssh.jump), server)
        if other is not server:
            port = f" and port {server.ssh.port}" if server.ssh.port else ""
            what = f"{server.name} has the same address{port} as {other.name} ({_place(other)}): {server.address}"
            found.append(Fault(_place(server), what, "correct one of them, or give each its own `ssh.port`"))
    return found


def _place(server: Server) -> Origin:
    return server.where.get("public" if server.public else "address", server.origin)
