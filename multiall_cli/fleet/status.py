"""Saved state of a pool's members."""

from multiall_cli.domain.answer import MemberStatus, PoolStatus
from multiall_cli.domain.scope import pool_scope
from multiall_cli.engine.context import Context
from multiall_cli.fleet.journal import once_per_run
from multiall_cli.fleet.lookup import find_pool


def pool_status(context: Context, pool: str) -> PoolStatus:
    """Return the last result of each member, and the runs it missed. Asks no server."""
    declared, store = find_pool(context, pool), context.store
    scope = pool_scope(pool)
    results = {each.subject: each for each in store.results.of(scope)}
    missed, pending, owed = store.backlog.entries(scope), store.journal.pending(scope), store.handlers.of(scope)
    members = tuple(
        MemberStatus(
            name,
            results.get(name),
            once_per_run(each for each in missed if each.subject == name),
            sum(1 for each in pending if each.subject == name),
            tuple(each for each in owed if each.subject == name),
        )
        for name in declared.members
    )
    return PoolStatus(pool, members, next(iter(store.journal.runs(1, scope)), None))
