"""Lookup of pools, servers and targets by name, with a suggestion on a typo."""

from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Pool, Server
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.scope import pool_scope
from multiall_cli.engine.context import Context
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets import select, world_of


def find_pool(context: Context, name: str) -> Pool:
    """Return a pool. Raises UsageError with the nearest known name."""
    known = context.inventory.pools
    if name not in known:
        todo = f"{did_you_mean(name, known)}`multiall pool list` shows all"
        raise UsageError(f"pool {name}", "there is no such pool", todo)
    return known[name]


def find_server(context: Context, name: str) -> Server:
    """Return a server. Raises UsageError with the nearest known name."""
    known = context.inventory.servers
    if name not in known:
        todo = f"{did_you_mean(name, known)}`multiall server list` shows all"
        raise UsageError(f"server {name}", "there is no such server", todo)
    return known[name]


def select_servers(context: Context, target: str) -> tuple[Server, ...]:
    """Return the servers that a target expression means. Raises UsageError if there are none."""
    special = _unfinished(context) if "@failed" in target or "@deferred" in target else {}
    names = select(target, world_of(context.inventory, special=special))
    return tuple(context.inventory.servers[name] for name in names)


def select_or_all(context: Context, target: str) -> tuple[Server, ...]:
    """Return the servers of a target, or all servers if it is ''. Raises UsageError if there are none."""
    return select_servers(context, target) if target else tuple(context.inventory.servers.values())


def _unfinished(context: Context) -> dict[str, tuple[str, ...]]:
    """Return the members that the last run of each pool left failed or deferred."""
    standings = [each for pool in context.inventory.pools for each in context.store.results.of(pool_scope(pool))]
    return {
        word: tuple(dict.fromkeys(each.subject for each in standings if each.state is state))
        for word, state in (("failed", MemberState.FAILED), ("deferred", MemberState.DEFERRED))
    }
