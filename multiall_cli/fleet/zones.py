"""Zones: functions behind the Fleet's verbs about names."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from multiall_cli.domain.answer import Finding
from multiall_cli.domain.answer import Severity as Well
from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import (
    Interrupted,
    MemberFault,
    MultiAllError,
    Refused,
    Unreachable,
    UsageError,
)
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.records import (
    Claim,
    ExplainedName,
    Membership,
    MembershipDecision,
    RetiredRecord,
    RRset,
    RRsetKey,
    ServerZoneStatus,
    ZoneContent,
    ZonePlan,
    ZoneReport,
    ZoneStatus,
    key_of,
    place_of,
    rrset_of,
)
from multiall_cli.domain.run import Run, Stage
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.drivers import bind9
from multiall_cli.engine.context import Context
from multiall_cli.fleet.lookup import find_pool, select_servers
from multiall_cli.fleet.name_servers import NameServersOfSite
from multiall_cli.fleet.topology import current_topology, informed
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.zones import resolver_cache
from multiall_cli.planning.zones.claims import addresses_of, claims_of, host_of
from multiall_cli.planning.zones.import_suggestions import ImportSuggestion, proposals, unlisted
from multiall_cli.planning.zones.leases import place_of_lease
from multiall_cli.planning.zones.membership import standing
from multiall_cli.planning.zones.names import absolute, zone_of
from multiall_cli.planning.zones.plan import adoption, marker_of
from multiall_cli.ports.dns import DynamicNameServers

if TYPE_CHECKING:
    from multiall_cli.engine.desk import ZoneContext
    from multiall_cli.engine.zones import ZoneSyncOptions


LATELY = 100  # number of runs searched for the last one that changed a zone


def chosen(context: Context, name: str = "") -> tuple[Zone, ...]:
    """Return one zone, or all. Raises UsageError if there is none of that name, or none at all."""
    zones = context.inventory.zones
    if not zones:
        raise UsageError("dns", "the site declares no zone", "add `zones:` to its inventory")
    if not name:
        return tuple(zones.values())
    wanted = absolute(name if name.endswith(".") else f"{name}.", ".")
    if wanted not in zones:
        known = [each.shown for each in zones.values()]
        raise UsageError(f"zone {name}", "there is no such zone", f"{did_you_mean(name, known)}`zones:` has them all")
    return (zones[wanted],)


def of_pool(context: Context, pool: str) -> tuple[Zone, ...]:
    """Return the zones in which a pool has names."""
    names = {each.zone for each in find_pool(context, pool).names}
    return tuple(
        zone
        for name, zone in context.inventory.zones.items()
        if name in names or any(each.pool == pool for each in claims_of(context.inventory, name)[0])
    )


def desk(context: Context) -> "ZoneContext":
    """Return the common input of zone syncs, with the present topology."""
    from multiall_cli.engine.desk import ZoneContext

    topology = current_topology(context)
    claims = {name: claims_of(context.inventory, name) for name in context.inventory.zones}
    ready = informed(context, topology)
    return ZoneContext(ready, NameServersOfSite(ready), topology, claims)


def plan(
    context: Context, zones: Iterable[Zone], pool: str = "", forced: frozenset[str] = frozenset()
) -> Iterator[ZoneReport]:
    """Yield what a sync would change in each zone, of one pool's names or of all. `forced`: guards to pass."""
    made = desk(context)
    for zone in zones:
        yield _as_value(zone, partial(_planned, made, zone, pool, forced))


def _planned(made: "ZoneContext", zone: Zone, pool: str, forced: frozenset[str]) -> ZoneReport:
    from multiall_cli.engine.zones import braked, look

    found = look(made, zone, pool, forced)
    words, flags = braked(made, found, forced)
    brake = f"{words}: a sync is refused without {flags}" if words else ""
    return ZoneReport(found, exit=Exit.DIFFERENCES if found.changes else found.code, brake=brake)


def sync(context: Context, zones: Iterable[Zone], wish: "ZoneSyncOptions") -> Iterator[ZoneReport]:
    """Sync each zone. The trouble of one zone is reported and does not stop the others."""
    from multiall_cli.engine.zones import sync as work

    made = desk(context)
    for zone in zones:
        if context.stop():
            yield ZoneReport(ZonePlan(zone, ()), stopped="interrupted before it was come to", exit=Exit.INTERRUPTED)
        else:
            yield _as_value(zone, partial(work, made, zone, wish))


def _as_value(zone: Zone, work: Callable[[], ZoneReport]) -> ZoneReport:
    try:
        return work()
    except Interrupted:
        raise
    except MultiAllError as fault:
        words = fault.what if fault.subject == f"zone {zone.shown}" else f"{fault.subject}: {fault.what}"
        return ZoneReport(ZonePlan(zone, ()), stopped=words, todo=fault.todo, exit=fault.exit_code)


def status(context: Context, zones: Iterable[Zone]) -> Iterator[ZoneStatus]:
    """Yield the status of each zone: its servers, and records that clients may still have cached."""
    from multiall_cli.engine.desk import departed, scope_of
    from multiall_cli.engine.spreading import secondary_status

    made, now, journal = desk(context), context.clock.now(), context.store.journal
    for zone in zones:
        left = [each for each in departed(context.store, zone, now) if each.gone and each.until > now]
        runs = (each for each in journal.runs(LATELY, scope_of(zone)) if journal.entries(each.id, Stage.DONE))
        yield ZoneStatus(zone, tuple(secondary_status(made, zone)), tuple(left), next(runs, None))


def drift(context: Context, zones: Iterable[Zone]) -> Iterator[tuple[ZoneReport, tuple[ServerZoneStatus, ...]]]:
    """Yield differences from what was written, and servers whose answers differ from the primary's."""
    from multiall_cli.engine.spreading import secondary_status

    made = desk(context)
    for report in plan(context, zones):
        served = () if report.stopped else tuple(secondary_status(made, report.plan.zone))
        yield report, tuple(each for each in served if each.trouble)


def explain(context: Context, name: str) -> tuple[ExplainedName, ...]:
    """Explain a name: its declarations, its members with reasons, and its present records. Raises UsageError."""
    made = desk(context)
    wanted, zones = _written(context, name)
    found = [each for zone in zones for each in _explained(made, zone, wanted)]
    if not found:
        raise UsageError(f"name {name}", "it is neither declared nor in its zone", _nearest(made, name))
    return tuple(found)


def _nearest(made: "ZoneContext", name: str) -> str:
    known = sorted({each.place[0].rstrip(".") for claims, _ in made.claims.values() for each in claims})
    return f"{did_you_mean(name, known)}`multiall dns show` shows all names"


def _explained(made: "ZoneContext", zone: Zone, name: str) -> Iterator[ExplainedName]:
    from multiall_cli.engine.zones import planned

    content = made.servers.read(zone)
    plan = planned(made, zone, content)
    decisions = {each.claim.place: each for each in plan.decisions}
    conflicts = {place_of(each.subject): each for each in plan.conflicts}
    claims = {each.place: each for each in made.of(zone)}
    for place in sorted({place for place in (*claims, *conflicts, *content.rrsets) if place[0] == name}):
        marker = marker_of(content, place)
        yield ExplainedName(
            place,
            zone,
            claims.get(place),
            content.rrsets.get(place),
            marker.text if marker else "",
            decisions.get(place),
            conflicts.get(place),
        )


def _written(context: Context, name: str) -> tuple[str, list[Zone]]:
    """Return the fully qualified name that an operator means, and its zones (several, if the zone has views).

    Raises UsageError if no zone has it.
    """
    zones = chosen(context)
    whole, names = absolute(f"{name.rstrip('.')}.", "."), {each.name for each in zones}
    if not zone_of(whole, names) and len(names) == 1:
        whole = absolute(name, next(iter(names)))
    nearest = zone_of(whole, names)
    if not nearest:
        raise UsageError(f"name {name}", "it is in no zone of `zones:`", "write it whole, such as www.example.net")
    return whole, [each for each in zones if each.name == nearest]


def adopt(
    context: Context, name: str, kind: str, wish: "ZoneSyncOptions", from_owner: str = ""
) -> tuple[ZoneReport, ...]:
    """Put our marker beside existing records, which stay as they are. Raises UsageError, and as a sync does.

    `from_owner`: only records with this owner's marker, of all declared names if `name` is ''.
    """
    from multiall_cli.engine.zones import put

    made = desk(context)
    wanted, zones = _written(context, name) if name else ("", list(chosen(context)))
    claims = {
        zone.id: [each for each in made.of(zone) if wanted in ("", each.place[0]) and kind in ("", each.place[1])]
        for zone in zones
    }
    if not any(claims.values()):
        what = f"nothing declares {f'its {kind}' if kind else 'it'}, so the next sync would take it out"
        raise UsageError(f"name {name}", what, f"declare it in `dns:` of a pool first; {_nearest(made, name)}")

    def taken(zone: Zone, content: ZoneContent) -> list[Change[RRset]]:
        return [each for claim in claims[zone.id] if (each := _adopted(zone, claim, content, from_owner))]

    return tuple(
        _as_value(zone, partial(put, made, zone, wish, partial(taken, zone))) for zone in zones if claims[zone.id]
    )


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


def imported(context: Context, zone: Zone, file: Path | None) -> tuple[ImportSuggestion, ...]:
    """Return names of a zone, or of its file, that pools could declare. Raises UsageError, Unreachable."""
    from multiall_cli.adapters.dns.zone_files import read_zone_file

    content = desk(context).servers.read(zone) if file is None else read_zone_file(file, zone)
    return tuple(proposals(zone, content, context.inventory))


def history(context: Context, zones: Iterable[Zone], limit: int) -> tuple[Run, ...]:
    """Return the runs that changed zones, newest first."""
    from multiall_cli.engine.desk import scope_of

    runs = [run for zone in zones for run in context.store.journal.runs(limit, scope_of(zone))]
    return tuple(sorted(runs, key=lambda each: each.started, reverse=True)[:limit])


def rollback(context: Context, run_id: str, wish: "ZoneSyncOptions") -> ZoneReport:
    """Undo a run's changes to a zone, if they are still in place. Raises UsageError, Refused."""
    from multiall_cli.engine.desk import scope_of
    from multiall_cli.engine.zones import put

    run = context.store.journal.run(run_id)
    zones = {scope_of(zone): zone for zone in context.inventory.zones.values()}
    if run is None or run.scope not in zones:
        raise UsageError(f"run {run_id}", "it is no run that changed a zone", "`multiall dns history` shows them")
    zone, made = zones[run.scope], desk(context)
    done = context.store.journal.entries(run.id, Stage.DONE)

    def back(content: ZoneContent) -> list[Change[RRset]]:
        found = []
        for each in done:
            place, after, before = place_of(each.key), rrset_of(each.after), rrset_of(each.before)
            there, marker = content.rrsets.get(place), marker_of(content, place)
            values = there.values if there else ()
            if values != (after.values if after else ()):
                what = f"{each.key} is no longer as run {run.id} left it: {there.brief() if there else 'no records'}"
                raise Refused(f"zone {zone.shown}", what, "look at `multiall dns explain`, and change what you want")
            now = RRset(there.ttl if there else 0, values, marker.text if marker else "") if there or marker else None
            then = replace(before, marker=marker.pool if marker else "") if before else None
            if now != then:
                found.append(Change(each.key, now, then))
        return found

    return _as_value(zone, lambda: put(made, zone, wish, back))


def departures(context: Context, target: str = "") -> list[RetiredRecord]:
    """Return records of servers that clients may still have cached; of all servers if there is no target."""
    from multiall_cli.engine.desk import departed

    now, zones = context.clock.now(), context.inventory.zones.values()
    left = [each for zone in zones for each in departed(context.store, zone, now) if each.gone and each.until > now]
    if not target:
        return left
    chosen = select_servers(context, target)  # even if no pool declares them any more
    known = {address for each in chosen for inside in (False, True) for address in addresses_of(each, inside=inside)}
    known |= {host_of(each, zone.name) for each in chosen for zone in zones}
    return [each for each in left if each.value.split()[-1] in known]


def given(context: Context, target: str = "") -> list[tuple[RRsetKey, MembershipDecision]]:
    """Return the names that lead to servers now, each with the server's standing.

    Raises UsageError, Unreachable, MemberFault.

    Without a target: servers that should be out.
    """
    made = desk(context)
    asked = {each.name for each in select_servers(context, target)} if target else None
    found = []
    for zone in chosen(context):
        content = made.servers.read(zone)
        for claim in (each for each in made.of(zone) if each.follows and each.place in content.rrsets):
            there = content.rrsets[claim.place].values
            members = [standing(made.topology, name) for name, value in claim.values.items() if value in there]
            found += [(claim.place, each) for each in members if _is_asked(each, asked)]
    return found


def _is_asked(each: MembershipDecision, asked: Set[str] | None) -> bool:
    return each.stand is Membership.OUT if asked is None else each.server in asked


def late(context: Context) -> list[str]:
    """Return zones with a server that was behind or unreachable at the last check."""
    from multiall_cli.engine.desk import is_late

    return [zone.shown for zone in context.inventory.zones.values() if is_late(context.store, zone)]


def examine(context: Context, zones: Iterable[Zone]) -> Iterator[Finding]:
    """Yield problems between us and the name servers."""
    dns = context.adapters.name_servers
    for zone in zones:
        yield from _of_primary(context, dns, zone)
        for server in zone.secondaries:
            yield from _of_secondary(dns, zone, server)


def _of_secondary(dns: DynamicNameServers, zone: Zone, server: NameServer) -> Iterator[Finding]:
    name = f"{zone.shown} at {server.name}"
    if (yield from _tried(name, lambda: dns.serial(zone, server), "answers for the zone")):
        yield from _tried(name, lambda: dns.serial_over_tcp(zone, server), "answers over TCP too")
        yield from _tried(name, lambda: dns.notify(zone, server), "takes our notifications")


def _of_primary(context: Context, dns: DynamicNameServers, zone: Zone) -> Iterator[Finding]:
    name, read = f"{zone.shown} at {zone.primary.name}", desk(context).servers.read
    held: list[ZoneContent] = []
    if zone.file:
        yield from _of_files(context, zone)
    if (yield from _tried(name, lambda: dns.serial(zone, zone.primary), "answers for the zone")):
        yield from _tried(name, lambda: dns.serial_over_tcp(zone, zone.primary), "answers over TCP too")
        yield from _tried(name, lambda: held.append(read(zone)), "hands over the zone")
        if not zone.file:
            places = [each.place for each in desk(context).of(zone)]
            if (yield from _tried(name, lambda: dns.may_update(zone, places), "takes our updates")):
                yield from _of_lease(dns, zone, name)
    for server in unlisted(zone, held[0]) if held else ():
        what = f"{server} is a name server of the zone, and none of `zones:`: no one looks what it answers"
        yield Finding(name, Well.ODD, what, "add it to `secondaries:`")
    if zone.key is None and not zone.file:
        what = "there is no `key:`: who can send from our address could do what we do"
        yield Finding(name, Well.ODD, what, "make one with `tsig-keygen multiall`")


def _of_lease(dns: DynamicNameServers, zone: Zone, subject: str) -> Iterator[Finding]:
    place = place_of_lease(zone)
    try:
        dns.may_lease(zone, place)
    except (Unreachable, MemberFault):
        what = "a run does not keep a second admin host out: our key may not write the TXT record of its lease"
        yield Finding(subject, Well.ODD, what, f"let `update-policy` grant {place[0].rstrip('.')} TXT too")


def _of_files(context: Context, zone: Zone) -> Iterator[Finding]:
    files = NameServersOfSite(context).files
    subject = f"{zone.shown} at {zone.primary.name}"
    yield from _tried(subject, lambda: files.may_write(zone), "has a file that our part fits into")
    for server in (zone.primary, *zone.mirrors):
        name = f"{zone.shown} at {server.name}"
        yield from _tried(name, partial(files.may_reload, zone, server), "would reload the zone for us (rndc)")


def _tried(subject: str, work: Callable[[], object], words: str) -> Generator[Finding, None, bool]:
    """Yield a finding about an attempt; return whether it succeeded."""
    try:
        work()
    except (Unreachable, MemberFault) as fault:
        yield Finding(subject, Well.ILL, fault.what, fault.todo)
        return False
    yield Finding(subject, Well.WELL, words)
    return True


def needed(zones: Iterable[Zone]) -> dict[str, tuple[str, ...]]:
    """Return name server and zone → the lines that its named.conf needs."""
    found = {}
    for zone in zones:
        if zone.file:
            continue  # needs no grant in named.conf
        found[f"{zone.primary.name}, for {zone.shown}"] = bind9.primary_lines(zone)
        for server in zone.secondaries:
            found[f"{server.name}, for {zone.shown}"] = bind9.secondary_lines(zone)
    return found


def bound(left: Sequence[RetiredRecord]) -> float:
    """Return when the last client drops its records, in seconds since the epoch; 0: no client has any."""
    return resolver_cache.bound(left)
