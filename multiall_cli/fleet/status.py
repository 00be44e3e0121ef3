"""Saved state of a pool's members and names."""

from collections.abc import Sequence
from typing import TypeVar

from multiall_cli.domain.answer import MemberStatus, PoolStatus
from multiall_cli.domain.run import BacklogEntry, Entry, PendingHandler
from multiall_cli.domain.scope import pool_scope, zone_scope
from multiall_cli.engine.context import Context
from multiall_cli.fleet.journal import once_per_run
from multiall_cli.fleet.lookup import find_pool
from multiall_cli.planning.zones.claims import zones_of_pool

Line = TypeVar("Line", BacklogEntry, Entry, PendingHandler)


def pool_status(context: Context, pool: str) -> PoolStatus:
    """Return the last result of each member and zone, and the runs it missed. Asks no server."""
    declared, store = find_pool(context, pool), context.store
    scope = pool_scope(pool)
    results = {each.subject: each for each in store.results.of(scope)}
    missed, pending, owed = store.backlog.entries(scope), store.journal.pending(scope), store.handlers.of(scope)
    zones = [each.shown for each in zones_of_pool(context.inventory, declared)]

    def status(name: str, *, is_zone: bool) -> MemberStatus:
        own = [results.get(name), *(store.results.of(zone_scope(name)) if is_zone else ())]
        newest = max(filter(None, own), key=lambda each: each.at, default=None)
        open_intents = _about(pending, name, is_zone=is_zone)
        handlers = tuple(_about(owed, name, is_zone=is_zone))
        return MemberStatus(
            name, newest, once_per_run(_about(missed, name, is_zone=is_zone)), len(open_intents), handlers
        )

    return PoolStatus(
        pool,
        tuple(status(name, is_zone=False) for name in declared.members),
        next(iter(store.journal.runs(1, scope)), None),
        tuple(status(name, is_zone=True) for name in zones),
    )


def _about(lines: Sequence[Line], subject: str, *, is_zone: bool) -> list[Line]:
    """Return the lines about a member, or about a zone: a server and a zone may have the same name."""
    return [each for each in lines if each.subject == subject and each.agent.startswith("zones:") == is_zone]
