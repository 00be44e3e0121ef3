"""Zones: plans and syncs of names, adoption, rollback."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from multiall_cli.agents.zones.agent import GivenChanges
from multiall_cli.agents.zones.plan import adoption, marker_of
from multiall_cli.agents.zones.report import of_plan, of_report
from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import Interrupted, MultiAllError, Refused, UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.records import Claim, RRset, ZoneContent, ZonePlan, ZoneReport, key_of, place_of, rrset_of
from multiall_cli.domain.run import Entry, Run, Stage
from multiall_cli.domain.scope import zone_scope
from multiall_cli.domain.zones import Zone
from multiall_cli.engine.context import Context
from multiall_cli.engine.observe import observe
from multiall_cli.engine.subjects import SyncRequest
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.engine.sync import sync as run_sync
from multiall_cli.fleet.topology import informed
from multiall_cli.fleet.zone_lookup import agents_of, chosen, nearest_names, zones_of_name
from multiall_cli.planning.zones.claims import claims_of


def plan(context: Context, zones: Iterable[Zone], open_guards: frozenset[str] = frozenset()) -> Iterator[ZoneReport]:
    """Yield what a sync would change in each zone. `open_guards`: guards to pass, by full name."""
    ready, request = informed(context), SyncRequest(open_guards, whole=True)
    for zone in zones:
        yield _planned(ready, zone, request)


def _planned(context: Context, zone: Zone, request: SyncRequest) -> ZoneReport:
    try:
        found = observe(context, zone_scope(zone.shown), agents_of(context, [zone]), [], request)
    except MultiAllError as fault:
        return _failed(zone, fault)
    found.close()
    return of_plan(zone, found.plan)


def sync(context: Context, zones: Iterable[Zone], options: SyncOptions) -> Iterator[ZoneReport]:
    """Sync each zone. The trouble of one zone is reported and does not stop the others."""
    ready = informed(context)
    for zone in zones:
        if context.stop():
            yield ZoneReport(ZonePlan(zone, ()), stopped="interrupted before it was come to", exit=Exit.INTERRUPTED)
        else:
            yield _synced(ready, zone, options)


def _synced(context: Context, zone: Zone, options: SyncOptions, given: GivenChanges | None = None) -> ZoneReport:
    agents = agents_of(context, [zone], given=given)
    try:
        return of_report(zone, run_sync(context, zone_scope(zone.shown), agents, [], options))
    except Interrupted:
        raise
    except MultiAllError as fault:
        return _failed(zone, fault)


def _failed(zone: Zone, fault: MultiAllError) -> ZoneReport:
    words = fault.what if fault.subject == f"zone {zone.shown}" else f"{fault.subject}: {fault.what}"
    return ZoneReport(ZonePlan(zone, ()), stopped=words, todo=fault.todo, exit=fault.exit_code)


# --- adoption and rollback --------------------------------------------------------------------------------------------


def adopt(context: Context, name: str, kind: str, options: SyncOptions, from_owner: str = "") -> tuple[ZoneReport, ...]:
    """Put our marker beside existing records, which stay as they are. Raises UsageError, and as a sync does.

    `from_owner`: only records with this owner's marker, of all declared names if `name` is ''.
    """
    ready = informed(context)
    wanted, zones = zones_of_name(context, name) if name else ("", list(chosen(context)))
    claims = {
        zone.id: [
            each
            for each in claims_of(context.inventory, zone.id)[0]
            if wanted in ("", each.place[0]) and kind in ("", each.place[1])
        ]
        for zone in zones
    }
    if not any(claims.values()):
        what = f"nothing declares {f'its {kind}' if kind else 'it'}, so the next sync would take it out"
        todo = f"declare it in `dns:` of a pool first; {nearest_names(context, name)}"
        raise UsageError(f"name {name}", what, todo)

    def adopted(zone: Zone) -> ZoneReport:
        def changes(content: ZoneContent) -> list[Change[RRset]]:
            return [each for claim in claims[zone.id] if (each := _adopted(zone, claim, content, from_owner))]

        return _synced(ready, zone, options, changes)

    return tuple(adopted(zone) for zone in zones if claims[zone.id])


def _adopted(zone: Zone, claim: Claim, content: ZoneContent, from_owner: str) -> Change[RRset] | None:
    """Return the change that adopts a claim's records.

    Raises Refused for a line of a file outside our part of it, and for a name with another owner's marker.
    """
    owner = mark.owner if (mark := marker_of(content, claim.place)) else ""
    if from_owner and owner != from_owner:
        return None
    if owner not in ("", zone.owner, from_owner):
        todo = f"if they are yours too, add `--from-owner {owner}`"
        raise Refused(f"name {key_of(claim.place)}", f"it bears the mark of {owner!r}, another site's", todo)
    if zone.file and claim.place in content.rrsets and marker_of(content, claim.place) is None:
        what = f"it stands in {zone.file}, outside our part of it, and what we wrote would stand beside it"
        raise Refused(f"name {key_of(claim.place)}", what, "take it out of the file, and run `multiall dns sync`")
    return adoption(zone, claim.place, content, claim.pool)


def rollback(context: Context, run_id: str, options: SyncOptions) -> tuple[ZoneReport, ...]:
    """Undo a run's changes to zones, if they are still in place. Raises UsageError, Refused."""
    run, ready = context.store.journal.run(run_id), informed(context)
    zones = [zone for zone in context.inventory.zones.values() if run and zone_scope(zone.shown) in run.scopes]
    if run is None or not zones:
        raise UsageError(f"run {run_id}", "it is no run that changed a zone", "`multiall dns history` shows them")
    done = context.store.journal.entries(run.id, Stage.DONE)
    return tuple(_synced(ready, zone, options, _undo(zone, run, done)) for zone in zones)


def _undo(zone: Zone, run: Run, done: Iterable[Entry]) -> Callable[[ZoneContent], list[Change[RRset]]]:
    """Return what undoes a run's changes to a zone. What the run itself undid (a drain) is no change."""
    entries: dict[str, list[Entry]] = {}
    for each in sorted(done, key=lambda each: each.turn):
        if each.agent == f"zones:{zone.shown}":
            entries.setdefault(each.key, []).append(each)
    net = [(key, rrset_of(found[0].before), rrset_of(found[-1].after)) for key, found in entries.items()]

    def changes(content: ZoneContent) -> list[Change[RRset]]:
        return [undone for each in net if each[1] != each[2] and (undone := _undone(zone, run, content, *each))]

    return changes


def _undone(
    zone: Zone, run: Run, content: ZoneContent, key: str, before: RRset | None, after: RRset | None
) -> Change[RRset] | None:
    there, marker = content.rrsets.get(place_of(key)), marker_of(content, place_of(key))
    values = there.values if there else ()
    if values != (after.values if after else ()):
        what = f"{key} is no longer as run {run.id} left it: {there.brief() if there else 'no records'}"
        raise Refused(f"zone {zone.shown}", what, "look at `multiall dns explain`, and change what you want")
    now = RRset(there.ttl if there else 0, values, marker.text if marker else "") if there or marker else None
    then = replace(before, marker=marker.pool if marker else "") if before else None
    return Change(key, now, then) if now != then else None
