"""The topology as drawings: trees, matrices, and what drawing programs and browsers read. States by shape and word."""

import html
from collections.abc import Callable, Iterator, Mapping, Sequence

from multiall_cli.cli.render.text import safe_text
from multiall_cli.domain.inventory import Inventory
from multiall_cli.domain.topology import LinkState, State, Topology

SIGNS: Mapping[State, str] = {
    State.UP: "●", State.DEGRADED: "▲", State.SUSPECT: "◆", State.UNREACHABLE: "◐",
    State.PARTITIONED: "◫", State.DOWN: "✖", State.UNKNOWN: "○",
}  # fmt: skip

_COLOURS: Mapping[State, str] = {
    State.UP: "#2a9d5c", State.DEGRADED: "#c98a00", State.SUSPECT: "#b5651d", State.UNREACHABLE: "#7a5bbf",
    State.PARTITIONED: "#4a6fbf", State.DOWN: "#c0392b", State.UNKNOWN: "#8a8f98",
}  # fmt: skip

_LINKS: Mapping[LinkState, str] = {
    LinkState.OK: "·", LinkState.REFUSED: "r", LinkState.FILTERED: "X", LinkState.ASYMMETRIC: ">",
}  # fmt: skip


def places(inventory: Inventory) -> dict[str, dict[str, list[str]]]:
    """site → rack → servers, by name; '' where there is no such label: these come last."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, server in inventory.servers.items():
        racks = found.setdefault(server.labels.get("site", ""), {})
        racks.setdefault(server.labels.get("rack", ""), []).append(name)
    return {
        site: dict(sorted(racks.items(), key=_unnamed_last)) for site, racks in sorted(found.items(), key=_unnamed_last)
    }


def _unnamed_last(named: tuple[str, object]) -> tuple[bool, str]:
    return not named[0], named[0]


def tree(topology: Topology, inventory: Inventory) -> str:
    return "".join(f"{safe_text(text)}\n" for text in _branches(topology, inventory))


def _branches(topology: Topology, inventory: Inventory) -> Iterator[str]:
    yield f"{topology.vantage} (vantage)"
    sites = list(places(inventory).items())
    for number, (site, racks) in enumerate(sites):
        last = number == len(sites) - 1
        yield f"{'└' if last else '├'}─ {f'site {site}' if site else 'no site'}"
        stem = "   " if last else "│  "
        for at, (rack, names) in enumerate(racks.items()):
            final = at == len(racks) - 1
            yield f"{stem}{'└' if final else '├'}─ {f'rack {rack}' if rack else 'no rack'}"
            below = stem + ("   " if final else "│  ")
            for place, name in enumerate(names):
                end = "└" if place == len(names) - 1 else "├"
                pools = " ".join(f"@{pool.name}" for pool in inventory.pools_of(name))
                yield f"{below}{end}─ {SIGNS[topology.state_of(name)]} {_label(topology, name)}  {pools}".rstrip()


def _label(topology: Topology, name: str) -> str:
    planned = topology.planned_of(name)
    over = f", {planned.what.value}" if planned is not None else ""
    return f"{name} {topology.state_of(name).value}{over}"


def _signed(topology: Topology, name: str) -> str:
    return f"{SIGNS[topology.state_of(name)]} {_label(topology, name)}"


def _flat(racks: Mapping[str, Sequence[str]]) -> list[str]:
    return [name for names in racks.values() for name in names]


def matrix(topology: Topology, inventory: Inventory) -> str:
    """Who (rows) reaches whom (columns, by number)."""
    names = [topology.vantage, *inventory.servers]
    states = {(edge.observer, edge.target): edge.state for edge in topology.edges}
    width, digits = max(map(len, names)), len(str(len(names)))
    lines = [" " * (width + digits + 2) + "".join(f"{number:>{digits + 1}}" for number in range(1, len(names)))]
    for number, row in enumerate(names):
        cells = "".join(f"{_cell(row, column, states):>{digits + 1}}" for column in names[1:])
        lines.append(f"{number:>{digits}} {safe_text(row):<{width}} {cells}")
    lines.append("· open   > only this way   r refused   X no answer   (blank: not tried)")
    return "\n".join(lines) + "\n"


def _cell(row: str, column: str, states: Mapping[tuple[str, str], LinkState]) -> str:
    if row == column:
        return "\\"
    state = states.get((row, column))
    return " " if state is None else _LINKS[state]


def _drawn(topology: Topology) -> Iterator[tuple[str, str, LinkState]]:
    """Links worth a line: each pair once where both ways are open, else each way."""
    states = {(edge.observer, edge.target): edge.state for edge in topology.edges}
    for (start, end), state in states.items():
        both = states.get((end, start))
        if state is LinkState.OK and both is LinkState.OK and start > end:
            continue
        yield start, end, state


def dot(topology: Topology, inventory: Inventory) -> str:
    shapes = {State.UP: "ellipse", State.DEGRADED: "triangle", State.SUSPECT: "diamond", State.DOWN: "box"}
    lines = ["digraph topology {", "  rankdir=LR;", f"  {_quoted(topology.vantage)} [shape=house];"]
    for site, racks in places(inventory).items():
        lines.append(f"  subgraph {_quoted(f'cluster_{site}')} {{ label={_quoted(site or 'no site')};")
        for name in _flat(racks):
            state = topology.state_of(name)
            label = _quoted(_signed(topology, name))
            shape = shapes.get(state, "hexagon")
            lines.append(f"    {_quoted(name)} [label={label}, shape={shape}, color={_quoted(_COLOURS[state])}];")
        lines.append("  }")
    for start, end, link in _drawn(topology):
        dress = "dir=none" if link is LinkState.OK else f"label={_quoted(link.value)}, style=dashed, color=red"
        lines.append(f"  {_quoted(start)} -> {_quoted(end)} [{dress}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + safe_text(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def mermaid(topology: Topology, inventory: Inventory) -> str:
    number = {name: f"s{at}" for at, name in enumerate([topology.vantage, *inventory.servers])}
    lines = ["flowchart LR", f"  {number[topology.vantage]}[/{_entity(topology.vantage)}/]"]
    for site, racks in places(inventory).items():
        lines.append(f"  subgraph {_entity(site or 'no site')}")
        lines += [f"    {number[name]}({_entity(_signed(topology, name))})" for name in _flat(racks)]
        lines.append("  end")
    for start, end, state in _drawn(topology):
        if start in number and end in number:
            arrow = "---" if state is LinkState.OK else f"-. {state.value} .->"
            lines.append(f"  {number[start]} {arrow} {number[end]}")
    return "\n".join(lines) + "\n"


def _entity(text: str) -> str:
    return (
        '"' + "".join(sign if sign.isalnum() or sign in " .-_:●▲◆◐◫✖○,@()" else f"#{ord(sign)};" for sign in text) + '"'
    )


def graphml(topology: Topology, inventory: Inventory) -> str:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        '<key id="state" for="node" attr.name="state" attr.type="string"/>',
        '<key id="link" for="edge" attr.name="link" attr.type="string"/>',
        '<graph id="topology" edgedefault="directed">',
        f'<node id="{_xml(topology.vantage)}"><data key="state">vantage</data></node>',
    ]
    known = {topology.vantage, *inventory.servers}
    lines += [
        f'<node id="{_xml(name)}"><data key="state">{topology.state_of(name).value}</data></node>'
        for name in inventory.servers
    ]
    for edge in topology.edges:
        if edge.observer in known and edge.target in known:
            ends = f'source="{_xml(edge.observer)}" target="{_xml(edge.target)}"'
            lines.append(f'<edge {ends}><data key="link">{edge.state.value}</data></edge>')
    return "\n".join([*lines, "</graph>", "</graphml>"]) + "\n"


def _xml(text: str) -> str:
    return html.escape(safe_text(text), quote=True)


_CARD, _HIGH, _GAP, _ACROSS, _MARGIN = 190, 46, 12, 4, 32
"""Of the SVG, in its own units: width and height of a server's card, gaps, cards in a row, margin."""


def svg(topology: Topology, inventory: Inventory) -> str:
    """A drawing for the wall: a box per site and rack, a card per server, its state by shape, word and colour."""
    pieces: list[str] = []
    down = 96
    for site, racks in places(inventory).items():
        box, high = _site(topology, inventory, site, racks, down)
        pieces += box
        down += high + 24
    closed, high = _closed(topology, down)
    pieces += closed
    down += high
    wide = _MARGIN * 2 + _ACROSS * (_CARD + _GAP) + _GAP * 3
    frozen = f"nothing is decided: {topology.frozen}" if topology.frozen else ""
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {down + 40}" role="img" '
        'font-family="system-ui, sans-serif">',
        f"<title>Topology as {_xml(topology.vantage)} sees it</title>",
        f'<rect width="{wide}" height="{down + 40}" fill="#fbfaf7"/>',
        _text(_MARGIN, 48, "Topology", 28, "#1d2430", "700"),
        _text(_MARGIN, 72, f"{_sums(topology, inventory)} · seen from {topology.vantage}", 13, "#5b6472"),
        _text(_MARGIN, 90, frozen, 13, "#c0392b", "600"),
    ]
    return "\n".join([*head, *pieces, _legend(down + 12), "</svg>"]) + "\n"


_MOST_CLOSED = 20
"""Links that are not open, before the rest is counted."""


def _closed(topology: Topology, top: int) -> tuple[list[str], int]:
    """The ways that are not open, as lines of text: among hundreds of cards no one could follow a stroke."""
    odd = [edge for edge in topology.edges if edge.state is not LinkState.OK]
    lines = [f"{edge.observer} → {edge.target}: {edge.state.value}" for edge in odd[:_MOST_CLOSED]]
    lines += [f"and {len(odd) - _MOST_CLOSED} more"] if len(odd) > _MOST_CLOSED else []
    if not lines:
        return [], 0
    head = _text(_MARGIN, top + 10, "Links that are not open", 15, "#1d2430", "600")
    rows = [_text(_MARGIN + _GAP, top + 32 + 17 * at, words, 12, "#c0392b") for at, words in enumerate(lines)]
    return [head, *rows], 44 + 17 * len(lines)


def _sums(topology: Topology, inventory: Inventory) -> str:
    states = [topology.state_of(name) for name in inventory.servers]
    return ", ".join(f"{states.count(state)} {state.value}" for state in SIGNS if state in states)


def _site(
    topology: Topology, inventory: Inventory, site: str, racks: Mapping[str, Sequence[str]], top: int
) -> tuple[list[str], int]:
    pieces, down = [], top + 36
    for rack, names in racks.items():
        if rack:
            pieces.append(_text(_MARGIN + _GAP * 2, down + 12, f"rack {rack}", 12, "#5b6472", "600"))
            down += 20
        for at, name in enumerate(names):
            across, row = at % _ACROSS, at // _ACROSS
            x = _MARGIN + _GAP * 2 + across * (_CARD + _GAP)
            pieces += _card(topology, inventory, name, x, down + row * (_HIGH + _GAP))
        down += -(-len(names) // _ACROSS) * (_HIGH + _GAP) + 6
    high = down - top + 4
    wide = _ACROSS * (_CARD + _GAP) + _GAP * 3
    frame = f'<rect x="{_MARGIN}" y="{top}" width="{wide}" height="{high}" rx="10" fill="#fff" stroke="#d5d9e0"/>'
    title = _text(_MARGIN + _GAP * 2, top + 24, f"site {site}" if site else "no site", 15, "#1d2430", "600")
    return [frame, title, *pieces], high


def _card(topology: Topology, inventory: Inventory, name: str, x: int, y: int) -> list[str]:
    state = topology.state_of(name)
    planned = topology.planned_of(name)
    dash = ' stroke-dasharray="5 3"' if planned is not None else ""
    pools = " ".join(pool.name for pool in inventory.pools_of(name))
    words = f"{state.value}{f', {planned.what.value}' if planned is not None else ''}{f' · {pools}' if pools else ''}"
    return [
        f'<g><title>{_xml(_label(topology, name))}</title><rect x="{x}" y="{y}" width="{_CARD}" height="{_HIGH}" '
        f'rx="7" fill="{_COLOURS[state]}14" stroke="{_COLOURS[state]}"{dash}/>',
        _shape(state, x + 20, y + _HIGH // 2),
        _text(x + 38, y + 20, _short(name, 20), 13, "#1d2430", "600"),
        _text(x + 38, y + 36, _short(words, 23), 11, "#5b6472") + "</g>",
    ]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _shape(state: State, x: int, y: int) -> str:
    """Each state has a shape of its own: the colour says nothing that it does not."""
    colour = _COLOURS[state]
    points = {
        State.DEGRADED: f"{x},{y - 9} {x + 9},{y + 7} {x - 9},{y + 7}",
        State.SUSPECT: f"{x},{y - 9} {x + 9},{y} {x},{y + 9} {x - 9},{y}",
        State.DOWN: f"{x - 8},{y - 8} {x + 8},{y - 8} {x + 8},{y + 8} {x - 8},{y + 8}",
        State.PARTITIONED: f"{x - 9},{y} {x - 4},{y - 8} {x + 4},{y - 8} {x + 9},{y} {x + 4},{y + 8} {x - 4},{y + 8}",
        State.UNREACHABLE: f"{x - 8},{y - 8} {x + 8},{y} {x - 8},{y + 8}",
    }
    if state in points:
        return f'<polygon points="{points[state]}" fill="{colour}"/>'
    fill = colour if state is State.UP else "none"
    return f'<circle cx="{x}" cy="{y}" r="8" fill="{fill}" stroke="{colour}" stroke-width="2"/>'


def _legend(y: int) -> str:
    pieces = []
    for at, state in enumerate(SIGNS):
        x = _MARGIN + 10 + at * 118
        pieces += [_shape(state, x, y), _text(x + 14, y + 4, state.value, 11, "#5b6472")]
    return "".join(pieces)


def _text(x: int, y: int, words: str, size: int, colour: str, weight: str = "400") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}">{_xml(words)}</text>'


def page(topology: Topology, inventory: Inventory) -> str:
    """The drawing and a table, as one page that needs nothing else."""
    rows = "".join(
        f"<tr><td>{_xml(name)}</td><td>{SIGNS[topology.state_of(name)]} {_xml(_label(topology, name))}</td>"
        f"<td>{_xml(topology.verdicts[name].reason if name in topology.verdicts else '')}</td></tr>"
        for name in inventory.servers
    )
    style = "body{font-family:system-ui,sans-serif;margin:2rem;background:#fbfaf7}"
    style += "td,th{padding:.3rem .8rem;text-align:left}"
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Topology</title><style>{style}</style>\n'
        f"{svg(topology, inventory)}<table><tr><th>server</th><th>state</th><th>why</th></tr>{rows}</table></html>\n"
    )


def prometheus(topology: Topology, inventory: Inventory) -> str:
    """For the node exporter's textfile collector: one line per server and state."""
    lines = [
        "# HELP multiall_server_state 1 for the state that the server is held to be in",
        _GAUGE.format("server_state"),
    ]
    for name in inventory.servers:
        held = topology.state_of(name)
        lines += [
            f"multiall_server_state{{server={_quoted(name)},state={_quoted(state.value)}}} {int(state is held)}"
            for state in State
        ]
    lines += ["# HELP multiall_server_planned 1 where an operator's word holds", _GAUGE.format("server_planned")]
    for name in inventory.servers:
        planned = topology.planned_of(name)
        if planned is not None:
            lines.append(f"multiall_server_planned{{server={_quoted(name)},what={_quoted(planned.what.value)}}} 1")
    lines += ["# HELP multiall_pool_serving members that can be given work", _GAUGE.format("pool_serving")]
    lines += [f"multiall_pool_serving{{pool={_quoted(each)}}} {len(held)}" for each, held in topology.serving.items()]
    lines += ["# HELP multiall_pool_members members in all", _GAUGE.format("pool_members")]
    for pool in inventory.pools.values():
        lines.append(f"multiall_pool_members{{pool={_quoted(pool.name)}}} {len(pool.members)}")
    lines += [
        "# HELP multiall_topology_frozen 1 while nothing is decided, since the admin host seems to be cut off",
        _GAUGE.format("topology_frozen"),
        f"multiall_topology_frozen {int(bool(topology.frozen))}",
        "# HELP multiall_topology_seen_seconds when the newest sample was taken",
        _GAUGE.format("topology_seen_seconds"),
        f"multiall_topology_seen_seconds {max((edge.at for edge in topology.edges), default=0.0):.3f}",
    ]
    return "\n".join(lines) + "\n"


_GAUGE = "# TYPE multiall_{} gauge"

DRAWINGS: Mapping[str, Callable[[Topology, Inventory], str]] = {
    "tree": tree, "matrix": matrix, "dot": dot, "mermaid": mermaid, "graphml": graphml, "svg": svg, "html": page,
    "prometheus": prometheus,
}  # fmt: skip
