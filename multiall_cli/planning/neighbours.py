"""What follows from who reached whom: links, components, hinges, relays, ways. Pure; the newest evidence decides."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from multiall_cli.domain.topology import (
    FORWARDS_NOTHING,
    REST,
    Edge,
    Evidence,
    LinkState,
    Planned,
    Rung,
    State,
    Topology,
    Verdict,
)

OPEN = (LinkState.OK, LinkState.ASYMMETRIC)
"""Links over which a connection can be opened."""

Graph = Mapping[str, Iterable[str]]
"""Who reaches whom, each way."""


def edges(evidence: Iterable[Evidence]) -> tuple[Edge, ...]:
    """The links that the newest evidence of each observer shows, by name."""
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


def _link(rung: Rung) -> LinkState:
    if rung >= Rung.TCP:
        return LinkState.OK
    return LinkState.REFUSED if rung is Rung.REFUSED else LinkState.FILTERED


def _asymmetric(observer: str, target: str, states: Mapping[tuple[str, str], LinkState]) -> LinkState:
    there, back = states[observer, target], states.get((target, observer))
    if there is LinkState.OK and back is LinkState.FILTERED:
        return LinkState.ASYMMETRIC
    return there


def outward(found: Iterable[Edge]) -> dict[str, set[str]]:
    """Who can open a connection to whom."""
    graph: dict[str, set[str]] = {}
    for edge in found:
        graph.setdefault(edge.observer, set())
        graph.setdefault(edge.target, set())
        if edge.state in OPEN:
            graph[edge.observer].add(edge.target)
    return graph


def reached(found: Iterable[Edge]) -> dict[str, set[str]]:
    """Who is linked with whom, in either direction: an open way one way carries what is asked over it."""
    ways = outward(found)
    graph = {name: set(ends) for name, ends in ways.items()}
    for name, ends in ways.items():
        for end in ends:
            graph[end].add(name)
    return graph


def components(graph: Graph, first: str) -> tuple[tuple[str, ...], ...]:
    """Groups that reach each other: `first`'s own, then the larger ones before the smaller. Names in order."""
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
    """The servers, but for `root`, through which alone others of its component are reached (Tarjan's low links).

    Without recursion: a chain of a hundred thousand servers is a graph too.
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
    """The shortest way from one to another, both included; empty where there is none. Of equals the first by name."""
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
    """unreachable server → the brother that is up and has reached it soonest since we lost it."""
    best: dict[str, tuple[float, str]] = {}
    for edge in found:
        target, through = verdicts.get(edge.target), verdicts.get(edge.observer)
        if target is None or through is None or edge.state not in OPEN or not edge.carries:
            continue
        if target.state is State.UNREACHABLE and through.state is State.UP and edge.at >= target.seen:
            # To a tenth of a second: of those that are about as near, always the same one.
            offer = (round(edge.rtt, 1) if edge.rtt is not None else float("inf"), edge.observer)
            best[edge.target] = min(best.get(edge.target, offer), offer)
    return {target: through for target, (_, through) in best.items()}


def _is_old(each: Evidence, verdicts: Mapping[str, Verdict]) -> bool:
    """Whether it is what a server told before we lost it: the cut may go through what it told of."""
    observer = verdicts.get(each.observer)
    return observer is not None and observer.state not in REST and each.at <= observer.since


def picture(
    vantage: str,
    verdicts: Mapping[str, Verdict],
    evidence: Iterable[Evidence],
    planned: Iterable[Planned],
    frozen: str,
    at: float,
    stale_after: float = math.inf,
) -> Topology:
    """All of it put together."""
    found = edges(each for each in evidence if not _is_old(each, verdicts))
    graph = reached(found)
    words: dict[str, list[Planned]] = {}
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
