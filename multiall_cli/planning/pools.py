"""Health of a pool, from the health of its members. Pure."""

from collections.abc import Iterable, Mapping

from multiall_cli.domain.baseline import UNKNOWN, Code, ServerHealth, worst
from multiall_cli.domain.health import PoolHealth
from multiall_cli.domain.inventory import Pool

_WORKS = (Code.EXEMPT, Code.SUPPRESSED, Code.PENDING)
"""Neutral codes of a server that still works."""


def works(code: Code) -> bool:
    """Return whether a server works, as far as is known: good, or no worse than a warning."""
    return code // 100 in (2, 3) or code in _WORKS


def pool_health(pool: Pool, servers: Mapping[str, ServerHealth]) -> PoolHealth:
    """Return the health of a pool: the worst code of its members, unless it has a quorum.

    With a quorum, the pool is critical only if fewer members can be working. It is unknown if the quorum depends on
    members in an unknown state, and otherwise no worse than a warning.
    """
    codes = [servers[name].code for name in pool.members if name in servers]
    working = sum(1 for code in codes if works(code))
    found = worst(codes)
    if pool.quorum is None:
        return PoolHealth(pool.name, found, working, len(codes))
    quorum = pool.quorum.of(len(pool.members))
    unknown = [code for code in codes if code // 100 == UNKNOWN]
    if working < quorum:
        short = worst(unknown) if working + len(unknown) >= quorum else Code.CRIT_LIMIT
        return PoolHealth(pool.name, short, working, len(codes), quorum)
    calmed = Code.WARN_LIMIT if found.rank > Code.WARN_LIMIT.rank else found
    return PoolHealth(pool.name, calmed, working, len(codes), quorum)


def pools_health(pools: Iterable[Pool], servers: Mapping[str, ServerHealth]) -> tuple[PoolHealth, ...]:
    """Return the health of those pools that have a result for every member."""
    return tuple(pool_health(pool, servers) for pool in pools if all(name in servers for name in pool.members))
