"""Plans and reports of zones, for people and for programs."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from multiall_cli.cli.render.document import Line, console, line, word
from multiall_cli.cli.render.pools import change_line
from multiall_cli.cli.render.result import Case, View
from multiall_cli.cli.render.text import count
from multiall_cli.cli.render.times import moment
from multiall_cli.domain.exits import worst
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.records import RRset, ServerZoneStatus, ZonePlan, ZoneReport

MOST = 20  # changes of one zone in a table; -o wide shows all


def values_of(rrset: RRset | None) -> str:
    return ", ".join(rrset.values) if rrset and rrset.values else "nothing"


def plans(found: Sequence[ZoneReport]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in found:
            yield from plan_lines(each, wide=wide)

    cases = [case for each in found for case in cases_of(each)]
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
    yield from trouble_lines(report)
    if not plan.changes and not report.stopped:
        yield _unchanged(plan)


def _unchanged(plan: ZonePlan) -> str:
    what = "nothing to change" if plan.conflicts or plan.notes else "as wanted"
    return f"{plan.zone.shown}: {what}, {count(plan.ours, 'name')} of ours (serial {plan.serial})"


def trouble_lines(report: ZoneReport) -> Iterator[object]:
    plan = report.plan
    if report.brake:
        yield line(f"{plan.zone.shown}: ", word("warning"), f" {report.brake}")
    for note in plan.notes:
        yield line(f"{plan.zone.shown}: ", word("warning"), f" {note}")
    for each in plan.conflicts:
        yield line(f"{plan.zone.shown}: ", word("conflict"), f" {each}")
    for each in report.refused:
        yield line(f"{plan.zone.shown}: ", word("failed"), f" {each}")
    yield from (served_line(plan.zone.shown, each) for each in report.servers if each.trouble)
    if report.stopped:
        todo = f"; {report.todo}" if report.todo else ""
        yield line(f"{plan.zone.shown}: ", word("problem"), f" {report.stopped}{todo}")


def cases_of(report: ZoneReport) -> Iterator[Case]:
    plan = report.plan
    if report.stopped:
        yield Case(plan.zone.shown, "zone", report.stopped)
    for change in plan.changes:
        words = f"is {values_of(change.before)}, and is to be {values_of(change.after)}"
        yield Case(plan.zone.shown, change.key, "" if report.changed else words)
    for each in (*plan.conflicts, *report.refused):
        yield Case(plan.zone.shown, each.subject, str(each))
    if not (plan.changes or plan.conflicts or report.stopped):
        yield Case(plan.zone.shown, "zone")


def reports(found: Sequence[ZoneReport]) -> View:
    def human(wide: bool) -> Iterator[object]:
        for each in found:
            yield from report_lines(each, wide=wide)

    cases = [case for each in found for case in cases_of(each)]
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
    yield from trouble_lines(report)
    if not plan.changes and not report.stopped:
        yield _unchanged(plan)


def _spread(servers: Sequence[ServerZoneStatus]) -> str:
    lags = [each.lag for each in servers if each.lag is not None and not each.trouble]
    if not lags:
        return ""
    return f", on {len(lags)} of {count(len(servers), 'server')} after {max(lags) * 1000:.0f} ms"


def served_line(zone: str, served: ServerZoneStatus) -> Line:
    todo = f"; {served.todo}" if served.todo else ""
    return line(f"{zone}: ", word("problem"), f" {served.server} {served.trouble}{todo}")


def words_of(served: ServerZoneStatus) -> str:
    return "; ".join(filter(None, (served.trouble, served.todo)))


def amiss(found: Sequence[ZoneReport]) -> list[str]:
    """What is not as it should be, in words: for who watches, and is told of a change only."""
    return [
        words
        for each in found
        for words in (
            each.stopped,
            *each.plan.notes,
            *map(str, (*each.plan.conflicts, *each.refused)),
            *(words_of(s) for s in each.servers),
        )
        if words
    ]


def show_before_asking(found: Plan) -> ZonePlan:
    """Show a zone's plan on stderr, where the question follows, and return it."""
    from multiall_cli.cli.render.rich_output import put

    screen = console(sys.stderr)
    shown = next(part.detail for part in found.parts if isinstance(part.detail, ZonePlan))
    for each in plan_lines(ZoneReport(replace(shown, id=found.id)), wide=False):
        put(screen, each)
    return shown
