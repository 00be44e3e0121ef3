"""A pool's plan and report: of its members, and of its zones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from multiall_cli.agents.zones.report import of_plan, of_report
from multiall_cli.cli.render import pools, zone_plans
from multiall_cli.cli.render.document import line
from multiall_cli.cli.render.json_form import plain
from multiall_cli.cli.render.result import View
from multiall_cli.domain.exits import worst
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.records import ZoneReport
from multiall_cli.domain.report import Report
from multiall_cli.domain.zones import Zone

Zones = Mapping[str, Zone]
"""Zones of the inventory, by id."""


def plan(found: Plan, known: Zones) -> View:
    """All of it has one id: that of `pool sync --plan`."""
    names = _planned_zones(found, known)
    if not names:
        return pools.plan(found)
    view = zone_plans.plans(names)
    if found.members:
        view = _beside(pools.plan(_of_members(found)), view, names)

    def human(wide: bool) -> Iterator[object]:
        yield from view.human(wide)
        if not view.well:
            yield line(f"{found.scope.name}: plan {found.id}", style="bold")

    shown = plain(view.value)
    told = {**shown, "id": found.id} if isinstance(shown, dict) else shown
    last = {"pool": found.scope.name, "id": found.id}
    return replace(view, value=told, human=human, items=[*view.items, last])


def _planned_zones(found: Plan, known: Zones) -> tuple[ZoneReport, ...]:
    reports = (of_plan(zone, found) for zone in _zones(found, known))
    return tuple(replace(each, plan=replace(each.plan, id="")) for each in reports)


def _zones(found: Plan, known: Zones) -> list[Zone]:
    names = {each.name for each in found.subjects if not each.is_member}
    return [each for each in known.values() if each.shown in names]


def _of_members(found: Plan) -> Plan:
    """Return the part of a plan that is about members; the id is that of the whole, so it is not shown there."""
    parts = tuple(each for each in found.parts if all(subject.is_member for subject in each.subjects))
    absent = tuple(each for each in found.absent if each.subject.is_member)
    kinds = {part.kind for part in found.parts} - {part.kind for part in parts}
    alarms = tuple(each for each in found.alarms if each.guard.partition(".")[0] not in kinds)
    return replace(found, subjects=found.members, parts=parts, absent=absent, alarms=alarms, id="")


def show_before_asking(found: Plan, known: Zones) -> None:
    """Show a plan on stderr: stdout is for the result."""
    pools.show_before_asking(plan(found, known).human(False))


def report(found: Report, known: Zones) -> View:
    names = tuple(of_report(zone, found) for zone in _zones(found.plan, known))
    if not names:
        return pools.report(found)
    if not found.members:
        return replace(zone_plans.reports(names), exit=found.exit)
    members = replace(found, plan=_of_members(found.plan), services=())
    return replace(_beside(pools.report(members), zone_plans.reports(names), names), exit=found.exit)


def _beside(members: View, names: View, found: Sequence[ZoneReport]) -> View:
    value = plain(members.value)
    told = {**value, "zones": found} if isinstance(value, dict) else value

    def human(wide: bool) -> Iterator[object]:
        yield from names.human(wide)
        yield from members.human(wide)

    return replace(
        members,
        value=told,
        human=human,
        items=[*members.items, *names.items],
        names=[*members.names, *names.names],
        cases=[*members.cases, *names.cases],
        exit=worst([members.exit, names.exit]),
        well=members.well and names.well,
        urgent=None,
    )
