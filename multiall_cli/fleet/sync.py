"""Plan, diff and sync a pool: its files and names under one plan id."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from multiall_cli.agents.files import file_tree
from multiall_cli.domain.answer import Difference
from multiall_cli.domain.change import Plan
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.inventory import Pool
from multiall_cli.domain.pool_plan import PoolPlan, PoolReport, PoolWish
from multiall_cli.domain.records import ZonePlan, ZoneReport
from multiall_cli.domain.run import Report
from multiall_cli.domain.scope import Scope, pool_scope
from multiall_cli.engine import sync as engine
from multiall_cli.engine.compare import differences
from multiall_cli.engine.context import Assignment, Context
from multiall_cli.engine.look import look
from multiall_cli.engine.operator import here
from multiall_cli.engine.sync import Wish
from multiall_cli.fleet import health, rollouts, zones
from multiall_cli.fleet.lookup import find_pool, select_servers
from multiall_cli.fleet.topology import informed
from multiall_cli.planning.assign import assign
from multiall_cli.planning.order import joint_id
from multiall_cli.planning.whom import through


def plan(context: Context, pool: str, only: str = "") -> PoolPlan:
    """Return what a sync would change. Reads only. Raises Refused, UsageError, Unreachable (a source)."""
    names = _planned_names(context, pool) if _has_names(context, pool, only) else ()
    files = plan_files(context, pool, only) if _has_files(context, pool, only) else None
    return PoolPlan(pool, files, names, _id(files, names))


def sync(context: Context, pool: str, wish: PoolWish) -> PoolReport:
    """Make a pool's files, then its names, as declared. Raises Locked, Refused, UsageError, Unreachable.

    With a plan id, both parts must still be as planned before either is touched. Names are left alone where the files
    were refused, stopped or not confirmed.
    """
    has_names = _has_names(context, pool, wish.only)
    planned = _planned_names(context, pool, wish.names_forced) if has_names and wish.plan else None
    for each in planned or ():
        if each.brake:
            raise Refused(f"zone {each.plan.zone.shown}", each.brake, f"look at `multiall pool plan {pool}`")
    if not _has_files(context, pool, wish.only):
        _check(pool, wish.plan, _id(None, planned or ()))
        return PoolReport(None, _sync_names(context, pool, wish, planned))
    files = _sync_files(context, pool, wish, planned)
    if not has_names:
        return PoolReport(files)
    if files.stopped:
        return PoolReport(files, _untouched(context, pool, files))
    return PoolReport(files, _sync_names(context, pool, wish, planned))


def _has_names(context: Context, pool: str, only: str) -> bool:
    return bool(find_pool(context, pool).names) and not only


def _has_files(context: Context, pool: str, only: str) -> bool:
    return bool(find_pool(context, pool).files) or not _has_names(context, pool, only)


def _planned_names(context: Context, pool: str, forced: Sequence[str] = ()) -> tuple[ZoneReport, ...]:
    return tuple(zones.plan(context, zones.of_pool(context, pool), pool, frozenset(forced)))


def _id(files: Plan | None, names: Sequence[ZoneReport]) -> str:
    told = [(each.plan.zone.id, each.plan.id or f"not read: {each.stopped}") for each in names]
    return joint_id(files.id if files else "", told)


def _check(pool: str, wanted: str, now: str) -> None:
    """Raises Refused where the plan is no longer the wanted one."""
    if wanted and wanted != now:
        what = f"the plan is now {now}, not {wanted}: something changed since"
        raise Refused(f"pool {pool}", what, f"look at `multiall pool plan {pool}` again")


def _sync_files(context: Context, pool: str, wish: PoolWish, names: Sequence[ZoneReport] | None) -> Report:
    return sync_files(
        context,
        pool,
        only=wish.only,
        plan=wish.plan,
        forced=wish.files_forced,
        lock_wait=wish.lock_wait,
        confirm=wish.confirm_files,
        id_of=lambda found: _id(found, names or ()),
    )


def _sync_names(
    context: Context, pool: str, wish: PoolWish, planned: Sequence[ZoneReport] | None
) -> tuple[ZoneReport, ...]:
    from multiall_cli.engine.zones import ZoneWish

    approved: dict[str, ZonePlan] | None = None
    if planned is not None:
        approved = {each.plan.zone.id: each.plan for each in planned}
    made = ZoneWish(
        pool=pool,
        forced=frozenset(wish.names_forced),
        lock_wait=wish.lock_wait,
        confirm=wish.confirm_names,
        approved=approved,
    )
    return tuple(zones.sync(context, zones.of_pool(context, pool), made))


def _untouched(context: Context, pool: str, files: Report) -> tuple[ZoneReport, ...]:
    words = f"the names of {pool} were left alone, since the sync of its files stopped: {files.stopped}"
    return tuple(
        replace(ZoneReport(ZonePlan(zone, ())), stopped=words, todo="run it again", exit=files.exit)
        for zone in zones.of_pool(context, pool)
    )


# --- files ----------------------------------------------------------------------------------------------------------


def plan_files(context: Context, pool: str, only: str = "") -> Plan:
    """Return what a sync of a pool's files would change. Reads only. Raises Refused, UsageError, Unreachable."""
    sight = look(*_work(context, find_pool(context, pool), only))
    sight.close()
    return sight.plan


def diff(context: Context, pool: str, only: str = "") -> tuple[Difference, ...]:
    """Return what a sync of a pool's files would change, as text. Reads only."""
    sight = look(*_work(context, find_pool(context, pool), only))
    try:
        return differences(sight)
    finally:
        sight.close()


def sync_files(
    context: Context,
    pool: str,
    *,
    only: str = "",
    plan: str = "",
    forced: Sequence[str] = (),
    lock_wait: float = 0.0,
    confirm: Callable[[Plan], bool] = lambda plan: True,
    id_of: Callable[[Plan], str] = lambda plan: plan.id,
) -> Report:
    """Make a pool's files as declared. Raises Locked, Refused, UsageError, Unreachable.

    `only`: a target within the pool; `plan`: an id that must still hold; `forced`: guards to pass; `confirm` sees the
    plan and decides; `id_of`: as of a Wish.
    """
    wish = Wish(
        plan=plan,
        forced=frozenset(forced),
        lock_wait=lock_wait,
        limits=context.site.guards,
        confirm=confirm,
        id_of=id_of,
        gate=lambda gate, servers: health.wait_for_health(context, gate, servers),
        drain=lambda servers: rollouts.drain(context, pool, servers),
        restore=lambda servers: rollouts.restore(context, pool, servers),
    )
    declared = find_pool(context, pool)
    ready, _, assignments = _work(context, declared, only)
    return engine.sync(ready, declared, assignments, wish)


def _work(context: Context, pool: Pool, only: str) -> tuple[Context, Scope, list[Assignment]]:
    """A pool's scope and agents, and the context with what the topology says. Raises Refused, UsageError."""
    ready = informed(context)
    chosen = frozenset(server.name for server in select_servers(context, only)) if only else None
    assignments = [
        Assignment(
            file_tree(declared, context.inventory.servers, context.store, here()),
            tuple(through(servers, ready.relays)),
        )
        for declared, servers in assign(context.inventory, pool, chosen, only).items()
    ]
    return ready, pool_scope(pool.name), assignments
