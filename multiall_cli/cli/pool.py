"""multiall pool: what pools are, what would change, and making it so."""

from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import ask, fleet, fleet_with_progress, must_ask, options_of, question, require_complete
from multiall_cli.cli.options import LockWait, Noun, Verb
from multiall_cli.cli.render import pool_plans as render_plans
from multiall_cli.cli.render import pools as render
from multiall_cli.cli.render.result import show
from multiall_cli.cli.render.text import count
from multiall_cli.domain.inventory import Pool
from multiall_cli.domain.plan import Plan
from multiall_cli.planning.guard_names import opened

app = typer.Typer(
    cls=Noun, no_args_is_help=True, add_completion=False, help="Pools: list, show, plan, sync, status, diff."
)

PoolName = Annotated[str, typer.Argument(metavar="POOL", autocompletion=completion.pools, help="The pool's name.")]
Only = Annotated[
    str,
    typer.Option("--only", metavar="TARGET", autocompletion=completion.targets, help="Only these members of it."),
]
Guards = Annotated[
    list[str] | None,
    typer.Option(
        "--force-guard",
        metavar="NAME",
        help="Let this guard pass: files.deletions, files.changes, files.empties, zones.frozen, zones.empties, "
        "zones.changes, zones.hour, zones.unseen.",
    ),
]


@app.command("list", cls=Verb)
def list_pools(context: Context) -> int:
    """All pools with their members."""
    with fleet(context) as found:
        return show(options_of(context), render.pool_list(found.pools.all()))


@app.command("show", cls=Verb)
def show_pool(context: Context, pool: PoolName) -> int:
    """One pool: members and what it declares."""
    with fleet(context) as found:
        return show(options_of(context), render.pool(found.pools.find(pool)))


@app.command("plan", cls=Verb)
def plan_pool(context: Context, pool: PoolName, only: Only = "", force_guard: Guards = None) -> int:
    """What a sync would change, of files and names, under one id; exit code 10 where there is anything."""
    with fleet_with_progress(context, f"plan of {pool}") as (found, pause):
        declared = found.pools.find(pool)
        planned = found.pools.plan(pool, only, _opened(declared, force_guard))
        pause()
        require_complete(found, f"plan of {pool}")
        return show(options_of(context), render_plans.plan(planned, found.inventory.zones))


@app.command("sync", cls=Verb)
def sync_pool(
    context: Context,
    pool: PoolName,
    only: Only = "",
    plan: Annotated[str, typer.Option("--plan", metavar="ID", help="Only if the plan is still this one.")] = "",
    force_guard: Guards = None,
    lock_wait: LockWait = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan, as `pool plan` does.")] = False,
) -> int:
    """Make every member as declared; shows the plan and asks first."""
    if dry_run:
        return plan_pool(context, pool, only, force_guard)
    from multiall_cli.engine.sync import SyncOptions

    with fleet_with_progress(context, f"sync of {pool}") as (found, pause):
        declared = found.pools.find(pool)
        asks = must_ask(context)

        def confirm(found_plan: Plan) -> bool:
            if not asks:
                return True
            pause()
            render_plans.show_before_asking(found_plan, found.inventory.zones)
            return ask(question(found_plan, "sync", f"{count(len(declared.members), 'member')} of {pool}"))

        options = SyncOptions("sync", plan, _opened(declared, force_guard), lock_wait=lock_wait, confirm=confirm)
        done = found.pools.sync(pool, options, only)
        pause()
        return show(options_of(context), render_plans.report(done, found.inventory.zones))


def _opened(pool: Pool, names: list[str] | None) -> frozenset[str]:
    """Return the guards to open, by full name. Raises UsageError for an unknown name, or one of two kinds."""
    from multiall_cli.agents.zones.guards import NAMES as OF_ZONES
    from multiall_cli.planning.guard import NAMES as OF_FILES

    return opened(names or [], {"files": OF_FILES, "zones": OF_ZONES}, ("files", "zones") if pool.names else ("files",))


@app.command("status", cls=Verb)
def status_of_pool(context: Context, pool: PoolName) -> int:
    """How the members came out last and what they missed; asks no server."""
    with fleet(context) as found:
        return show(options_of(context), render.status(found.pools.status(pool)))


@app.command("diff", cls=Verb)
def diff_pool(context: Context, pool: PoolName, only: Only = "") -> int:
    """What a sync would change, line by line; equal differences are told once. Exit code 10 where there is any."""
    with fleet_with_progress(context, f"diff of {pool}") as (found, pause):
        differences = found.pools.diff(pool, only)
        pause()
        require_complete(found, f"diff of {pool}")
        return show(options_of(context), render.differences(pool, differences))
