"""`fleet.journal`."""

from typing import TYPE_CHECKING

from multiall_cli.domain.answer import Pending, RunDetails
from multiall_cli.domain.run import Run
from multiall_cli.domain.scope import pool_scope
from multiall_cli.fleet import journal as work

if TYPE_CHECKING:
    from multiall_cli.engine.context import Context

RUNS_SHOWN = 20


class JournalVerbs:
    """Journal: past runs, their operators, and open work."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def runs(self, limit: int = RUNS_SHOWN, pool: str | None = None) -> tuple[Run, ...]:
        """Return the newest runs first. `pool`: only those that changed something of this pool, its names included."""
        return tuple(self._context.store.journal.runs(limit, pool_scope(pool) if pool else None))

    def run(self, run_id: str) -> RunDetails:
        """Return a run with all that it changed. Raises UsageError."""
        return work.run_details(self._context, run_id)

    def pending(self, pool: str | None = None) -> Pending:
        """Return the open work that the next sync of each pool will settle."""
        return work.pending(self._context, pool)
