"""Zones, their plans and reports, for people and for programs."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multiall_cli.cli.options import Given
from multiall_cli.cli.render.document import Line, console, line, say, table, word
from multiall_cli.cli.render.pools import change_line
from multiall_cli.cli.render.result import Case, View
from multiall_cli.cli.render.text import count
from multiall_cli.cli.render.times import moment
from multiall_cli.domain.answer import Finding, Severity
from multiall_cli.domain.exits import Exit, worst
from multiall_cli.domain.records import (
    Decision,
    ExplainedName,
    Membership,
    MembershipDecision,
    RetiredRecord,
    RRset,
    RRsetKey,
    ServerZoneStatus,
    ZonePlan,
    ZoneReport,
    ZoneStatus,
    key_of,
)
from multiall_cli.domain.run import Run

if TYPE_CHECKING:
    from multiall_cli.planning.zones.import_suggestions import ImportSuggestion

MOST = 20  # changes of one zone in a table; -o wide shows all
_STATES = {Membership.IN: "in", Membership.OUT: "out", Membership.HOLD: "as it is"}


def _of(rrset: RRset | None) -> str:
    return ", ".join(rrset.values) if rrset and rrset.values else "nothing"


# --- plans and reports ----------------------------------------------------------------------------------------------


def plans(found: Sequence[ZoneReport]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in found:
            yield from plan_lines(each, wide=wide)

    cases = [case for each in found for case in _cases(each)]
    code = worst(each.exit for each in found)
    names = [change.key for each in found for change in each.plan.changes]
    well = all(_is_well(each) for each in found)
    return View("dns.plan", {"zones": found}, human, found, names, cases, code, well=well)


def _is_well(report: ZoneReport) -> bool:
    plan = report.plan
    late = any(each.trouble for each in report.servers)
    return not (plan.changes or plan.conflicts or plan.notes or report.stopped or report.refused or late)


def plan_lines(report: ZoneReport, *, wide: bool) -> Iterator[object]:
    plan = report.plan
    if plan.changes:
        words = f", plan {plan.id}" if plan.id else ""
        yield line(f"{plan.zone.shown}: {count(len(plan.changes), 'change')}{words}", style="bold")
    shown = plan.changes if wide else plan.changes[:MOST]
    for change in shown:
        yield change_line(change)
    if len(shown) < len(plan.changes):
        yield line(f"  … and {len(plan.changes) - len(shown)} more (-o wide shows all)", style="dim")
    yield from _trouble(report)
    if not plan.changes and not report.stopped:
        yield _unchanged(plan)


def _unchanged(plan: ZonePlan) -> str:
    what = "nothing to change" if plan.conflicts or plan.notes else "as wanted"
    return f"{plan.zone.shown}: {what}, {count(plan.ours, 'name')} of ours (serial {plan.serial})"


def _trouble(report: ZoneReport) -> Iterator[object]:
    plan = report.plan
    if report.brake:
        yield line(f"{plan.zone.shown}: ", word("warning"), f" {report.brake}")
    for note in plan.notes:
        yield line(f"{plan.zone.shown}: ", word("warning"), f" {note}")
    for each in plan.conflicts:
        yield line(f"{plan.zone.shown}: ", word("conflict"), f" {each}")
    for each in report.refused:
        yield line(f"{plan.zone.shown}: ", word("failed"), f" {each}")
    yield from (_served_line(plan.zone.shown, each) for each in report.servers if each.trouble)
    if report.stopped:
        todo = f"; {report.todo}" if report.todo else ""
        yield line(f"{plan.zone.shown}: ", word("problem"), f" {report.stopped}{todo}")


def _cases(report: ZoneReport) -> Iterator[Case]:
    plan = report.plan
    if report.stopped:
        yield Case(plan.zone.shown, "zone", report.stopped)
    for change in plan.changes:
        words = f"is {_of(change.before)}, and is to be {_of(change.after)}"
        yield Case(plan.zone.shown, change.key, "" if report.changed else words)
    for each in (*plan.conflicts, *report.refused):
        yield Case(plan.zone.shown, each.subject, str(each))
    if not (plan.changes or plan.conflicts or report.stopped):
        yield Case(plan.zone.shown, "zone")


def reports(found: Sequence[ZoneReport]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in found:
            yield from report_lines(each, wide=wide)

    cases = [case for each in found for case in _cases(each)]
    names = [change.key for each in found if each.changed for change in each.plan.changes]
    code = worst(each.exit for each in found)
    well = all(_is_well(each) for each in found)
    return View("dns.sync", {"zones": found}, human, found, names, cases, code, well=well)


def report_lines(report: ZoneReport, *, wide: bool) -> Iterator[object]:
    plan = report.plan
    if report.changed:
        shown = plan.changes if wide else plan.changes[:MOST]
        for change in shown:
            yield change_line(change)
        if len(shown) < len(plan.changes):
            yield line(f"  … and {len(plan.changes) - len(shown)} more (-o wide shows all)", style="dim")
        yield line(
            f"{plan.zone.shown}: ",
            word("done"),
            f" {count(report.changed, 'change')}{_spread(report.servers)} (run {report.run})",
        )
        if report.until:
            yield f"{plan.zone.shown}: clients may still use what was taken out until {moment(report.until)}"
    yield from _trouble(report)
    if not plan.changes and not report.stopped:
        yield _unchanged(plan)


def _spread(servers: Sequence[ServerZoneStatus]) -> str:
    lags = [each.lag for each in servers if each.lag is not None and not each.trouble]
    if not lags:
        return ""
    return f", on {len(lags)} of {count(len(servers), 'server')} after {max(lags) * 1000:.0f} ms"


def _served_line(zone: str, served: ServerZoneStatus) -> Line:
    todo = f"; {served.todo}" if served.todo else ""
    return line(f"{zone}: ", word("problem"), f" {served.server} {served.trouble}{todo}")


def amiss(found: Sequence[ZoneReport]) -> list[str]:
    """What is not as it should be, in words: for who watches, and is told of a change only."""
    return [
        words
        for each in found
        for words in (
            each.stopped,
            *each.plan.notes,
            *map(str, (*each.plan.conflicts, *each.refused)),
            *(_words(s) for s in each.servers),
        )
        if words
    ]


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
            yield from _trouble(report)

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
    return key_of(each.claim.place), ttl, _of(there), ", ".join(standing.server for standing in gone), why


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
        yield f"  is to give {_of(each.decision.wanted) if each.decision.wanted else 'what it gives now'}"
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
    cases = [Case(each.zone.shown, served.server, _words(served)) for each in found for served in each.servers]
    code = Exit.PARTIAL if ill else Exit.OK
    names = [each.zone.shown for each in found]
    return View("dns.status", {"zones": found}, human, found, names, cases, code, well=not ill)


def _status_row(status: ZoneStatus, served: ServerZoneStatus) -> tuple[str, ...]:
    serial = "" if served.serial is None else str(served.serial)
    return status.zone.shown, served.server, serial, _words(served) or "ok"


def _words(served: ServerZoneStatus) -> str:
    return "; ".join(filter(None, (served.trouble, served.todo)))


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
            yield from (_served_line(report.plan.zone.shown, each) for each in served)

    value = [{"plan": report, "servers": served} for report, served in found]
    differs = any(report.plan.changes or report.plan.conflicts or served for report, served in found)
    code = Exit.DIFFERENCES if differs else worst(report.exit for report, _ in found)
    cases = [case for report, _ in found for case in _cases(report)]
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
                each.scope.name,
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


def show_before_asking(found: ZonePlan) -> None:
    """On stderr, where the question follows."""
    from multiall_cli.cli.render.rich_output import put

    screen = console(sys.stderr)
    for each in plan_lines(ZoneReport(found), wide=False):
        put(screen, each)
