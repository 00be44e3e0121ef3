"""What pools declare is checked without a rule."""

from multiall_cli.domain.inventory import FilesDeclaration, Inventory, Pool, Server
from multiall_cli.domain.zones import NameDeclaration, Zone
from multiall_cli.domain.zones import NameServer as Primary
from multiall_cli.planning.checks.declarations import drift_rules
from multiall_cli.planning.zones.claims import places_of

ZONES = {
    "example.net.": Zone("example.net.", Primary("ns", "192.0.2.9")),
    "2.0.192.in-addr.arpa.": Zone("2.0.192.in-addr.arpa.", Primary("ns", "192.0.2.9")),
}
SERVERS = {name: Server(name, address=f"192.0.2.{at}") for at, name in enumerate(("web1", "web2", "db1"), 1)}


def inventory(*pools: Pool) -> Inventory:
    return Inventory(SERVERS, {each.name: each for each in pools}, zones=ZONES)


def name(text: str, *members: str, **more: object) -> NameDeclaration:
    return NameDeclaration("example.net.", f"{text}.example.net.", members, **more)  # type: ignore[arg-type]


def test_one_rule_for_each_declaration_however_many_pools_make_it() -> None:
    tree = FilesDeclaration("/srv", "/srv")
    made = inventory(
        Pool("web", ("web1", "web2"), files=(tree,), names=(name("www", "web1"), name("api", "web1", "web2"))),
        Pool("all", ("web1", "web2", "db1"), files=(tree,), names=(name("www", "web1", "web2", "db1"),)),
    )
    assert [rule.id for rule in drift_rules(made)["web1"]] == [
        "files:/srv",
        "names:www.example.net",
        "names:api.example.net",
    ]
    found = {rule.id: rule.todo for rule in drift_rules(made)["web2"]}
    assert found["names:www.example.net"] == "multiall dns sync example.net", "it is no member of web's own"
    assert [rule.id for rule in drift_rules(made)["db1"]] == ["files:/srv", "names:www.example.net"]


def test_a_name_that_several_views_have_is_one_rule_in_each() -> None:
    inside = NameDeclaration("inside", "www.example.net.", ("web1",), domain="example.net.")
    made = inventory(Pool("web", ("web1",), names=(inside, name("www", "web1"))))
    assert [rule.id for rule in drift_rules(made)["web1"]] == [
        "names:www.example.net@inside",
        "names:www.example.net",
    ]


def test_all_that_gives_something_of_a_member_is_looked_at() -> None:
    declared = name("www", "web1", "web2", ptr=True, service="_https._tcp", port=443)
    pool = Pool("web", ("web1", "web2"), names=(declared,))
    assert places_of(declared, pool, inventory(pool))["web1"] == {
        ("example.net.", ("www.example.net.", "A")),
        ("example.net.", ("_https._tcp.www.example.net.", "SRV")),
        ("example.net.", ("web1.example.net.", "A")),
        ("2.0.192.in-addr.arpa.", ("1.2.0.192.in-addr.arpa.", "PTR")),
    }
