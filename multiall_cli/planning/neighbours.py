"""Network graph from evidence: links, components, hinges, relays and paths. Pure; the newest evidence decides."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from multiall_cli.domain.topology import (
    FORWARDS_NOTHING,
    REST,
    Downtime,
    Edge,
    Evidence,
    LinkState,
    ProbeLevel,
    State,
    Topology,
    Verdict,
)

OPEN = (LinkState.OK, LinkState.ASYMMETRIC)
"""States of links over which a connection can be opened."""

Graph = Mapping[str, Iterable[str]]
"""server → the servers that it reaches."""


def edges(evidence: Iterable[Evidence]) -> tuple[Edge, ...]:
    """Return the links that the newest evidence of each observer shows, sorted by name."""
    newest: dict[tuple[str, str], Evidence] = {}
    for each in evidence:
        key = (each.observer, each.target)
        if key not in newest or (newest[key].at, newest[key].rung) < (each.at, each.rung):
            newest[key] = each
    states = {key: _link(each.rung) for key, each in newest.items()}
    return tuple(
        Edge(
            observer,
            target,
            _asymmetric(observer, target, states),
            each.at,
            each.rtt,
            carries=each.trouble != FORWARDS_NOTHING,
        )
        for (observer, target), each in sorted(newest.items())
    )


def _link(rung: ProbeLevel) -> LinkState:
    if rung >= ProbeLevel.TCP:
        return LinkState.OK
    return LinkState.REFUSED if rung is ProbeLevel.REFUSED else LinkState.FILTERED


def _asymmetric(observer: str, target: str, states: Mapping[tuple[str, str], LinkState]) -> LinkState:
    there, back = states[observer, target], states.get((target, observer))
    if there is LinkState.OK and back is LinkState.FILTERED:
        return LinkState.ASYMMETRIC
    return there


def outward(found: Iterable[Edge]) -> dict[str, set[str]]:
    """Return server → the servers to which it can open a connection."""
    graph: dict[str, set[str]] = {}
    for edge in found:
        graph.setdefault(edge.observer, set())
        graph.setdefault(edge.target, set())
        if edge.state in OPEN:
            graph[edge.observer].add(edge.target)
    return graph


def reached(found: Iterable[Edge]) -> dict[str, set[str]]:
    """Return the undirected graph of links: a connection that is open one way carries requests and answers."""
    ways = outward(found)
    graph = {name: set(ends) for name, ends in ways.items()}
    for name, ends in ways.items():
        for end in ends:
            graph[end].add(name)
    return graph


def components(graph: Graph, first: str) -> tuple[tuple[str, ...], ...]:
    """Return the groups of servers that reach each other: the group of `first`, then larger groups first.

    Names within a group are sorted.
    """
    left, found = set(graph), []
    while left:
        group = {left.pop()}
        todo = deque(group)
        while todo:
            new = set(graph[todo.popleft()]) & left
            left -= new
            group |= new
            todo.extend(new)
        found.append(tuple(sorted(group)))
    return tuple(sorted(found, key=lambda group: (first not in group, -len(group), group)))


def hinges(graph: Graph, root: str) -> tuple[str, ...]:
    """Return the articulation points, except `root`: servers through which alone others are reached.

    Uses Tarjan's low links, without recursion: the graph may be a chain of a hundred thousand servers.
    """
    if root not in graph:
        return ()
    order, low, found = {root: 0}, {root: 0}, set()
    path: list[tuple[str, str, deque[str]]] = [(root, "", deque(sorted(graph[root])))]
    while path:
        name, parent, todo = path[-1]
        if todo:
            after = todo.popleft()
            if after not in order:
                order[after] = low[after] = len(order)
                path.append((after, name, deque(sorted(graph[after]))))
            elif after != parent:
                low[name] = min(low[name], order[after])
            continue
        path.pop()
        if parent:
            low[parent] = min(low[parent], low[name])
            if parent != root and low[name] >= order[parent]:
                found.add(parent)
    return tuple(sorted(found))


def way(graph: Graph, start: str, end: str) -> tuple[str, ...]:
    """Return the shortest path between two servers, both included.

    Empty if there is none. Of equal paths the first by name.
    """
    before: dict[str, str] = {start: ""}
    todo = deque([start])
    while todo and end not in before:
        name = todo.popleft()
        for after in sorted(graph.get(name, ())):
            if after not in before:
                before[after] = name
                todo.append(after)
    if end not in before or end not in graph:
        return ()
    steps = [end]
    while steps[-1] != start:
        steps.append(before[steps[-1]])
    return tuple(reversed(steps))


def relays(verdicts: Mapping[str, Verdict], found: Sequence[Edge]) -> dict[str, str]:
    """Return unreachable server → its relay: the fastest peer that is up and has reached it since we lost it."""
    best: dict[str, tuple[float, str]] = {}
    for edge in found:
        target, through = verdicts.get(edge.target), verdicts.get(edge.observer)
        if target is None or through is None or edge.state not in OPEN or not edge.carries:
            continue
        if target.state is State.UNREACHABLE and through.state is State.UP and edge.at >= target.seen:
            # Round to 0.1 s, so that peers at about the same distance always give the same relay.
            offer = (round(edge.rtt, 1) if edge.rtt is not None else float("inf"), edge.observer)
            best[edge.target] = min(best.get(edge.target, offer), offer)
    return {target: through for target, (_, through) in best.items()}


def _is_old(each: Evidence, verdicts: Mapping[str, Verdict]) -> bool:
    """Return whether the observer sent this before we lost the observer: the cut may affect the links that it saw."""
    observer = verdicts.get(each.observer)
    return observer is not None and observer.state not in REST and each.at <= observer.since


def picture(
    vantage: str,
    verdicts: Mapping[str, Verdict],
    evidence: Iterable[Evidence],
    planned: Iterable[Downtime],
    frozen: str,
    at: float,
    stale_after: float = math.inf,
) -> Topology:
    """Return the topology of all this evidence."""
    found = edges(each for each in evidence if not _is_old(each, verdicts))
    graph = reached(found)
    words: dict[str, list[Downtime]] = {}
    for each in planned:
        words.setdefault(each.server, []).append(each)
    return Topology(
        at=at,
        vantage=vantage,
        verdicts=verdicts,
        planned=words,
        edges=found,
        components=components(graph, vantage),
        hinges=tuple(name for name in hinges(graph, vantage) if name in verdicts),
        relays=relays(verdicts, found),
        frozen=frozen,
        stale_after=stale_after,
    )
