"""`fleet.pools`."""

from typing import TYPE_CHECKING

from multiall_cli.domain.answer import Difference, PoolStatus
from multiall_cli.domain.inventory import Pool
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.report import Report
from multiall_cli.fleet.lookup import find_pool

if TYPE_CHECKING:
    from multiall_cli.engine.context import Context
    from multiall_cli.engine.sync import SyncOptions


class Pools:
    """Pools: their members, their plans and their syncs."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def all(self) -> tuple[Pool, ...]:
        return tuple(self._context.inventory.pools.values())

    def find(self, name: str) -> Pool:
        """Return a pool. Raises UsageError with the nearest known name."""
        return find_pool(self._context, name)

    def plan(self, pool: str, only: str = "", open_guards: frozenset[str] = frozenset()) -> Plan:
        """Return what a sync of a pool's files and names would change, under one id. Reads only.

        `only`: a target within the pool; `open_guards`: guards to pass, by full name. Raises Refused, UsageError,
        Unreachable (a source).
        """
        from multiall_cli.fleet import sync

        return sync.plan(self._context, pool, only, open_guards)

    def sync(self, pool: str, options: "SyncOptions | None" = None, only: str = "") -> Report:
        """Make a pool's files, then its names, as declared. Raises Locked, Refused, UsageError, Unreachable."""
        from multiall_cli.fleet import sync

        return sync.sync(self._context, pool, options or sync.ANYTHING, only)

    def diff(self, pool: str, only: str = "") -> tuple[Difference, ...]:
        """Return what a sync would change, as text. Reads only. Raises as `plan` does."""
        from multiall_cli.fleet import sync

        return sync.diff(self._context, pool, only)

    def status(self, pool: str) -> PoolStatus:
        """Return what the store knows of a pool's members. Asks no server."""
        from multiall_cli.fleet import status

        return status.pool_status(self._context, pool)
