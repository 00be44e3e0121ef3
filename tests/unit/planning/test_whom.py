"""Who hangs on whom, what is handed down, who can be given work, and through whom one goes."""

import pytest

from multiall_cli.domain.inventory import Server, Ssh
from multiall_cli.domain.topology import Downtime, DowntimeKind, State, Topology, Verdict
from multiall_cli.planning.whom import (
    available_members,
    circle_of,
    domain_of,
    inherited,
    labels_of,
    parents_of,
    via_relays,
)


def server(name: str, *depends_on: str, jump: str | None = None, **labels: str) -> Server:
    return Server(name, name, ssh=Ssh(jump=jump), labels=labels, depends_on=depends_on)


def site(*servers: Server) -> dict[str, Server]:
    return {each.name: each for each in servers}


def word(name: str, what: DowntimeKind = DowntimeKind.MAINTENANCE) -> Downtime:
    return Downtime(name, what, 0.0, 10.0, "jo", "its disk")


def test_a_server_hangs_on_what_it_depends_on_and_on_its_jump_hosts() -> None:
    found = site(server("hv1"), server("gate"), server("web1", "hv1", jump="gate,jo@else,web1"))
    assert parents_of(found["web1"], found) == ("hv1", "gate")


def test_what_hangs_on_one_server_shares_a_label_with_it() -> None:
    """So that the loss of all of them is told once, as that server's."""
    found = labels_of(site(server("hv1", rack="a"), server("web1", "hv1"), server("web2", "hv1")))
    assert found == {"hv1": ["rack=a", "on=hv1"], "web1": ["on=hv1"], "web2": ["on=hv1"]}


def test_downtimes_are_handed_down_and_pins_are_not() -> None:
    servers = site(server("hv1"), server("web1", "hv1"), server("app1", "web1"), server("other"))
    told = inherited([word("hv1"), word("hv1", DowntimeKind.PINNED_UP)], servers)
    assert [(each.server, each.what, each.because) for each in told] == [
        ("hv1", DowntimeKind.MAINTENANCE, "its disk"),
        ("hv1", DowntimeKind.PINNED_UP, "its disk"),
        ("web1", DowntimeKind.MAINTENANCE, "its disk (hv1, on which it hangs)"),
        ("app1", DowntimeKind.MAINTENANCE, "its disk (hv1, on which it hangs)"),
    ]
    assert inherited([], servers) == []
    assert inherited([word("gone")], servers) == [word("gone")]


def test_nothing_goes_round_in_circles() -> None:
    """Jump hosts may lead in a circle, which a route tells; here it only has to end."""
    servers = site(server("a", "b"), server("b", "a"))
    assert [each.server for each in inherited([word("a")], servers)] == ["a", "b"]


@pytest.mark.parametrize(
    ("servers", "circle"),
    [
        (site(server("a", "b"), server("b", "c"), server("c", "a")), ("a", "b", "c", "a")),
        (site(server("a", "a")), ("a", "a")),
        (site(server("a", "b", "c"), server("b", "d"), server("c", "d"), server("d", "gone")), ()),
        (site(server("a", "b"), server("b", "c"), server("c", "b")), ()),
    ],
)
def test_a_circle_is_the_way_back(servers: dict[str, Server], circle: tuple[str, ...]) -> None:
    assert circle_of("a", servers) == circle


def test_who_can_be_given_work() -> None:
    held = {name: Verdict(name, state) for name, state in {"a": State.UP, "b": State.UP, "c": State.DEGRADED}.items()}
    planned = {"b": [word("b", DowntimeKind.DRAIN)], "d": [word("d", DowntimeKind.PINNED_UP)]}
    assert available_members(Topology(5.0, "adm", held, planned), ("a", "b", "c", "d", "e")) == ("a", "d")


def test_through_whom_one_goes() -> None:
    """Who has a jump host of its own keeps it."""
    servers = [server("a"), server("b"), server("c", jump="gate")]
    assert [each.ssh.jump for each in via_relays(servers, {"b": "a", "c": "a"})] == [None, "a", "gate"]


@pytest.mark.parametrize(
    ("asked", "domain"),
    [
        (Server("a", "192.0.2.77"), "192.0.2.0/24"),
        (Server("a", "2001:db8::1:2"), "2001:db8::/64"),
        (Server("a", "web1.example.net"), "web1.example.net"),
        (Server("a", "192.0.2.77", labels={"site": "fra", "rack": "r1"}), "rack=r1"),
        (Server("a", "192.0.2.77", labels={"site": "fra"}), "site=fra"),
    ],
)
def test_what_fails_together(asked: Server, domain: str) -> None:
    assert domain_of(asked) == domain
