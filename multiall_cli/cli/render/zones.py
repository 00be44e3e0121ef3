"""Zones: their names, servers, history, for people and for programs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multiall_cli.cli.options import Given
from multiall_cli.cli.render.document import line, say, table, word
from multiall_cli.cli.render.result import Case, View
from multiall_cli.cli.render.times import moment
from multiall_cli.cli.render.zone_plans import cases_of, plan_lines, served_line, trouble_lines, values_of, words_of
from multiall_cli.domain.answer import Finding, Severity
from multiall_cli.domain.exits import Exit, worst
from multiall_cli.domain.records import (
    Decision,
    ExplainedName,
    Membership,
    MembershipDecision,
    RetiredRecord,
    RRsetKey,
    ServerZoneStatus,
    ZoneReport,
    ZoneStatus,
    key_of,
)
from multiall_cli.domain.run import Run
from multiall_cli.domain.scope import ScopeKind

if TYPE_CHECKING:
    from multiall_cli.agents.zones.import_suggestions import ImportSuggestion

_STATES = {Membership.IN: "in", Membership.OUT: "out", Membership.HOLD: "as it is"}


# --- names ----------------------------------------------------------------------------------------------------------


def names(found: Sequence[ZoneReport]) -> View:
    """What each name gives now, and who is out of it."""

    def human(wide: bool) -> Iterator[object]:
        rows = [_row(each) for report in found for each in report.plan.decisions if wide or each.claim.follows]
        if rows:
            yield table(("name", "ttl", "gives", "out", "because"), rows)
        elif not any(report.stopped or report.plan.conflicts for report in found):
            yield "no name is declared"
        for report in found:
            yield from trouble_lines(report)

    decisions = [each for report in found for each in report.plan.decisions]
    code = worst(Exit.OK if each.exit in (Exit.DIFFERENCES, Exit.REFUSED) else each.exit for each in found)
    keys = [key_of(each.claim.place) for each in decisions]
    return View("dns.show", {"names": decisions}, human, decisions, keys, exit=code, well=False)


def _row(each: Decision) -> tuple[str, ...]:
    there = each.there
    given = there.values if there else ()
    gone = [standing for standing in each.standings if each.claim.values[standing.server] not in given]
    why = "; ".join(dict.fromkeys(standing.why for standing in gone))
    ttl = str(there.ttl) if there else ""
    return key_of(each.claim.place), ttl, values_of(there), ", ".join(standing.server for standing in gone), why


def explained(found: Sequence[ExplainedName]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in found:
            yield line(f"{key_of(each.place)}, in {each.zone.shown}", style="bold")
            yield from _told(each)

    keys = [key_of(each.place) for each in found]
    return View("dns.explain", {"records": found}, human, found, keys, well=False)


def _told(each: ExplainedName) -> Iterator[object]:
    yield f"  gives {each.there.brief() if each.there else 'nothing'}"
    yield line("  mark: ", each.marker or "none, so it is not ours")
    if each.claim is None:
        yield "  nothing declares it" + (": the next sync takes it out" if each.marker and not each.conflict else "")
    else:
        claim = each.claim
        yield line(f"  declared by pool {claim.pool} at {claim.origin}, ttl {claim.ttl}")
        if claim.follows:
            yield line(f"  floor: at least {claim.at_least} of {len(claim.values)}, else {claim.on_floor.value}")
    if each.decision is not None:
        for standing in each.decision.standings:
            value = each.decision.claim.values[standing.server]
            yield line(f"  {standing.server} ({value}): ", word(_STATES[standing.stand]), f", because {standing.why}")
        yield from (line(f"  {words}") for words in each.decision.notes)
        yield f"  is to give {values_of(each.decision.wanted) if each.decision.wanted else 'what it gives now'}"
    if each.conflict is not None:
        yield line("  ", word("conflict"), f" {each.conflict.what}; {each.conflict.todo}")


# --- servers --------------------------------------------------------------------------------------------------------


def status(found: Sequence[ZoneStatus]) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [_status_row(each, served) for each in found for served in each.servers]
        yield table(("zone", "server", "serial", "state"), rows)
        for each in found:
            if each.last is not None:
                last = each.last
                yield f"{each.zone.shown}: last changed {moment(last.started)} by {last.who}, run {last.id}"
            if each.departures:
                yield from _left(each.departures, each.zone.shown)

    ill = [each for status in found for each in status.servers if each.trouble]
    cases = [Case(each.zone.shown, served.server, words_of(served)) for each in found for served in each.servers]
    code = Exit.PARTIAL if ill else Exit.OK
    names = [each.zone.shown for each in found]
    return View("dns.status", {"zones": found}, human, found, names, cases, code, well=not ill)


def _status_row(status: ZoneStatus, served: ServerZoneStatus) -> tuple[str, ...]:
    serial = "" if served.serial is None else str(served.serial)
    return status.zone.shown, served.server, serial, words_of(served) or "ok"


def _left(departures: Sequence[RetiredRecord], zone: str) -> Iterator[object]:
    last = max(departures, key=lambda each: each.until)
    values = ", ".join(sorted({each.value for each in departures}))
    yield line(f"{zone}: clients may still use {values} until {moment(last.until)}")


def still_given(given: Given, names: Sequence[tuple[RRsetKey, MembershipDecision]]) -> bool:
    """Says on stderr what is waited for before clients can let go; whether there is anything."""
    if names and not given.quiet:
        for each in _still_given(names):
            say(each)
    return bool(names)


def _still_given(names: Sequence[tuple[RRsetKey, MembershipDecision]]) -> Iterator[str]:
    for place, each in names:
        if each.stand is Membership.OUT:
            yield f"{key_of(place)} still gives {each.server} ({each.why}): `multiall dns sync` takes it out"
        else:
            todo = f"`multiall topology drain {each.server} --for 1h --because TEXT` first"
            yield f"{key_of(place)} gives {each.server}, which is not to leave ({each.why}): {todo}"


def waited(
    names: Sequence[tuple[RRsetKey, MembershipDecision]],
    departures: Sequence[RetiredRecord],
    until: float,
    late: Sequence[str],
) -> View:
    """What is left once a wait has ended; `until` 0: nothing was, from the beginning; `names`: those that still give a
    server; `late`: zones of which a server may give it still.
    """

    def human(wide: bool) -> Iterator[object]:
        yield from _still_given(names)
        if departures:
            yield from _left(departures, "dns")
            for zone in late:
                yield f"a name server of {zone} may still give it: look at `multiall dns status`, and sync again"
        elif not names:
            yield "no client holds what was taken out" + (f", since {moment(until)}" if until else "")

    code = Exit.PARTIAL if departures or names else Exit.OK
    given = [{"name": key_of(place), "server": each.server, "why": each.why} for place, each in names]
    value = {"given": given, "left": departures, "until": until, "late": late}
    return View("dns.wait", value, human, departures, exit=code, well=code is Exit.OK)


def drift(found: Sequence[tuple[ZoneReport, Sequence[ServerZoneStatus]]]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for report, served in found:
            yield from plan_lines(report, wide=wide)
            yield from (served_line(report.plan.zone.shown, each) for each in served)

    value = [{"plan": report, "servers": served} for report, served in found]
    differs = any(report.plan.changes or report.plan.conflicts or served for report, served in found)
    code = Exit.DIFFERENCES if differs else worst(report.exit for report, _ in found)
    cases = [case for report, _ in found for case in cases_of(report)]
    return View("dns.drift", {"zones": value}, human, value, [], cases, code, well=code is Exit.OK)


# --- the rest -------------------------------------------------------------------------------------------------------


def findings(found: Sequence[Finding], lines: Mapping[str, Sequence[str]], *, all_lines: bool) -> View:
    """Problems first; the lines of named.conf of those that have any."""
    order = [Severity.ILL, Severity.ODD, Severity.WELL]
    told = sorted(found, key=lambda each: order.index(each.health))

    def human(wide: bool) -> Iterator[object]:
        rows = [(each.subject, each.health.value, "; ".join(filter(None, (each.what, each.todo)))) for each in told]
        yield table(("zone and server", "state", "what"), rows)
        ill = {each.subject for each in found if each.health is not Severity.WELL}
        for server, text in lines.items():
            name, _, zone = server.partition(", for ")
            if all_lines or f"{zone} at {name}" in ill:
                yield line(f"named.conf of {server}:", style="bold")
                yield from (line(f"    {each}") for each in text)

    ill = [each for each in found if each.health is Severity.ILL]
    value = {"findings": told, "lines": lines}
    cases = [Case(each.subject, "dns", each.what if each.health is Severity.ILL else "") for each in found]
    well = all(each.health is Severity.WELL for each in found)
    code = Exit.PARTIAL if ill else Exit.OK
    return View("dns.doctor", value, human, told, [each.subject for each in ill], cases, code, well=well)


def proposed(found: "Sequence[ImportSuggestion]") -> View:
    """Lines for the inventory, as YAML."""
    from multiall_cli.fleet.sites import to_yaml

    def human(wide: bool) -> Iterator[object]:
        if not found:
            yield "no name of the zone leads only to members of a pool, or all that do are ours already"
            return
        yield from (line(each) for each in to_yaml(_as_inventory(found)).splitlines())
        yield line("# then: `multiall dns adopt NAME` for each, and `multiall dns plan`", style="dim")

    return View("dns.import", {"names": found}, human, found, [each.name for each in found], well=not found)


def _as_inventory(found: "Iterable[ImportSuggestion]") -> dict[str, Any]:
    pools: dict[str, Any] = {}
    for each in found:
        told: dict[str, Any] = {"zone": each.zone, "name": each.name, "ttl": each.ttl}
        if each.members:
            told["members"] = list(each.members)
        pools.setdefault(each.pool, {"dns": []})["dns"].append(told)
    return {"pools": pools}


def history(runs: Sequence[Run]) -> View:
    def human(wide: bool) -> Iterator[object]:
        rows = [
            (
                each.id,
                ", ".join(scope.name for scope in each.scopes if scope.kind is ScopeKind.ZONE),
                each.verb,
                f"{each.who}@{each.host}",
                moment(each.started),
                _code(each),
            )
            for each in runs
        ]
        yield table(("run", "zone", "verb", "by", "began", "ended"), rows) if rows else "no zone was changed so far"

    return View("dns.history", {"runs": runs}, human, runs, [each.id for each in runs], well=not runs)


def _code(run: Run) -> str:
    return "running or cut off" if run.result is None else f"{run.result.value} {run.result.name.lower()}"
