"""Which servers an expression means, with ClusterShell's NodeSet as the oracle for its set operations."""

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.planning.targets import TargetWorld, select, world_of

WORLD = TargetWorld(
    servers=("web1", "web2", "web3", "db1", "db2"),
    pools={"web": ("web1", "web2", "web3"), "db": ("db1", "db2"), "odd": ("web1", "web3", "db1"), "void": ()},
    labels={
        "web1": {"rack": "r1", "site": "fra"},
        "web2": {"rack": "r2", "site": "fra"},
        "db1": {"rack": "r1"},
    },
    states={"web1": "up", "web2": "down", "web3": "up", "db1": "up"},
    special={"failed": ("web2",), "deferred": ()},
)
CHOICES = {
    "web1": "web1",
    "db2, web1": "web1 db2",  # the inventory's order
    "web[1-3]": "web1 web2 web3",
    "web*": "web1 web2 web3",
    "?b*": "db1 db2",
    "w?b[1-2]": "web1 web2",
    "*": "web1 web2 web3 db1 db2",
    "@web": "web1 web2 web3",
    "@failed": "web2",
    "rack=r1": "web1 db1",
    "state=up": "web1 web3 db1",
    "state=unknown": "db2",
    "!web1": "web2 web3 db1 db2",
    "@web & !web2": "web1 web3",
    "@web & rack=r1, db2": "web1 db2",
    "(@web, @db) & state=up": "web1 web3 db1",
    "@web & !state=suspect": "web1 web2 web3",
    "@web & !@deferred": "web1 web2 web3",
    "db1, (!@web)": "db1 db2",
}
WRONG = {
    "wbe1": "'wbe1' matches no server; did you mean web1? `multiall server list` shows all",
    "web[1-5]": "'web[4-5]' (of 'web[1-5]') matches no server; did you mean web3? `multiall server list` shows all",
    "web": "'web' matches no server but is a pool; write @web",
    "zz*": "'zz*' matches no server; `multiall server list` shows all",
    "!wbe1": "'wbe1' matches no server; did you mean web1? `multiall server list` shows all",
    "@wbe": "'@wbe' matches no pool; did you mean @web? `multiall pool list` shows all",
    "@void": "'@void' has no servers now; `multiall server list` shows all",
    "@deferred": "'@deferred' has no servers now; `multiall server list` shows all",
    "site=frb": "'site=frb' matches no server; did you mean site=fra? `multiall server list` shows all",
    "rak=r1": "'rak=r1' matches no server, none has the label; did you mean rack? `multiall server list` shows all",
    "state=upp": "'state=upp' names no state; did you mean state=up? known are up, suspect, down, maintenance, unknown",
    "state=suspect": "'state=suspect' matches no server now; `multiall server list` shows all",
    "web1 & web2": "'web1 & web2' matches no server; `multiall server list` shows all",
    "a\x1b[31": "'[31' has a bracket without its brother",
    "\x1b": "'\\x1b' matches no server",
    "-oProxyCommand=x": "matches no server, none has the label",
}


@pytest.mark.parametrize(("expression", "servers"), CHOICES.items())
def test_an_expression_means_servers(expression, servers):
    assert select(expression, WORLD) == tuple(servers.split())


@pytest.mark.parametrize(("expression", "text"), WRONG.items())
def test_what_matches_nothing_is_told(expression, text):
    with pytest.raises(UsageError) as caught:
        select(expression, WORLD)
    assert text in str(caught.value)
    assert str(caught.value).startswith("target: ")
    assert "\x1b" not in str(caught.value)


def test_an_inventory_is_a_world():
    servers = {name: Server(name, name, labels={"rack": "r1"}) for name in ("a", "b")}
    world = world_of(Inventory(servers, {"p": Pool("p", ("b",))}), {"a": "up"}, {"failed": ("a",)})
    assert select("@p", world) == ("b",)
    assert select("state=up & rack=r1 & @failed", world) == ("a",)
    assert select("*", world_of(Inventory(servers, {}))) == ("a", "b")


ALL = tuple(f"n{number}" for number in range(12))
sets = st.lists(st.integers(0, 11), min_size=1, max_size=8).map(lambda drawn: f"n[{','.join(map(str, drawn))}]")


@given(sets, sets, st.sampled_from([("{}, {}", "{},{}"), ("{} & {}", "{}&{}"), ("{} & !{}", "{}!{}")]))
def test_sets_combine_as_in_nodeset(one, other, forms):
    ours, theirs = forms
    expected = set(NodeSet(theirs.format(one, other)))
    try:
        assert set(select(ours.format(one, other), TargetWorld(ALL))) == expected
    except UsageError:
        assert not expected


@given(st.text(alphabet="n01[]-,&!()@=* \n/", max_size=30))
def test_any_text_is_servers_or_told(text):
    try:
        found = select(text, TargetWorld(ALL, {"n": ("n1",)}))
    except UsageError as error:
        found = (error.todo,)
    assert found


def test_many_stars_cost_no_more_than_one():
    """A name that nearly matches is tried once, not in every way to share it out."""
    world = TargetWorld(("a" * 200, "a" * 200 + "b"))
    assert select("*a" * 12 + "*b", world) == ("a" * 200 + "b",)
