"""multiall pool: what pools are, what would change, and making it so."""

from dataclasses import replace
from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import completion
from multiall_cli.cli.context import ask, fleet, fleet_with_progress, must_ask, options_of, question, require_complete
from multiall_cli.cli.dns import asking
from multiall_cli.cli.options import LockWait, Noun, Verb
from multiall_cli.cli.render import pool_plans as render_plans
from multiall_cli.cli.render import pools as render
from multiall_cli.cli.render.result import show
from multiall_cli.cli.render.text import count
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.pool_plan import PoolWish
from multiall_cli.planning.guard_names import FILES, NAMES, by_part

app = typer.Typer(
    cls=Noun, no_args_is_help=True, add_completion=False, help="Pools: list, show, plan, sync, status, diff."
)

PoolName = Annotated[str, typer.Argument(metavar="POOL", autocompletion=completion.pools, help="The pool's name.")]
Only = Annotated[
    str,
    typer.Option("--only", metavar="TARGET", autocompletion=completion.targets, help="Only these members of it."),
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
def plan_pool(context: Context, pool: PoolName, only: Only = "") -> int:
    """What a sync would change, of files and names, under one id; exit code 10 where there is anything."""
    with fleet_with_progress(context, f"plan of {pool}") as (found, pause):
        planned = found.pools.plan(pool, only)
        pause()
        require_complete(found, f"plan of {pool}")
        return show(options_of(context), render_plans.plan(planned))


@app.command("sync", cls=Verb)
def sync_pool(
    context: Context,
    pool: PoolName,
    only: Only = "",
    plan: Annotated[str, typer.Option("--plan", metavar="ID", help="Only if the plan is still this one.")] = "",
    force_guard: Annotated[
        list[str] | None,
        typer.Option(
            "--force-guard",
            metavar="NAME",
            help="Let this guard pass: files.deletions, files.changes, files.empties, names.frozen, names.empties, "
            "names.changes, names.hour, names.unseen.",
        ),
    ] = None,
    lock_wait: LockWait = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan, as `pool plan` does.")] = False,
) -> int:
    """Make every member as declared; shows the plan and asks first."""
    if dry_run:
        return plan_pool(context, pool, only)
    with fleet_with_progress(context, f"sync of {pool}") as (found, pause):
        declared = found.pools.find(pool)
        among = f"{count(len(declared.members), 'member')} of {pool}"
        has_names = bool(declared.names) and not only
        passed = _guards(force_guard or [], has_names=has_names)
        asks = must_ask(context)

        def confirm(found_plan: Plan) -> bool:
            if not asks:
                return True
            pause()
            render.show_before_asking(replace(found_plan, id=plan) if has_names else found_plan)
            return ask(question(found_plan, "sync", among))

        wish = PoolWish(
            only=only,
            plan=plan,
            files_forced=passed[FILES],
            names_forced=passed[NAMES],
            lock_wait=lock_wait,
            confirm_files=confirm,
            confirm_names=asking("sync", pause, asks=asks),
        )
        done = found.pools.sync(pool, wish)
        pause()
        return show(options_of(context), render_plans.report(done))


def _guards(names: list[str], *, has_names: bool) -> dict[str, tuple[str, ...]]:
    """Return the guards to pass, of files and of names. Raises UsageError for a name that is none, or both."""
    from multiall_cli.planning.guard import NAMES as OF_FILES
    from multiall_cli.planning.zones.guards import NAMES as OF_NAMES

    return by_part(names, {FILES: OF_FILES, NAMES: OF_NAMES}, (FILES, NAMES) if has_names else (FILES,))


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
