"""What pools ask of zones: the claims of one name, and how those of several pools become one."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.records import Claim, RRsetKey
from multiall_cli.domain.values import Amount
from multiall_cli.domain.zones import BelowMinimum, NameDeclaration, NameServer, Zone
from multiall_cli.planning.zones.claims import addresses_of, claims_of, host_of

NS = NameServer("ns1", "192.0.2.53")
ZONES = {
    name: Zone(name, NS)
    for name in ("example.net.", "2.0.192.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa.", "b.example.net.")
}
WWW: RRsetKey = ("www.example.net.", "A")
SERVERS = {
    "web1": Server("web1", "192.0.2.1"),
    "web2": Server("web2", "10.0.0.2", public=("192.0.2.2", "2001:db8::2")),
    "Web3": Server("Web3", "2001:db8::3"),
    "db1": Server("db1", "db1.example.net"),
}


def name(*members: str, **more: object) -> NameDeclaration:
    origin = Origin("inventory/site.yaml", 7, 3)
    made = NameDeclaration("example.net.", "www.example.net.", members or ("web1", "web2"), origin=origin)
    return replace(made, **more)  # type: ignore[arg-type]


def pool(called: str, *names: NameDeclaration, priority: int = 0) -> Pool:
    return Pool(called, tuple(SERVERS), priority, names=names)


def claims(*pools: Pool) -> Mapping[RRsetKey, Claim]:
    settled, contested = claims_of(Inventory(SERVERS, {each.name: each for each in pools}, ZONES))
    assert not contested
    return {each.place: each for each in settled}


def contested(*pools: Pool) -> dict[RRsetKey, str]:
    settled, found = claims_of(Inventory(SERVERS, {each.name: each for each in pools}, ZONES))
    assert not {each.place for each in settled} & found.keys()
    return {place: str(each) for place, each in found.items()}


@pytest.mark.parametrize(
    ("server", "addresses"),
    [
        (SERVERS["web1"], ("192.0.2.1",)),
        (SERVERS["web2"], ("192.0.2.2", "2001:db8::2")),
        (SERVERS["Web3"], ("2001:db8::3",)),
        (SERVERS["db1"], ()),
        (Server("x", "fe80::1%eth0"), ()),
    ],
)
def test_where_clients_reach_a_server(server: Server, addresses: tuple[str, ...]) -> None:
    assert addresses_of(server) == addresses


def test_addresses_are_claimed_as_name_servers_write_them() -> None:
    """Else a record that came back otherwise would look as if a hand had edited it."""
    written = Server("web1", "web1", public=("2001:DB8:0:0::0001", "192.0.2.1"))
    declared = name("web1", sorry=("2001:0db8::99",), on_floor=BelowMinimum.SORRY)
    made = Inventory({"web1": written}, {"web": Pool("web", ("web1",), names=(declared,))}, ZONES)
    found = {each.place: each for each in claims_of(made)[0]}["www.example.net.", "AAAA"]
    assert (dict(found.values), found.sorry) == ({"web1": "2001:db8::1"}, ("2001:db8::99",))


def test_a_name_claims_the_addresses_of_its_members_of_each_type() -> None:
    declared = name("web1", "web2", "Web3", ttl=30, at_least=Amount(2), on_floor=BelowMinimum.ALL)
    found = claims(pool("web", declared, priority=4))
    assert found == {
        WWW: Claim(
            WWW,
            "example.net.",
            30,
            {"web1": "192.0.2.1", "web2": "192.0.2.2"},
            "web",
            at_least=Amount(2),
            on_floor=BelowMinimum.ALL,
        ),
        ("www.example.net.", "AAAA"): Claim(
            ("www.example.net.", "AAAA"),
            "example.net.",
            30,
            {"web2": "2001:db8::2", "Web3": "2001:db8::3"},
            "web",
            at_least=Amount(2),
            on_floor=BelowMinimum.ALL,
        ),
    }
    assert found[WWW].priority == 4
    assert found[WWW].origin == declared.origin


def test_a_type_that_no_member_has_is_not_claimed() -> None:
    assert claims(pool("web", name("web1"))).keys() == {WWW}
    assert claims(pool("web", name("web2", types=("AAAA",)))).keys() == {("www.example.net.", "AAAA")}
    assert claims(pool("web", name("db1"))) == {}
    assert claims(pool("web")) == {}


def test_each_type_has_its_own_addresses_that_say_sorry() -> None:
    found = claims(pool("web", name(on_floor=BelowMinimum.SORRY, sorry=("192.0.2.99", "192.0.2.98"))))
    assert found[WWW].sorry == ("192.0.2.99", "192.0.2.98")
    assert found["www.example.net.", "AAAA"].sorry == ()


@pytest.mark.parametrize("on_floor", list(BelowMinimum))
def test_an_alias_claims_the_members_own_names(on_floor: BelowMinimum) -> None:
    """In their order; it is never emptied; the members' own names are there whatever becomes of them."""
    found = claims(pool("web", name("web2", "Web3", cname=True, on_floor=on_floor, sorry=("192.0.2.99",))))
    alias = found["www.example.net.", "CNAME"]
    assert list(alias.values.items()) == [("web2", "web2.example.net."), ("Web3", "web3.example.net.")]
    assert (alias.first, alias.follows, alias.on_floor, alias.sorry) == (True, True, BelowMinimum.KEEP, ())
    own = {place: each for place, each in found.items() if place != alias.place}
    assert {place: (dict(each.values), each.follows) for place, each in own.items()} == {
        ("web2.example.net.", "A"): ({"web2": "192.0.2.2"}, False),
        ("web2.example.net.", "AAAA"): ({"web2": "2001:db8::2"}, False),
        ("web3.example.net.", "AAAA"): ({"Web3": "2001:db8::3"}, False),
    }


def test_a_service_claims_a_record_for_each_member_with_its_weight() -> None:
    found = claims(pool("web", name(service="_https._tcp", port=443, weights={"web2": 30})))
    assert found.keys() == {
        WWW,
        ("www.example.net.", "AAAA"),
        ("_https._tcp.www.example.net.", "SRV"),
        ("web1.example.net.", "A"),
        ("web2.example.net.", "A"),
        ("web2.example.net.", "AAAA"),
    }
    service = found["_https._tcp.www.example.net.", "SRV"]
    assert service.values == {"web1": "0 10 443 web1.example.net.", "web2": "0 30 443 web2.example.net."}


@pytest.mark.parametrize(
    ("on_floor", "found"),
    [
        (BelowMinimum.KEEP, BelowMinimum.KEEP),
        (BelowMinimum.ALL, BelowMinimum.ALL),
        (BelowMinimum.EMPTY, BelowMinimum.EMPTY),
        (BelowMinimum.SORRY, BelowMinimum.KEEP),
    ],
)
def test_a_service_has_no_one_to_say_sorry(on_floor: BelowMinimum, found: BelowMinimum) -> None:
    claimed = claims(pool("web", name(service="_https._tcp", port=443, on_floor=on_floor, sorry=("192.0.2.99",))))
    service = claimed["_https._tcp.www.example.net.", "SRV"]
    assert (service.on_floor, service.sorry) == (found, ())


def test_addresses_point_back_in_the_zones_that_hold_them() -> None:
    found = claims(pool("web", name("web1", "web2", "Web3", ptr=True)))
    pointers = {place[0]: each for place, each in found.items() if place[1] == "PTR"}
    six = "." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa."
    assert {at: (each.zone, dict(each.values)) for at, each in pointers.items()} == {
        "1.2.0.192.in-addr.arpa.": ("2.0.192.in-addr.arpa.", {"web1": "www.example.net."}),
        "2.2.0.192.in-addr.arpa.": ("2.0.192.in-addr.arpa.", {"web2": "www.example.net."}),
        f"2{six}": ("8.b.d.0.1.0.0.2.ip6.arpa.", {"web2": "www.example.net."}),
        f"3{six}": ("8.b.d.0.1.0.0.2.ip6.arpa.", {"Web3": "www.example.net."}),
    }
    assert not any(each.follows for each in pointers.values())


def test_addresses_of_other_types_and_of_no_zone_of_ours_do_not_point_back() -> None:
    servers = {"web1": Server("web1", "198.51.100.1", public=("198.51.100.1", "2001:db8::1"))}
    declared = replace(name("web1", ptr=True), types=("A",))
    made = Inventory(servers, {"web": Pool("web", ("web1",), names=(declared,))}, ZONES)
    assert [each.place for each in claims_of(made)[0]] == [WWW]


def test_a_members_own_name_is_in_lower_case() -> None:
    assert host_of(SERVERS["Web3"], "example.net.") == "web3.example.net."


# --- several pools ---------------------------------------------------------------------------------------------------


def test_equal_claims_become_one() -> None:
    found = claims(pool("a", name("web1", "web2")), pool("b", name("web2", "web1")))
    assert found[WWW].pool == "a"


def test_unequal_claims_are_a_conflict_that_names_places() -> None:
    """Of that name and type only."""
    both = pool("a", name("web1", "web2")), pool("b", name("web2"))
    found = contested(*both)
    assert found == {
        WWW: "www.example.net A: pools a (inventory/site.yaml:7:3) and b (inventory/site.yaml:7:3) ask for different "
        "records; make them equal, or give one of the pools a higher `priority:`"
    }


@pytest.mark.parametrize(
    "other",
    [
        {"ttl": 30},
        {"at_least": Amount(2)},
        {"on_floor": BelowMinimum.EMPTY},
        {"on_floor": BelowMinimum.SORRY, "sorry": ("192.0.2.99",)},
        {"members": ("web2",)},
        {"zone": "b.example.net."},
    ],
)
def test_claims_may_differ_in_anything(other: dict[str, object]) -> None:
    assert WWW in contested(pool("a", name()), pool("b", name(**other)))


def test_aliases_that_prefer_other_members_are_unequal() -> None:
    one, other = name("web1", "web2", cname=True), name("web2", "web1", cname=True)
    assert contested(pool("a", one), pool("b", other)).keys() == {("www.example.net.", "CNAME")}
    assert claims(pool("a", one), pool("b", one))["www.example.net.", "CNAME"].pool == "a"


def test_members_own_names_live_as_long_as_the_shortest_of_what_leads_to_them() -> None:
    """Two aliases of one pool, and a service of another, need them all."""
    www, api = name("web1", cname=True, ttl=300), name("web1", cname=True, ttl=60, name="api.example.net.")
    mail = name("web1", service="_imap._tcp", port=143, ttl=120, name="mail.example.net.")
    found = claims(pool("a", www, api), pool("b", mail))
    assert found["web1.example.net.", "A"].ttl == 60
    assert found["www.example.net.", "CNAME"].ttl == 300


def test_one_pool_can_contradict_itself() -> None:
    """An address has one name."""
    found = contested(pool("a", name("web1", ptr=True), name("web1", ptr=True, name="api.example.net.")))
    assert found == {
        ("1.2.0.192.in-addr.arpa.", "PTR"): "1.2.0.192.in-addr.arpa PTR: pool a asks for different records "
        "(inventory/site.yaml:7:3 and inventory/site.yaml:7:3); make them equal, or leave one of them out"
    }


def test_an_alias_and_other_records_of_one_name_contradict_each_other() -> None:
    """Else a name server would pass over the one that comes second, and say that all is well."""
    alias, others = name("web1", cname=True), name("web2", service="_https._tcp", port=443)
    found = contested(pool("a", alias), pool("b", others))
    assert found.keys() == {(WWW[0], "CNAME"), WWW, (WWW[0], "AAAA")}
    assert found[WWW] == (
        "www.example.net A: an alias (pool a, inventory/site.yaml:7:3) cannot stand beside the A of this name "
        "(pool b, inventory/site.yaml:7:3); leave one of them out, or give its pool a lower `priority:`"
    )


def test_the_higher_priority_decides_between_an_alias_and_other_records() -> None:
    alias, others = name("web1", cname=True), name("web2")
    found = claims(pool("a", alias, priority=1), pool("b", others))
    assert {kind for at, kind in found if at == WWW[0]} == {"CNAME"}
    found = claims(pool("a", alias), pool("b", others, priority=1))
    assert {kind for at, kind in found if at == WWW[0]} == {"A", "AAAA"}


def test_a_member_is_no_alias_of_itself() -> None:
    assert ("web1.example.net.", "CNAME") in contested(pool("a", name("web1", name="web1.example.net.", cname=True)))


def test_the_highest_priority_holds() -> None:
    pools = pool("a", name("web1")), pool("b", name("web2"), priority=2), pool("c", name("web1"), priority=1)
    assert claims(*pools)[WWW].pool == "b"


def test_equal_highest_priorities_can_conflict_and_lower_ones_do_not_settle_it() -> None:
    rivals = pool("b", name("web1"), priority=3), pool("c", name("web2"), priority=3)
    assert "pools b" in contested(pool("a", name("web1"), priority=-1), *rivals)[WWW]
    assert WWW in contested(*rivals, pool("d", name("web1"), priority=3))


def test_claims_of_other_names_do_not_count() -> None:
    found = claims(pool("a", name("web1")), pool("b", name("web2", name="api.example.net.")))
    assert {WWW, ("api.example.net.", "A")} <= found.keys()
