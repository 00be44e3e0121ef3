"""multiall pool: what pools are, what would change, and making it so."""

from typing import Annotated

import typer
from typer import Context

from multiall_cli.cli import complete
from multiall_cli.cli.context import ask, busy_fleet, fleet, given, guards_among, must_ask, question, whole
from multiall_cli.cli.dns import wish_of
from multiall_cli.cli.options import LockWait, Noun, Verb
from multiall_cli.cli.render import pools as render
from multiall_cli.cli.render import zones
from multiall_cli.cli.render.text import count
from multiall_cli.cli.render.view import show
from multiall_cli.domain.change import Plan
from multiall_cli.domain.records import ZoneReport

app = typer.Typer(
    cls=Noun, no_args_is_help=True, add_completion=False, help="Pools: list, show, plan, sync, status, diff."
)

PoolName = Annotated[str, typer.Argument(metavar="POOL", autocompletion=complete.pools, help="The pool's name.")]
Only = Annotated[
    str,
    typer.Option("--only", metavar="TARGET", autocompletion=complete.targets, help="Only these members of it."),
]


@app.command("list", cls=Verb)
def list_pools(context: Context) -> int:
    """All pools with their members."""
    with fleet(context) as found:
        return show(given(context), render.pool_list(tuple(found.inventory.pools.values())))


@app.command("show", cls=Verb)
def show_pool(context: Context, pool: PoolName) -> int:
    """One pool: members and what it declares."""
    with fleet(context) as found:
        return show(given(context), render.pool(found.pool(pool)))


@app.command("plan", cls=Verb)
def plan_pool(context: Context, pool: PoolName, only: Only = "") -> int:
    """What a sync would change; exit code 10 where there is anything."""
    with busy_fleet(context, f"plan of {pool}") as (found, pause):
        has_names = bool(found.pool(pool).names) and not only
        plan = found.plan(pool, only) if found.pool(pool).files or not has_names else None
        names = found.pool_zone_plans(pool) if has_names else ()
        pause()
        whole(found, f"plan of {pool}")
        return show(given(context), zones.beside(render.plan(plan) if plan else None, zones.plans(names), names))


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
            help="Let this guard pass: deletions, changes, empties; of zones also frozen, hour.",
        ),
    ] = None,
    lock_wait: LockWait = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan, as `pool plan` does.")] = False,
) -> int:
    """Make every member as declared; shows the plan and asks first."""
    if dry_run:
        return plan_pool(context, pool, only)
    forced, of_zones = _guards(force_guard or [])
    with busy_fleet(context, f"sync of {pool}") as (found, pause):
        among = f"{count(len(found.pool(pool).members), 'member')} of {pool}"
        asks = must_ask(context)

        def confirm(found_plan: Plan) -> bool:
            if not asks:
                return True
            pause()
            render.show_before_asking(found_plan)
            return ask(question(found_plan, "sync", among))

        has_names = bool(found.pool(pool).names) and not only
        report = None
        if found.pool(pool).files or not has_names:
            report = found.sync(pool, only=only, plan=plan, forced=forced, lock_wait=lock_wait, confirm=confirm)
        names: tuple[ZoneReport, ...] = ()
        if has_names and not found.stop():
            wish = wish_of(context, "sync", pause, forced=of_zones, lock_wait=lock_wait, pool=pool)
            names = found.sync_pool_zones(pool, wish)
        pause()
        return show(
            given(context), zones.beside(render.report(report) if report else None, zones.reports(names), names)
        )


def _guards(names: list[str]) -> tuple[list[str], list[str]]:
    """The guards to pass, of the pool's members and of its names. Errors: UsageError for a name that is none."""
    from multiall_cli.planning.guard import NAMES
    from multiall_cli.planning.zones.brakes import NAMES as OF_ZONES

    known = tuple(dict.fromkeys((*NAMES, *OF_ZONES)))
    guards_among(names, known)
    return [name for name in names if name in NAMES], [name for name in names if name in OF_ZONES]


@app.command("status", cls=Verb)
def status_of_pool(context: Context, pool: PoolName) -> int:
    """How the members came out last and what they missed; asks no server."""
    with fleet(context) as found:
        return show(given(context), render.status(found.status(pool)))


@app.command("diff", cls=Verb)
def diff_pool(context: Context, pool: PoolName, only: Only = "") -> int:
    """What a sync would change, line by line; equal differences are told once. Exit code 10 where there is any."""
    with busy_fleet(context, f"diff of {pool}") as (found, pause):
        differences = found.diff(pool, only)
        pause()
        whole(found, f"diff of {pool}")
        return show(given(context), render.differences(pool, differences))
