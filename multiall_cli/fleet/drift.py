"""What syncs would change, read by the agents themselves, as facts of the servers that pools declare it for."""

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING

from multiall_cli.domain.baseline import Code, Fact, Reading
from multiall_cli.domain.errors import MemberFault, Refused, Unreachable, UsageError
from multiall_cli.domain.inventory import Pool
from multiall_cli.domain.records import Place, ZoneReport, place_of
from multiall_cli.planning.checks.declarations import drift_rules, files_rule, names_rule
from multiall_cli.planning.zones.claims import places_of

if TYPE_CHECKING:
    from multiall_cli.fleet import Fleet

Drift = dict[str, dict[Fact, Reading]]
"""server → what its declarations show."""


def drift_of(fleet: "Fleet", servers: Sequence[str]) -> Drift:
    """What pools declare for servers; nothing of declarations that could not be looked at, where no one knows why."""
    read: Drift = {name: {} for name in servers}
    for pool in fleet.inventory.pools.values():
        members = [name for name in pool.members if name in read]
        if pool.files and members and not fleet.stop():
            _join(read, _of_files(fleet, pool, members))
    if not fleet.stop():
        _join(read, _of_names(fleet, servers))
    return read


def _join(read: Drift, found: Drift) -> None:
    """What was read by a pool whose claim holds, stays."""
    for name, own in found.items():
        known = {fact: each for fact, each in read[name].items() if not each.trouble}
        read[name] = {**read[name], **own, **known}


def _of_files(fleet: "Fleet", pool: Pool, members: Sequence[str]) -> Drift:
    """As far as this pool's claim on them holds; nothing of who is away."""
    facts = {(name, rule.id): rule.fact for name in members for rule in drift_rules(fleet.inventory, name)}
    found: Drift = {name: {} for name in members}
    try:
        plan = fleet.plan(pool.name, ",".join(members))
    except UsageError:
        return found  # another pool decides what these members have
    except (Refused, Unreachable, MemberFault) as fault:
        for name in members:
            found[name] = {facts[name, files_rule(each)]: _unread(str(fault)) for each in pool.files}
        return found
    for each in plan.members:
        if (each.server, each.agent) in facts:
            found[each.server][facts[each.server, each.agent]] = Reading({"changes": len(each.changes)})
    return found


def _of_names(fleet: "Fleet", servers: Iterable[str]) -> Drift:
    """By plans of the zones that these servers' names are in; a conflict is a difference too."""
    plans: dict[str, ZoneReport] = {}
    found: Drift = {name: {} for name in servers}
    for name, own in found.items():
        facts = {rule.id: rule.fact for rule in drift_rules(fleet.inventory, name)}
        for pool in fleet.inventory.pools_of(name):
            for declared in pool.names:
                fact = facts.get(names_rule(declared))
                if fact is not None and fact not in own:
                    places = places_of(declared, pool, fleet.inventory, name)
                    own[fact] = _compared(_planned(fleet, {zone for zone, _ in places}, plans), places)
    return found


def _planned(fleet: "Fleet", zones: Iterable[str], plans: dict[str, ZoneReport]) -> list[ZoneReport]:
    """Each zone is read once."""
    from multiall_cli.fleet import zones as names

    missing = [fleet.inventory.zones[name] for name in sorted(zones) if name not in plans]
    plans |= {report.plan.zone.id: report for report in names.plan(fleet, missing)} if missing else {}
    return [plans[name] for name in sorted(zones)]


def _compared(reports: Sequence[ZoneReport], places: Set[tuple[str, Place]]) -> Reading:
    """What a sync would change of names and types, each with its zone."""
    for report in reports:
        if report.stopped:
            return _unread(f"zone {report.plan.zone.shown}: {report.stopped}")
    differing = {
        (report.plan.zone.id, place_of(key))
        for report in reports
        for key in (*(each.key for each in report.plan.changes), *(each.subject for each in report.plan.conflicts))
    }
    return Reading({"changes": len(differing & places)})


def _unread(why: str) -> Reading:
    return Reading(trouble=why, code=Code.COLLECT_ERROR)
