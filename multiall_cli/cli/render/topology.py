"""The topology in words and tables."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from multiall_cli.cli.render.diagrams import DRAWINGS
from multiall_cli.cli.render.document import Line, line, table, word
from multiall_cli.cli.render.result import Case, View
from multiall_cli.cli.render.text import count, safe_text
from multiall_cli.cli.render.times import moment, span
from multiall_cli.domain.baseline import Code
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.discovery import Discovery
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Inventory
from multiall_cli.domain.publication import Verified
from multiall_cli.domain.topology import Downtime, Event, LinkState, Round, State, Topology, Verdict
from multiall_cli.planning.neighbours import outward, way
from multiall_cli.planning.targets import fold

RULES = {
    "lag": "a sample that was taken late says nothing",
    "first failure": "who was up and does not answer is suspect, and brothers are asked",
    "answered": "who answers is up",
    "powered": "who shows life is not down, whatever else is wrong",
    "window": "a suspect is down once its window has passed and enough others deny it; "
    "unreachable where a brother reaches it",
    "isolation": "a vantage that lost much of what it saw suspects itself, and decides nothing",
    "recovery": "who was down is up after several good rounds, one of them a login",
    "group": "where all that share a label went down, that is the cause",
}
"""Rule → what it says."""

_ORDER = (
    State.DOWN,
    State.PARTITIONED,
    State.UNREACHABLE,
    State.SUSPECT,
    State.DEGRADED,
    State.UNKNOWN,
    State.UP,
)


def picture(topology: Topology, inventory: Inventory) -> View:
    return _of(topology, inventory, "topology.show", topology, ())


def round_(found: Round, inventory: Inventory) -> View:
    return _of(found.topology, inventory, "topology.scan", found, found.events, found)


def _of(
    topology: Topology,
    inventory: Inventory,
    schema: str,
    value: object,
    changes: Sequence[Event],
    scanned: Round | None = None,
) -> View:
    names = list(inventory.servers)
    odd = [name for name in names if not topology.as_declared(name)]

    def human(wide: bool) -> Iterator[object]:
        yield table(("server", "state", "since", "pools", "why"), _rows(topology, inventory, names))
        yield from _sums(topology, inventory, scanned)

    def urgent() -> Iterator[object]:
        for event in changes:
            yield line(moment(event.at), "  ", event.words)
        yield from _sums(topology, inventory, scanned)

    return View(
        schema,
        value,
        human,
        [topology.verdicts[name] for name in names if name in topology.verdicts],
        odd or names,
        [Case(topology.state_of(name).value, name, _fault(topology, name)) for name in names],
        exit=_exit(scanned, odd),
        well=not changes and not (odd and scanned is None) and not list(unpublished(scanned)),
        urgent=urgent,
        drawings={form: lambda draw=draw: draw(topology, inventory) for form, draw in DRAWINGS.items()},  # type: ignore[misc]
    )


def _exit(scanned: Round | None, odd: Sequence[str]) -> Exit:
    if scanned is None:
        return Exit.OK
    if odd:
        return Exit.DIFFERENCES
    return Exit.PARTIAL if list(unpublished(scanned)) else Exit.OK


def _fault(topology: Topology, name: str) -> str:
    return "" if topology.as_declared(name) else f"{topology.state_of(name)}: {_why(topology, name)}"


def _rows(topology: Topology, inventory: Inventory, names: Sequence[str]) -> list[tuple[str, ...]]:
    ranked = sorted(names, key=lambda name: _ORDER.index(topology.state_of(name)))
    return [
        (
            name,
            state_words(topology, name),
            _since(topology.verdicts.get(name)),
            " ".join(pool.name for pool in inventory.pools_of(name)),
            _why(topology, name),
        )
        for name in ranked
    ]


def state_words(topology: Topology, name: str) -> str:
    """The state with what lies over it: `down, maintenance`."""
    verdict, planned = topology.verdicts.get(name), topology.planned_of(name)
    words = [topology.state_of(name).value]
    if planned is not None:
        words.append(planned.what.value)
    code = topology.health_of(name)
    if code is not None and code.is_problem and code is not Code.STALE:
        words.append(f"{code.value} {code.word}")
    if verdict is not None and verdict.flapping:
        words.append("flapping")
    if topology.frozen:
        words.append("frozen")
    if verdict is not None and verdict.since and topology.is_stale(name):
        words.append("stale")
    return ", ".join(words)


def _since(verdict: Verdict | None) -> str:
    return moment(verdict.since) if verdict is not None and verdict.since else "never seen"


def _why(topology: Topology, name: str) -> str:
    verdict, planned = topology.verdicts.get(name), topology.planned_of(name)
    words = [verdict.reason] if verdict is not None and verdict.reason else []
    if verdict is not None and verdict.cause:
        words.append(f"part of the loss of {verdict.cause.removeprefix('on=')}")
    if name in topology.relays:
        words.append(f"go through {topology.relays[name]}")
    if planned is not None:
        words.append(f"{planned.because} ({planned.who}, until {moment(planned.ends)})")
    return "; ".join(words)


def _sums(topology: Topology, inventory: Inventory, scanned: Round | None) -> Iterator[Line]:
    names = list(inventory.servers)
    yield from (line(words) for words in unpublished(scanned))
    if topology.frozen:
        yield line(word("warning"), f": {topology.frozen}")
    parts = [group for group in topology.components if any(name in topology.verdicts for name in group)]
    if len(parts) > 1:
        yield line(f"{len(parts)} parts that do not reach each other: " + " | ".join(_few(group) for group in parts))
    if topology.hinges:
        yield line(f"others hang on {', '.join(topology.hinges)} alone")
    for pool, serving in topology.serving.items():
        members = inventory.pools[pool].members
        if len(serving) < len(members):
            yield line(f"pool {pool}: {len(serving)} of {count(len(members), 'member')} can be given work")
    states = Counter(topology.state_of(name) for name in names)
    sums = ", ".join(f"{states[state]} {state.value}" for state in _ORDER if states[state])
    told = f"; {count(scanned.samples, 'sample')} in {scanned.took:.1f} s" if scanned else ""
    bound = f"; a loss is known {span(math.ceil(scanned.bound))} after the first scan that meets it" if scanned else ""
    yield line(f"{count(len(names), 'server')}: {sums}{told}{bound}", style="bold")


def unpublished(scanned: Round | None) -> Iterator[str]:
    """Who could not be given the picture, and why."""
    published = scanned.published if scanned else None
    if published is not None and published.missed:
        same: dict[str, list[str]] = {}
        for name, why in published.missed.items():
            same.setdefault(why, []).append(name)
        those = "; ".join(f"{fold(names)}: {safe_text(why)}" for why, names in list(same.items())[:5])
        yield f"{count(len(published.missed), 'server')} could not be given the topology: {those}"


def _few(group: Sequence[str]) -> str:
    return ", ".join(group[:5]) + (f" and {len(group) - 5} more" if len(group) > 5 else "")


def links(topology: Topology) -> View:
    odd = [edge for edge in topology.edges if edge.state is not LinkState.OK]

    def human(wide: bool) -> Iterator[object]:
        shown = topology.edges if wide else odd
        rows = [
            (
                edge.observer,
                edge.target,
                edge.state.value,
                f"{edge.rtt * 1000:.1f} ms" if edge.rtt is not None else "",
                moment(edge.at),
            )
            for edge in shown
        ]
        if rows:
            yield table(("from", "to", "link", "took", "seen"), rows)
        more = "" if wide or not odd else "; -o wide shows all"
        yield line(f"{count(len(topology.edges), 'link')}, {len(odd)} not open both ways{more}", style="bold")

    names = [f"{edge.observer} {edge.target}" for edge in odd]
    return View("topology.links", {"links": topology.edges}, human, topology.edges, names, well=not odd)


def why(topology: Topology, server: str, told: Sequence[Event]) -> View:
    verdict = topology.verdicts.get(server) or Verdict(server)
    newest = next((event for event in told if event.server == server and event.after == verdict.state), None)

    def human(wide: bool) -> Iterator[object]:
        yield line(f"{server} is {state_words(topology, server)}", style="bold")
        if verdict.since:
            ago = span(max(0.0, topology.at - verdict.since))
            yield line(f"since {moment(verdict.since)} ({ago})" + (f": {verdict.reason}" if verdict.reason else ""))
        if verdict.rule:
            yield line(f"rule {verdict.rule}: {RULES.get(verdict.rule, '')}")
        if verdict.cause:
            yield line(f"cause: the loss of {verdict.cause.removeprefix('on=')}")
        planned = topology.planned_of(server)
        if planned is not None:
            yield line(f"{planned.what.value} by {planned.who} until {moment(planned.ends)}: {planned.because}")
        if server in topology.relays:
            yield line(f"it can be reached through {topology.relays[server]}")
        if newest is not None and newest.evidence:
            yield line("what was known when it was decided:")
            yield from (line(f"  {moment(each.at)}  {each}") for each in newest.evidence)
        if verdict.evidence:
            yield line("the newest that is known:")
            yield from (line(f"  {moment(each.at)}  {each}") for each in verdict.evidence)
        if not verdict.evidence and not verdict.since:
            yield line("it was never looked at: `multiall topology scan`")

    value = {"verdict": verdict, "planned": topology.planned_of(server), "decided_by": newest}
    return View("topology.why", value, human, [verdict], [server], well=False)


def path(topology: Topology, start: str, end: str) -> View:
    steps = way(outward(topology.edges), start, end)

    def human(wide: bool) -> Iterator[object]:
        if steps:
            yield line(" → ".join(steps))
        else:
            yield line(f"no way from {start} to {end} was seen; `multiall topology scan --links` looks for one")

    code = Exit.OK if steps else Exit.DIFFERENCES
    return View("topology.path", {"steps": steps}, human, steps, steps, exit=code, well=bool(steps))


def change(event: Event) -> View:
    """An event as it comes, for who watches."""
    words = line(moment(event.at), "  ", event.words)
    return View("topology.event", event, lambda wide: [words], [event], [event.server], well=False)


def events(told: Sequence[Event]) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [
            (moment(each.at), each.server or "(all)", f"{each.before} → {each.after}", each.rule, each.words)
            for each in told
        ]
        yield table(("when", "server", "what", "rule", "words"), rows) if rows else "nothing has changed so far"

    return View("topology.events", {"events": told}, human, told, [each.server for each in told], well=not told)


@dataclass(frozen=True, slots=True)
class Spell:
    """How long a server was held to be in one state; `until` None: it still is."""

    state: str
    since: float
    until: float | None
    words: str


def history(told: Sequence[Event], server: str, now: float) -> View:
    """The states of one server, newest first, and the share of the time in each."""
    own = [event for event in told if event.server == server and event.before != event.after]
    ends: list[float | None] = [None, *(event.at for event in own)]
    spells = [Spell(event.after, event.at, end, event.words) for event, end in zip(own, ends, strict=False)]
    spent: Counter[str] = Counter()
    for each in spells:
        spent[each.state] += int(1000 * ((now if each.until is None else each.until) - each.since))

    def human(wide: bool) -> Iterator[object]:
        if not spells:
            yield f"{server}: nothing has changed so far"
            return
        rows = [(each.state, moment(each.since), span((each.until or now) - each.since), each.words) for each in spells]
        yield table(("state", "since", "for", "words"), rows)
        whole = max(sum(spent.values()), 1)
        shares = ", ".join(f"{state} {100 * part / whole:.2f} %" for state, part in spent.most_common())
        yield line(f"{server}: {shares}", style="bold")

    value = {"server": server, "spells": spells}
    return View("topology.history", value, human, spells, [each.state for each in spells], well=False)


def discovery(found: Discovery) -> View:
    """As lines that can be put into a file of inventory/ as they are."""

    def human(wide: bool) -> Iterator[object]:
        if found.neighbours:
            yield line("servers:" if any(each.answers for each in found.neighbours.values()) else "servers: {}")
        for name, each in found.neighbours.items():
            speaks = "" if each.answers else ", no SSH"
            seen = _few(each.seen_by)
            off = "" if each.answers else "# "  # what speaks no SSH is a router or a printer, and no server of ours
            yield line(f"  {off}{name}: {{address: '{each.address}'}}  # {', '.join(each.how)} of {seen}{speaks}")
        for server, why in found.not_asked.items():
            yield line(f"# {server} was not asked: {why}")
        neighbours = count(len(found.neighbours), "neighbour")
        yield line(f"# {neighbours} that nobody declared, known to {count(len(found.asked), 'server')}", style="bold")

    code = Exit.PARTIAL if found.not_asked else Exit.OK
    names = list(found.neighbours)
    well = not names and not found.not_asked
    return View("topology.discovery", found, human, list(found.neighbours.values()), names, exit=code, well=well)


def verified(found: Verified, key: str) -> View:
    def human(wide: bool) -> Iterator[object]:
        if found.holds:
            yield line(f"it is ours, of {moment(found.at)} by {found.vantage}, and holds until {moment(found.expires)}")
        else:
            yield line(f"not to be trusted: {found.why} (it is of {moment(found.at)})")
        yield line(f"this site's key: {key}")

    code = Exit.OK if found.holds else Exit.DIFFERENCES
    return View("topology.verified", found, human, [found], [key], exit=code, well=found.holds)


def promised(told: Sequence[Downtime]) -> View:
    return _planned("topology.planned", told, "nothing was said")


def withdrawn(told: Sequence[Downtime], still: Sequence[Downtime]) -> View:
    """What was ended, and what holds all the same: windows of the inventory, and words on what a server hangs on."""
    return _planned("topology.withdrawn", told, "nothing had been said of them", ended=True, still=still)


def _planned(
    schema: str, told: Sequence[Downtime], nothing: str, *, ended: bool = False, still: Sequence[Downtime] = ()
) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in told:
            begins = f"from {moment(each.begins)} " if each.begins else ""
            until = "ended" if ended else f"{begins}until {moment(each.ends)}"
            yield line(f"{each.server}: {each.what.value} {until} ({each.because})")
        if not told:
            yield nothing
        for each in still:
            what = f"{each.what.value} holds until {moment(each.ends)} all the same"
            yield line(f"{each.server}: {what}: {each.because} (said by {each.who})")

    return View(schema, {"planned": told, "still": still}, human, told, [each.server for each in told], well=False)


@dataclass(frozen=True, slots=True)
class Then:
    """What was held of a server at a moment of the past."""

    server: str
    state: str
    since: float
    words: str


def _then(server: str, newest: Event | None) -> Then:
    if newest is None:
        return Then(server, State.UNKNOWN.value, 0.0, "")
    return Then(server, newest.after, newest.at, newest.words)


def then(told: Sequence[Event], inventory: Inventory, at: float) -> View:
    """The events up to a moment, played again."""
    newest: dict[str, Event] = {}
    for event in told:  # the newest come first
        newest.setdefault(event.server, event)
    held = [_then(name, newest.get(name)) for name in inventory.servers]

    def human(wide: bool) -> Iterator[object]:
        rows = [
            (each.server, each.state, moment(each.since) if each.since else "never seen", each.words) for each in held
        ]
        yield table(("server", "state", "since", "words"), rows)
        yield line(f"as it was held to be at {moment(at)}", style="bold")

    return View("topology.at", {"at": at, "servers": held}, human, held, [each.server for each in held], well=False)
