"""Zones: what is asked of them and of the store, without a change."""

from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from multiall_cli.agents.zones.import_suggestions import ImportSuggestion, proposals
from multiall_cli.agents.zones.membership import standing
from multiall_cli.agents.zones.plan import marker_of
from multiall_cli.agents.zones.propagation import status_of
from multiall_cli.agents.zones.report import server_status
from multiall_cli.agents.zones.state import DEPARTURES, ZoneState, pack_retired
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.records import (
    ExplainedName,
    Membership,
    MembershipDecision,
    RetiredRecord,
    RRsetKey,
    ServerZoneStatus,
    ZoneReport,
    ZoneStatus,
    place_of,
)
from multiall_cli.domain.run import Run, SavedState, Stage
from multiall_cli.domain.scope import zone_scope
from multiall_cli.domain.zones import Zone
from multiall_cli.engine.context import Context
from multiall_cli.engine.fanout import fan_out
from multiall_cli.engine.subjects import SyncRequest, known_to
from multiall_cli.fleet.lookup import select_servers
from multiall_cli.fleet.name_servers import NameServersOfSite
from multiall_cli.fleet.topology import current_topology, informed
from multiall_cli.fleet.zone_lookup import agents_of, chosen, nearest_names, zones_of_name
from multiall_cli.fleet.zones import plan
from multiall_cli.planning.zones.claims import addresses_of, claims_of, host_of
from multiall_cli.ports.store import Store

LATELY = 100  # number of runs searched for the last one that changed a zone


def status(context: Context, zones: Iterable[Zone]) -> Iterator[ZoneStatus]:
    """Yield the status of each zone: its servers, and records that clients may still have cached."""
    now = context.clock.now()
    for zone in zones:
        left = [each for each in retired_records(context.store, zone, now) if each.gone and each.until > now]
        yield ZoneStatus(zone, server_statuses(context, zone), tuple(left), _last_change(context, zone))


def server_statuses(context: Context, zone: Zone) -> tuple[ServerZoneStatus, ...]:
    """Ask each server of a zone for its serial, the primary first."""
    servers = NameServersOfSite(informed(context))
    found = status_of(servers, zone, lambda items, work: dict(fan_out(items, work, len(items))))
    return tuple(map(server_status, found))


def _last_change(context: Context, zone: Zone) -> Run | None:
    journal, agent = context.store.journal, f"zones:{zone.shown}"
    runs = journal.runs(LATELY, zone_scope(zone.shown))
    return next((run for run in runs if any(each.agent == agent for each in journal.entries(run.id, Stage.DONE))), None)


def drift(context: Context, zones: Iterable[Zone]) -> Iterator[tuple[ZoneReport, tuple[ServerZoneStatus, ...]]]:
    """Yield differences from what was written, and servers whose answers differ from the primary's."""
    for report in plan(context, zones):
        served = () if report.stopped else server_statuses(context, report.plan.zone)
        yield report, tuple(each for each in served if each.trouble)


def explain(context: Context, name: str) -> tuple[ExplainedName, ...]:
    """Explain a name: its declarations, its members with reasons, and its present records. Raises UsageError."""
    ready = informed(context)
    wanted, zones = zones_of_name(context, name)
    found = [each for zone in zones for each in _explained(ready, zone, wanted)]
    if not found:
        raise UsageError(f"name {name}", "it is neither declared nor in its zone", nearest_names(context, name))
    return tuple(found)


def _explained(context: Context, zone: Zone, name: str) -> Iterator[ExplainedName]:
    (agent,) = agents_of(context, [zone])
    content = agent.servers.read(zone)
    plan = agent.plan(content, known_to(context, agent, SyncRequest(whole=True)))
    decisions = {each.claim.place: each for each in plan.decisions}
    conflicts = {place_of(each.subject): each for each in plan.conflicts}
    claims = {each.place: each for each in agent.claims}
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


def imported(context: Context, zone: Zone, file: Path | None) -> tuple[ImportSuggestion, ...]:
    """Return names of a zone, or of its file, that pools could declare. Raises UsageError, Unreachable."""
    from multiall_cli.adapters.dns.zone_files import read_zone_file

    content = NameServersOfSite(informed(context)).read(zone) if file is None else read_zone_file(file, zone)
    return tuple(proposals(zone, content, context.inventory))


def history(context: Context, zones: Iterable[Zone], limit: int) -> tuple[Run, ...]:
    """Return the runs that changed zones, newest first, each once."""
    runs = {run.id: run for zone in zones for run in context.store.journal.runs(limit, zone_scope(zone.shown))}
    return tuple(sorted(runs.values(), key=lambda each: each.started, reverse=True)[:limit])


def departures(context: Context, target: str = "") -> list[RetiredRecord]:
    """Return records of servers that clients may still have cached; of all servers if there is no target."""
    now, zones = context.clock.now(), context.inventory.zones.values()
    left = [
        each for zone in zones for each in retired_records(context.store, zone, now) if each.gone and each.until > now
    ]
    if not target:
        return left
    chosen = select_servers(context, target)  # even if no pool declares them any more
    known = {address for each in chosen for inside in (False, True) for address in addresses_of(each, inside=inside)}
    known |= {host_of(each, zone.name) for each in chosen for zone in zones}
    return [each for each in left if each.value.split()[-1] in known]


def retired_records(store: Store, zone: Zone, now: float) -> list[RetiredRecord]:
    """Return the records that clients may still have cached: removed, or now given with a shorter TTL."""
    state = _state(store, zone, now)
    if state.is_moved:  # otherwise their time would begin anew at each call
        moved = SavedState(f"zones:{zone.shown}", zone.shown, pack_retired(state.retired), DEPARTURES)
        store.states.put([moved])
    return list(state.held(now))


def _state(store: Store, zone: Zone, now: float) -> ZoneState:
    return ZoneState.read(lambda part: store.states.get(f"zones:{zone.shown}", zone.shown, part), now)


def given(context: Context, target: str = "") -> list[tuple[RRsetKey, MembershipDecision]]:
    """Return the names that lead to servers now, each with the server's standing.

    Raises UsageError, Unreachable, MemberFault.

    Without a target: servers that should be out.
    """
    topology, servers = current_topology(context), NameServersOfSite(informed(context))
    asked = {each.name for each in select_servers(context, target)} if target else None
    found = []
    for zone in chosen(context):
        content = servers.read(zone)
        claims = claims_of(context.inventory, zone.id)[0]
        for claim in (each for each in claims if each.follows and each.place in content.rrsets):
            there = content.rrsets[claim.place].values
            members = [standing(topology, name) for name, value in claim.values.items() if value in there]
            found += [(claim.place, each) for each in members if _is_asked(each, asked)]
    return found


def _is_asked(each: MembershipDecision, asked: Set[str] | None) -> bool:
    return each.stand is Membership.OUT if asked is None else each.server in asked


def late(context: Context) -> list[str]:
    """Return zones with a server that was behind or unreachable at the last check."""
    now = context.clock.now()
    return [each.shown for each in context.inventory.zones.values() if _state(context.store, each, now).is_late]
