"""Past runs, and open work."""

from collections.abc import Iterable

from multiall_cli.domain.answer import Pending, RunDetails
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.run import BacklogEntry
from multiall_cli.domain.scope import pool_scope
from multiall_cli.engine.context import Context


def run_details(context: Context, run_id: str) -> RunDetails:
    """Return a run with all its changes. Raises UsageError if there is none."""
    store, run = context.store, context.store.journal.run(run_id)
    if run is None:
        raise UsageError(f"run {run_id}", "there is no such run", "`multiall journal list` shows them")
    backlog = [*store.backlog.entries(run.scope), *store.backlog.entries(run.scope, delivered=True)]
    missed = once_per_run(each for each in backlog if each.run == run.id)
    return RunDetails(run, tuple(store.journal.entries(run.id)), missed)


def pending(context: Context, pool: str | None) -> Pending:
    """Return the open work that the next sync of each pool will settle. `pool` None: all pools."""
    store, scope = context.store, pool_scope(pool) if pool else None
    pools = [scope] if scope else [pool_scope(name) for name in context.inventory.pools]
    handlers = [each for one in pools for each in store.handlers.of(one)]
    missed = once_per_run(store.backlog.entries(scope))
    return Pending(tuple(store.journal.pending(scope)), missed, tuple(handlers))


def once_per_run(entries: Iterable[BacklogEntry]) -> tuple[BacklogEntry, ...]:
    """Return the first entry of each subject and run: a missed run counts once, however many agents it had."""
    found: dict[tuple[str, str], BacklogEntry] = {}
    for each in entries:
        found.setdefault((each.subject, each.run), each)
    return tuple(found.values())
