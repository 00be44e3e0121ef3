"""Neighbours that nobody declared: who is one, what it is called, and whom nobody proposes."""

import pytest

from multiall_cli.domain.discovery import Neighbour, Sighting
from multiall_cli.domain.inventory import Server
from multiall_cli.planning.discovery import named, unknown

SERVERS = {"web1": Server("web1", "192.0.2.1"), "db": Server("db", "db.example.net")}


def seen(*addresses: str, by: str = "web1", how: str = "neighbour", name: str = "") -> list[Sighting]:
    return [Sighting(by, how, address, name) for address in addresses]


def test_each_address_once_with_all_who_saw_it() -> None:
    told = [
        *seen("192.0.2.9"),
        *seen("192.0.2.9", by="db", how="known_hosts", name="new"),
        *seen("192.0.2.10", "2001:db8::1"),
    ]
    assert unknown(told, SERVERS) == (
        Neighbour("192.0.2.9", "new", ("db", "web1"), ("known_hosts", "neighbour")),
        Neighbour("192.0.2.10", "", ("web1",), ("neighbour",)),
        Neighbour("2001:db8::1", "", ("web1",), ("neighbour",)),
    )


@pytest.mark.parametrize(
    "address",
    ["192.0.2.1", "::ffff:192.0.2.1", "127.0.0.1", "224.0.0.1", "fe80::1%eth0", "0.0.0.0", "no-number", ""],
)
def test_whom_nobody_proposes(address: str) -> None:
    assert unknown(seen(address), SERVERS) == ()


def test_a_members_other_addresses_are_its_own() -> None:
    """Whoever else sees them."""
    assert unknown([*seen("192.0.2.77", how="own"), *seen("192.0.2.77", by="db")], SERVERS) == ()


def test_a_server_by_its_name_is_declared() -> None:
    assert unknown(seen("192.0.2.50", name="db"), SERVERS) == ()
    assert unknown(seen("192.0.2.50", name="-rf x"), SERVERS)[0].name == ""


def test_names_are_free_and_made_where_there_is_none() -> None:
    told = [
        Neighbour("192.0.2.9", "new"),
        Neighbour("192.0.2.10", "new"),
        Neighbour("2001:db8::1"),
        Neighbour("192.0.2.3", "db"),
    ]
    assert list(named(told, SERVERS)) == ["new", "host-192-0-2-10", "host-2001-db8--1", "host-192-0-2-3"]
