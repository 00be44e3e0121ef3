"""Past runs, and what is still open."""

from multiall_cli.domain.answer import Pending, RunDetails
from multiall_cli.domain.errors import UsageError
from multiall_cli.engine.context import Context


def run_details(context: Context, run_id: str) -> RunDetails:
    """A run with all that it changed. Raises UsageError if there is none."""
    store, run = context.store, context.store.run(run_id)
    if run is None:
        raise UsageError(f"run {run_id}", "there is no such run", "`multiall journal list` shows them")
    missed = [*store.outbox(run.pool), *store.outbox(run.pool, delivered=True)]
    return RunDetails(run, tuple(store.entries(run.id)), tuple(each for each in missed if each.run == run.id))


def pending(context: Context, pool: str | None) -> Pending:
    """What is still open, and what the next sync of each pool will settle. `pool` None: all pools."""
    store, pools = context.store, [pool] if pool else list(context.inventory.pools)
    owed = [each for name in pools for each in store.owed(name)]
    return Pending(tuple(store.pending(pool)), tuple(store.outbox(pool)), tuple(owed))
