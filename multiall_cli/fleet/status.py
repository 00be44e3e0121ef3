"""The state of a pool's members, as the store has it."""

from multiall_cli.domain.answer import MemberStatus, PoolStatus
from multiall_cli.engine.context import Context
from multiall_cli.fleet.lookup import find_pool


def pool_status(context: Context, pool: str) -> PoolStatus:
    """Return the last result of each member and what it missed. Asks no server."""
    declared, store = find_pool(context, pool), context.store
    standings = {each.server: each for each in store.standings(pool)}
    missed, pending, owed = store.outbox(pool), store.pending(pool), store.owed(pool)
    members = tuple(
        MemberStatus(
            name,
            standings.get(name),
            tuple(each for each in missed if each.server == name),
            sum(1 for each in pending if each.server == name),
            tuple(each for each in owed if each.server == name),
        )
        for name in declared.members
    )
    return PoolStatus(pool, members, next(iter(store.runs(1, pool)), None))
