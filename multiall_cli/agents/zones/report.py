"""One zone's share of a plan or of a report."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from multiall_cli.agents.zones.item import records_of
from multiall_cli.domain.change import Conflict, Result
from multiall_cli.domain.exits import Exit, worst
from multiall_cli.domain.plan import Absence, AgentPlan, Plan
from multiall_cli.domain.records import ServerZoneStatus, ZonePlan, ZoneReport
from multiall_cli.domain.report import Lag, MemberState, Report, SubjectReport
from multiall_cli.domain.zones import Zone
from multiall_cli.planning.guard_names import flag


def of_plan(zone: Zone, plan: Plan) -> ZoneReport:
    """Return what a sync would change in a zone."""
    found = _zone_plan(zone, plan.parts)
    if found is None:
        services = (each for each in plan.absent if not each.subject.is_member)
        absent = next((each for each in services if each.subject.name == zone.shown), None)
        return _absent(zone, absent) if absent else ZoneReport(ZonePlan(zone, ()))
    code = Exit.DIFFERENCES if found.changes else found.code
    return ZoneReport(replace(found, id=plan.id), exit=code, brake=_refusal(zone, plan))


def _zone_plan(zone: Zone, parts: Iterable[AgentPlan[Any]]) -> ZonePlan | None:
    found = (each.detail for each in parts if each.agent == f"zones:{zone.shown}")
    return next((each for each in found if isinstance(each, ZonePlan)), None)


def _refusal(zone: Zone, plan: Plan) -> str:
    """Return why a sync would be refused, with the options that override the guards; '' if it would not."""
    alarms = [each for each in plan.alarms if each.guard.startswith("zones.") and each.subject == zone.shown]
    flags = " ".join(flag(each.guard) for each in alarms)
    return f"{'; '.join(each.what for each in alarms)}: a sync is refused without {flags}" if alarms else ""


def _absent(zone: Zone, absence: Absence) -> ZoneReport:
    where = absence.subject.server
    words = f"{where}: {absence.what}" if absence.reason == "fault" else f"its primary {where} {absence.what}"
    return ZoneReport(ZonePlan(zone, ()), stopped=words, todo=absence.todo, exit=Exit.PARTIAL)


def of_report(zone: Zone, report: Report) -> ZoneReport:
    """Return the result of a sync for a zone."""
    found = next(each for each in report.services if each.subject.name == zone.shown)
    absence = next((each for each in report.plan.absent if each.subject == found.subject), None)
    if absence:
        return replace(_absent(zone, absence), run=report.run)
    plan = _zone_plan(zone, found.parts) or _zone_plan(zone, report.plan.parts) or ZonePlan(zone, ())
    done = [each.change for each in found.outcomes if each.result is Result.DONE]
    bad = [each for each in found.outcomes if each.result is not Result.DONE]
    refused = [Conflict(each.change.key, each.detail, each.todo) for each in bad if each.todo]
    is_stopped = not found.state.is_good and (not bad or len(refused) < len(bad))
    stopped = (found.reason or report.stopped) if is_stopped else ""
    if found.state is MemberState.DEFERRED:
        stopped = f"its primary {found.subject.server} {found.reason}"
    return ZoneReport(
        replace(plan, changes=records_of(done) if found.outcomes else plan.changes, id=report.plan.id),
        report.run if found.outcomes else "",
        len(done),
        tuple(map(server_status, found.settlement.lags)),
        found.settlement.until,
        tuple(refused),
        stopped,
        found.todo if stopped else "",
        _code(found, report),
    )


def _code(found: SubjectReport, report: Report) -> Exit:
    """Return the exit code of one zone: that of the whole run, if the run was for it."""
    if report.plan.scope == found.subject.scope:
        return report.exit
    return found.exit if found.state.is_good else worst([found.exit, Exit.PARTIAL])


def server_status(lag: Lag) -> ServerZoneStatus:
    return ServerZoneStatus(lag.server, lag.position, lag.seconds, lag.trouble, lag.todo)
