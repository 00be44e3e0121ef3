"""Links, components, hinges and ways, held against networkx; and who is asked about whom."""

import itertools
from collections import Counter

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.topology import (
    Downtime,
    DowntimeKind,
    Evidence,
    LinkState,
    ProbeLevel,
    State,
    Topology,
    Verdict,
)
from multiall_cli.planning.neighbours import (
    components,
    edges,
    hinges,
    outward,
    picture,
    reached,
    relays,
    way,
)
from multiall_cli.planning.whom import probe_pairs

_names = st.sampled_from("abcdefgh")
_graphs = st.lists(st.tuples(_names, _names), max_size=25)


def _samples(pairs: list[tuple[str, str]]) -> list[Evidence]:
    return [Evidence(start, end, ProbeLevel.TCP, 1.0) for start, end in pairs]


def _oracle(pairs: list[tuple[str, str]]) -> "nx.Graph[str]":
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edges_from(pairs)
    return graph


@given(_graphs)
def test_components_are_those_of_networkx(pairs: list[tuple[str, str]]) -> None:
    """The first one's own first, then by size."""
    found = components(reached(edges(_samples(pairs))), "a")
    assert {frozenset(group) for group in found} == set(map(frozenset, nx.connected_components(_oracle(pairs))))
    assert not any("a" in group for group in found[1:])
    sizes = [len(group) for group in found if "a" not in group]
    assert sizes == sorted(sizes, reverse=True)


@given(_graphs)
def test_hinges_are_the_cut_vertices_of_networkx(pairs: list[tuple[str, str]]) -> None:
    """Of the root's component, less the root."""
    graph = reached(edges(_samples([*pairs, ("a", "b")])))
    oracle = _oracle([*pairs, ("a", "b")])
    oracle.remove_edges_from(nx.selfloop_edges(oracle))
    mine = nx.node_connected_component(oracle, "a")
    assert set(hinges(graph, "a")) == (set(nx.articulation_points(oracle)) & mine) - {"a"}


def test_a_long_chain_needs_no_recursion() -> None:
    """Each but the last is a hinge."""
    names = [f"s{number:06}" for number in range(20_000)]
    graph = reached(edges(_samples(list(itertools.pairwise(names)))))
    assert len(hinges(graph, names[0])) == len(names) - 2


@given(_graphs, _names, _names)
def test_ways_are_as_short_as_networkx_finds_them(pairs: list[tuple[str, str]], start: str, end: str) -> None:
    """And lead over links that are open that way."""
    found = edges(_samples(pairs))
    steps = way(outward(found), start, end)
    oracle: nx.DiGraph[str] = nx.DiGraph()
    oracle.add_edges_from(pairs)
    known = start in oracle and end in oracle and nx.has_path(oracle, start, end)
    assert bool(steps) == known
    if steps:
        assert len(steps) == nx.shortest_path_length(oracle, start, end) + 1
        assert all(pair in oracle.edges for pair in itertools.pairwise(steps))


@pytest.mark.parametrize(
    ("there", "back", "state"),
    [
        (ProbeLevel.TCP, ProbeLevel.TCP, LinkState.OK),
        (ProbeLevel.AUTH, None, LinkState.OK),
        (ProbeLevel.TCP, ProbeLevel.TIMEOUT, LinkState.ASYMMETRIC),
        (ProbeLevel.TCP, ProbeLevel.NO_ROUTE, LinkState.ASYMMETRIC),
        (ProbeLevel.TCP, ProbeLevel.REFUSED, LinkState.OK),
        (ProbeLevel.REFUSED, ProbeLevel.TCP, LinkState.REFUSED),
        (ProbeLevel.TIMEOUT, ProbeLevel.TCP, LinkState.FILTERED),
        (ProbeLevel.ICMP, ProbeLevel.TCP, LinkState.FILTERED),
    ],
)
def test_a_link_is_what_its_newest_evidence_says(there: ProbeLevel, back: ProbeLevel | None, state: LinkState) -> None:
    """What was seen before does not count."""
    told = [Evidence("a", "b", ProbeLevel.TIMEOUT, 1.0), Evidence("a", "b", there, 2.0)]
    told += [Evidence("b", "a", back, 2.0)] if back is not None else []
    assert next(edge.state for edge in edges(told) if edge.observer == "a") is state


def test_a_relay_is_up_and_the_soonest_that_reaches_the_unreachable() -> None:
    """Who is in trouble itself carries no one."""
    states = {"a": State.UNREACHABLE, "b": State.UP, "c": State.UP, "d": State.DEGRADED, "e": State.DOWN}
    told = [
        Evidence("b", "a", ProbeLevel.TCP, 1.0, 0.5),
        Evidence("c", "a", ProbeLevel.TCP, 1.0, 0.1),
        Evidence("d", "a", ProbeLevel.TCP, 1.0, 0.01),
        Evidence("c", "e", ProbeLevel.TCP, 1.0, 0.1),
        Evidence("b", "c", ProbeLevel.TIMEOUT, 1.0),
        Evidence("stranger", "a", ProbeLevel.TCP, 1.0),
    ]
    verdicts = {name: Verdict(name, state) for name, state in states.items()}
    assert relays(verdicts, edges(told)) == {"a": "c"}


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 1000))
def test_a_round_asks_about_everyone_equally_often(count: int, each: int, turn: int) -> None:
    """By as many others as there are, where they are fewer than wanted; no one about himself, no one twice."""
    names = [f"s{number}" for number in range(count)]
    pairs = probe_pairs(names, names, each, turn)
    assert set(Counter(target for _, target in pairs).values()) <= {min(each, count - 1)}
    assert all(observer != target for observer, target in pairs)
    assert len(set(pairs)) == len(pairs)


def test_over_the_rounds_everyone_is_asked_about_everyone() -> None:
    """No pair is left out for ever."""
    names = [f"s{number}" for number in range(13)]
    met = {pair for turn in range(13) for pair in probe_pairs(names, names, 4, turn)}
    assert len(met) == 13 * 12


def test_the_picture_has_it_all() -> None:
    """And an operator's word goes before what is held."""
    told = [
        Evidence("adm", "a", ProbeLevel.AUTH, 1.0),
        Evidence("a", "b", ProbeLevel.TCP, 1.0),
        Evidence("c", "d", ProbeLevel.TCP, 1.0),
    ]
    verdicts = {
        "a": Verdict("a", State.UP),
        "b": Verdict("b", State.UNREACHABLE),
        "c": Verdict("c", State.PARTITIONED),
        "d": Verdict("d", State.PARTITIONED),
    }
    planned = [
        Downtime("b", DowntimeKind.MAINTENANCE, 0.0, 10.0, "ann", "disk"),
        Downtime("c", DowntimeKind.DRAIN, 0.0, 4.0, "ann", "over already"),
        Downtime("d", DowntimeKind.PINNED_UP, 0.0, 10.0, "ann", "we know better"),
        Downtime("d", DowntimeKind.MAINTENANCE, 0.0, 10.0, "ann", "both"),
        Downtime("a", DowntimeKind.PINNED_DOWN, 5.0, 10.0, "ann", "we know better"),
    ]
    found = picture("adm", verdicts, told, planned, "", 5.0)
    assert found.components == (("a", "adm", "b"), ("c", "d"))
    assert found.hinges == ("a",)
    assert found.relays == {"b": "a"}
    assert [found.state_of(name) for name in "abcde"] == [
        State.DOWN, State.UNREACHABLE, State.PARTITIONED, State.UP, State.UNKNOWN,
    ]  # fmt: skip
    assert [found.as_declared(name) for name in "abcde"] == [False, True, False, True, False]


def test_a_picture_knows_when_we_last_tried_a_server() -> None:
    """Others' testimony is not ours."""
    told = (Evidence("b", "a", ProbeLevel.TCP, 9.0), Evidence("adm", "a", ProbeLevel.TIMEOUT, 5.0))
    found = Topology(10.0, "adm", {"a": Verdict("a", evidence=told)})
    assert (found.seen_at("a"), found.seen_at("b")) == (5.0, 0.0)
