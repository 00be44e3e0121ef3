"""Topology: scans, the saved picture, downtimes, and publication to members."""

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from multiall_cli.domain.baseline import CRITICAL, UNKNOWN, Code, HealthSummary, is_stale
from multiall_cli.domain.discovery import Discovery
from multiall_cli.domain.errors import Locked, UsageError
from multiall_cli.domain.publication import LastPublished, Published, Verified
from multiall_cli.domain.run import Holder
from multiall_cli.domain.scope import site_scope
from multiall_cli.domain.topology import REST, Downtime, DowntimeKind, Event, Round, State, Topology
from multiall_cli.engine.context import Context
from multiall_cli.fleet.lookup import find_server, select_or_all, select_servers
from multiall_cli.planning.whom import available_members, inherited, unavailable, via_relays

PUBLISHED_TO = (State.UP, State.DEGRADED, State.UNREACHABLE)
SCANS = site_scope("scan")  # lock of scans: two at once would lose each other's results
PUBLICATIONS = site_scope("publication")  # scope of publications for locks
SCAN_WAIT = 30.0  # seconds that a scan waits for another one


# --- the picture ----------------------------------------------------------------------------------------------------


def informed(context: Context, topology: Topology | None = None) -> Context:
    """Return the context with the topology: servers that are away, and servers reached through a peer."""
    found = current_topology(context) if topology is None else topology
    current = partial(current_topology, context)
    return replace(context, away=unavailable(found), relays=found.relays, topology=found, current=current)


def current_topology(context: Context) -> Topology:
    """Return the picture as the last scan left it, with downtimes set since. Asks no server."""
    return _with_pools(context, saved_topology(context))


def saved_topology(context: Context) -> Topology:
    """Return the picture without pools: enough to know which servers to skip and how to reach the others."""
    from multiall_cli.engine.probe import recalled

    now = context.clock.now()
    servers, every = tuple(context.inventory.servers.values()), context.site.settings.topology.every
    return recalled(context.vantage, context.store, now, servers, downtimes(context, now), every)


def _with_pools(context: Context, topology: Topology) -> Topology:
    topology = replace(topology, health=_latest_health(context))
    pools = {name: available_members(topology, pool.members) for name, pool in context.inventory.pools.items()}
    return replace(topology, serving=pools)


def _latest_health(context: Context) -> dict[str, HealthSummary]:
    """Return the result of each server's last check; too old ones are stale.

    A server that was unfit counts as unfit only by rules that still exist and are not waived by now.
    """
    now, stale = context.clock.now(), context.site.settings.baseline.stale
    found = {
        name: replace(each, code=Code.STALE) if is_stale(each.at, now, stale) else each
        for name, each in context.store.health.latest().items()
        if name in context.inventory.servers
    }
    if unfit := [name for name, each in found.items() if each.code // 100 in (CRITICAL, UNKNOWN)]:
        from multiall_cli.fleet import health

        found |= {name: replace(found[name], code=code) for name, code in health.codes_now(context, unfit).items()}
    return found


def downtimes(context: Context, now: float) -> list[Downtime]:
    """Return downtimes by operators and the inventory, also those inherited by servers that depend on others."""
    from multiall_cli.planning import windows

    servers = context.inventory.servers
    return inherited([*context.store.downtimes.all(now), *windows.promised(context.inventory, now)], servers)


def events(context: Context, limit: int, server: str | None, until: float | None) -> tuple[Event, ...]:
    """Return state changes, newest first. `server`: changes of this one and of the whole."""
    name = find_server(context, server).name if server else None
    return tuple(context.store.topology.events(limit, name, until))


# --- scans ----------------------------------------------------------------------------------------------------------


def scan(context: Context, *, links: bool | None, logins: bool) -> Round:
    """Probe every server once and save the result.

    `links`: ask servers about each other too (None: if there are few); `logins`: log in to those whose turn it is.
    Raises Locked while another scan runs.
    """
    from multiall_cli.engine.operator import who

    me = Holder(who(), context.vantage, os.getpid(), context.clock.now(), "topology scan")
    try:
        with context.store.locks.hold(SCANS, me, SCAN_WAIT):
            found = _scan(context, links=links, logins=logins)
    except Locked as fault:
        words = "what it sees is in `multiall topology show`; or run again when it has ended"
        raise Locked("topology", fault.what, words) from None
    found = replace(found, topology=_with_pools(context, found.topology))
    if context.site.settings.topology.publish is None:
        return found
    with suppress(Locked), context.store.locks.hold(PUBLICATIONS, me, 0.0):
        return replace(found, published=_publish(context, found, context.site.settings.topology.publish))
    return found  # another run publishes; the rest is due at the next scan


def _scan(context: Context, *, links: bool | None, logins: bool) -> Round:
    from multiall_cli.engine.probe import Watcher, scan

    watcher = Watcher(
        context.vantage,
        context.adapters.prober,
        context.store,
        context.clock,
        context.site.settings.topology,
        lambda now: downtimes(context, now),
        context.parallel,
        context.watch,
        context.stop,
    )
    return scan(watcher, tuple(context.inventory.servers.values()), links=links, logins=logins)


def discover(context: Context, target: str) -> Discovery:
    """Return neighbours of servers that the inventory does not have. `target` '': asks all servers. Reads only."""
    from multiall_cli.adapters.local import addresses
    from multiall_cli.engine.discover import discover

    with context.adapters.in_network():
        ours = addresses()
    known, topology = context.inventory.servers, current_topology(context)
    asked = via_relays(select_or_all(context, target), topology.relays)
    world = replace(context, away=unavailable(topology))
    return discover(world, asked, known, ours, context.adapters.prober.probe)


# --- downtimes ------------------------------------------------------------------------------------------------------


def set_downtime(
    context: Context, target: str, what: DowntimeKind, begins: float, ends: float, because: str
) -> tuple[Downtime, ...]:
    """Drain servers, put them in maintenance or pin them, until a time.

    `begins` 0: from now on, also if the clock is set back. Raises UsageError.
    """
    from multiall_cli.engine.operator import who

    now, me = context.clock.now(), who()
    servers = select_servers(context, target)
    said = tuple(Downtime(each.name, what, begins, ends, me, because, said=now) for each in servers)
    for each in said:
        context.store.downtimes.set(each)
    return said


def end_downtime(context: Context, target: str) -> tuple[Downtime, ...]:
    """End all downtimes of servers; return those that ended."""
    now, servers = context.clock.now(), select_servers(context, target)
    return tuple(ended for server in servers for ended in context.store.downtimes.end(server.name, now))


# --- publication ----------------------------------------------------------------------------------------------------


def _publish(context: Context, found: Round, path: str) -> Published | None:
    """Publish the picture to members, if that is due."""
    from multiall_cli.engine.publish import keep, publish, standing
    from multiall_cli.planning import publication

    settings, topology = context.site.settings.topology, found.topology
    if not publication.due(found, standing(context.store.states), path, settings.ttl):
        return None
    told, signer = publication.snapshot(topology, settings.ttl), context.adapters.signer
    content = publication.written(told, signer.public, signer.sign(publication.canonical(told)))
    up = [each for name, each in context.inventory.servers.items() if topology.state_of(name) in PUBLISHED_TO]
    done = publish(context, via_relays(up, topology.relays), path, content)
    gone = tuple(name for name in context.inventory.servers if topology.state_of(name) not in REST)
    keep(context.store.states, LastPublished(topology.at, publication.said(topology, path, settings.ttl), gone))
    return done


def verify(context: Context, file: Path) -> Verified:
    """Return whether a published topology is of this site and still valid. Raises UsageError."""
    from multiall_cli.adapters.bounded_read import read_bounded
    from multiall_cli.adapters.signing_key import is_signed
    from multiall_cli.planning import publication

    try:
        told = publication.read(read_bounded(file, publication.MOST))
    except OSError as fault:
        raise UsageError(str(file), f"it cannot be read: {fault.strerror}", "look at its path") from None
    if told is None:
        raise UsageError(str(file), "it is no published topology", "name the file of `topology.publish`")
    found, key, signature = told
    signed = is_signed(publication.canonical(found), key, signature)
    ours = key == context.adapters.signer.public
    return publication.verified(found, ours=ours, signed=signed, now=context.clock.now())
