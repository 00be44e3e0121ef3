"""What a zone has already that a pool could declare."""

from collections.abc import Mapping

import pytest

from multiall_cli.agents.zones.import_suggestions import ImportSuggestion, proposals
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.records import RRset, RRsetKey
from tests.fixtures.zone_model import ZONE, ZoneModel, kept

SERVERS = {
    "web1": Server("web1", "192.0.2.1", public=("192.0.2.1", "2001:DB8::1")),
    "web2": Server("web2", "192.0.2.2"),
    "web3": Server("web3", "192.0.2.3"),
    "db1": Server("db1", "192.0.2.4"),
    "away": Server("away", "away.example.org"),
}
POOLS = {
    each.name: each
    for each in (
        Pool("all", ("web1", "web2", "web3", "db1", "away")),
        Pool("web", ("web1", "web2", "web3")),
        Pool("db", ("db1",)),
    )
}


def found(*records: Mapping[RRsetKey, RRset], pools: Mapping[str, Pool] = POOLS) -> list[ImportSuggestion]:
    zone = ZoneModel(rrsets={place: rrset for each in records for place, rrset in each.items()})
    return proposals(ZONE, zone.content(), Inventory(SERVERS, pools, {ZONE.name: ZONE}))


def hand(name: str, kind: str, *values: str, ttl: int = 300) -> dict[RRsetKey, RRset]:
    return {(name, kind): RRset(ttl, tuple(sorted(values)))}


def test_a_name_of_all_members_of_a_pool_is_proposed_for_it() -> None:
    records = hand("www.example.net.", "A", "192.0.2.1", "192.0.2.2", "192.0.2.3")
    values = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert found(records) == [ImportSuggestion("web", "example.net", "www", 300, values)]


def test_a_name_of_some_members_names_them() -> None:
    records = hand("www.example.net.", "A", "192.0.2.3", "192.0.2.1")
    assert found(records) == [
        ImportSuggestion("web", "example.net", "www", 300, ("192.0.2.1", "192.0.2.3"), ("web1", "web3")),
    ]


def test_both_types_of_addresses_are_one_name_that_lives_as_long_as_the_shorter() -> None:
    """Addresses are the same however they are written."""
    records = (
        hand("www.example.net.", "A", "192.0.2.1", ttl=300),
        hand("www.example.net.", "AAAA", "2001:db8::1", ttl=60),
    )
    assert found(*records) == [
        ImportSuggestion("web", "example.net", "www", 60, ("192.0.2.1", "2001:db8::1"), ("web1",)),
    ]


def test_the_pool_with_the_fewest_members_fits_best() -> None:
    """Of equally many, the first by name."""
    records = hand("sql.example.net.", "A", "192.0.2.4")
    assert [each.pool for each in found(records)] == ["db"]
    records = hand("mix.example.net.", "A", "192.0.2.1", "192.0.2.4")
    assert [each.pool for each in found(records)] == ["all"]
    twins = {name: Pool(name, ("db1",)) for name in ("zeta", "alpha")}
    assert [each.pool for each in found(hand("sql.example.net.", "A", "192.0.2.4"), pools=twins)] == ["alpha"]


@pytest.mark.parametrize(
    ("name", "written"),
    [("example.net.", "@"), ("*.example.net.", "*"), ("a.b.example.net.", "a.b"), ("x1.example.net.", "x1")],
)
def test_names_are_written_as_in_an_inventory(name: str, written: str) -> None:
    assert [each.name for each in found(hand(name, "A", "192.0.2.1"))] == [written]


@pytest.mark.parametrize(
    "records",
    [
        {},
        hand("www.example.net.", "A", "198.51.100.1"),
        hand("www.example.net.", "A", "192.0.2.1", "198.51.100.1"),
        hand("www.example.net.", "TXT", "192.0.2.1"),
        hand("www.example.net.", "CNAME", "web1.example.net."),
        hand("_multiall-a.www.example.net.", "A", "192.0.2.1"),
        hand("web1.example.net.", "A", "192.0.2.1"),
        kept(("www.example.net.", "A"), "192.0.2.1", "192.0.2.2"),
    ],
)
def test_what_is_no_name_of_a_pool_is_not_proposed(records: Mapping[RRsetKey, RRset]) -> None:
    """Strangers' addresses, other types, marks, a server's own name, and what is ours already."""
    assert found(records) == []


def test_a_servers_own_name_with_others_addresses_is_proposed() -> None:
    assert [each.name for each in found(hand("web1.example.net.", "A", "192.0.2.1", "192.0.2.2"))] == ["web1"]


def test_names_are_in_order() -> None:
    records = [hand(f"{each}.example.net.", "A", "192.0.2.1") for each in "cab"]
    assert [each.name for each in found(*records)] == ["a", "b", "c"]


def test_a_site_without_pools_has_nothing_to_propose_to() -> None:
    assert found(hand("www.example.net.", "A", "192.0.2.1"), pools={}) == []
