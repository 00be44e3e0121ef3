"""Drift: pending changes of syncs, read by the agents, as facts of the servers that pools declare them for."""

from collections.abc import Iterable, Sequence, Set

from multiall_cli.domain.baseline import Code, Fact, FactValue, Rule
from multiall_cli.domain.errors import MemberFault, Refused, Unreachable, UsageError
from multiall_cli.domain.inventory import Pool
from multiall_cli.domain.records import RRsetKey, place_of
from multiall_cli.engine.context import Context
from multiall_cli.planning.checks.declarations import files_rule, names_rule
from multiall_cli.planning.zones.claims import places_of

Drift = dict[str, dict[Fact, FactValue]]
"""server → readings of its declarations."""


def drift_of(context: Context, servers: Sequence[str]) -> Drift:
    """Return the drift of servers from their pools' declarations.

    Unreadable declarations have a reason or are left out.
    """
    read: Drift = {name: {} for name in servers}
    for pool in context.inventory.pools.values():
        members = [name for name in pool.members if name in read]
        if pool.files and members and not context.stop():
            _join(read, _of_files(context, pool, members))
    if not context.stop():
        _join(read, _of_names(context, servers))
    return read


def _join(read: Drift, found: Drift) -> None:
    """Add readings of a pool; valid readings of earlier pools have priority."""
    for name, own in found.items():
        known = {fact: each for fact, each in read[name].items() if not each.trouble}
        read[name] = {**read[name], **own, **known}


def _of_files(context: Context, pool: Pool, members: Sequence[str]) -> Drift:
    """Return the drift of a pool's files, if the pool may decide on them; nothing for servers that are away."""
    from multiall_cli.fleet.sync import plan_files

    facts = {(name, rule.id): rule.fact for name in members for rule in _rules(context, name)}
    found: Drift = {name: {} for name in members}
    try:
        plan = plan_files(context, pool.name, ",".join(members))
    except UsageError:
        return found  # another pool has priority for these members
    except (Refused, Unreachable, MemberFault) as fault:
        for name in members:
            found[name] = {facts[name, files_rule(each)]: _unread(str(fault)) for each in pool.files}
        return found
    for part in plan.parts:
        for server in part.servers:
            if (server, part.agent) in facts:
                found[server][facts[server, part.agent]] = FactValue({"changes": len(part.changes)})
    return found


def _of_names(context: Context, servers: Iterable[str]) -> Drift:
    """Return the drift of names, from plans of their zones. A conflict is a difference too."""
    zones: dict[str, Set[RRsetKey] | str] = {}
    found: Drift = {name: {} for name in servers}
    facts = {name: {rule.id: rule.fact for rule in _rules(context, name)} for name in found}
    for pool in context.inventory.pools.values():
        for declared in pool.names:
            rule = names_rule(declared)
            for name, places in places_of(declared, pool, context.inventory).items():
                fact = facts.get(name, {}).get(rule)
                if fact is not None and fact not in found[name]:
                    found[name][fact] = _compared(context, places, zones)
    return found


def _compared(context: Context, places: Set[tuple[str, RRsetKey]], zones: dict[str, Set[RRsetKey] | str]) -> FactValue:
    """Return the number of these names and types that a sync would change. `zones`: results of zones read so far."""
    changes = 0
    for zone, place in sorted(places):
        if zone not in zones:
            zones[zone] = _differing(context, zone)
        differing = zones[zone]
        if isinstance(differing, str):
            return _unread(differing)
        changes += place in differing
    return FactValue({"changes": changes})


def _differing(context: Context, zone: str) -> Set[RRsetKey] | str:
    """Return the names and types that a sync of a zone would change or refuses, or why they are unknown."""
    from multiall_cli.fleet import zones

    (report,) = zones.plan(context, [context.inventory.zones[zone]])
    if report.stopped:
        return f"zone {report.plan.zone.shown}: {report.stopped}"
    keys = (*(each.key for each in report.plan.changes), *(each.subject for each in report.plan.conflicts))
    return set(map(place_of, keys))


def _rules(context: Context, server: str) -> tuple[Rule, ...]:
    from multiall_cli.fleet.health import rule_book

    return rule_book(context)[0].declared(server)


def _unread(why: str) -> FactValue:
    return FactValue(trouble=why, code=Code.COLLECT_ERROR)
