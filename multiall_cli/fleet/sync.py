"""Plan, diff and sync of a pool: its files and names under one plan id."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from multiall_cli.agents.files import file_tree
from multiall_cli.domain.answer import Difference
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.inventory import Pool, Server
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.pool_plan import PoolPlan, PoolReport, PoolWish
from multiall_cli.domain.records import ZonePlan, ZoneReport
from multiall_cli.domain.report import Report
from multiall_cli.domain.scope import Scope, pool_scope
from multiall_cli.engine import sync as engine
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.observe import observe
from multiall_cli.engine.operator import here
from multiall_cli.engine.rollout import DrainStage, GateStage, RolloutStage
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.engine.text_diff import differences
from multiall_cli.fleet import health, rollouts, zones
from multiall_cli.fleet.lookup import find_pool, select_servers
from multiall_cli.fleet.topology import informed
from multiall_cli.planning.assignments import assign
from multiall_cli.planning.guard_names import FILES, whole_names
from multiall_cli.planning.order import joint_id
from multiall_cli.planning.whom import via_relays

ANYTHING = SyncOptions()


def plan(context: Context, pool: str, only: str = "") -> PoolPlan:
    """Return what a sync would change. Reads only. Raises Refused, UsageError, Unreachable (a source)."""
    names = _planned_names(context, pool) if _has_names(context, pool, only) else ()
    files = plan_files(context, pool, only) if _has_files(context, pool, only) else None
    return PoolPlan(pool, files, names, _id(files, names))


def sync(context: Context, pool: str, wish: PoolWish) -> PoolReport:
    """Make a pool's files, then its names, as declared. Raises Locked, Refused, UsageError, Unreachable.

    With a plan id, both parts must match the plan before either is touched. Names are left alone if the files were
    refused, stopped or not confirmed.
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
    """Raise Refused if the plan is no longer the approved one."""
    if wanted and wanted != now:
        what = f"the plan is now {now}, not {wanted}: something changed since"
        raise Refused(f"pool {pool}", what, f"look at `multiall pool plan {pool}` again")


def _sync_files(context: Context, pool: str, wish: PoolWish, names: Sequence[ZoneReport] | None) -> Report:
    options = SyncOptions(
        plan=wish.plan,
        id_of=lambda found: _id(found, names or ()),
        open_guards=whole_names(FILES, wish.files_forced),
        lock_wait=wish.lock_wait,
        confirm=wish.confirm_files,
    )
    return sync_files(context, pool, wish.only, options)


def _sync_names(
    context: Context, pool: str, wish: PoolWish, planned: Sequence[ZoneReport] | None
) -> tuple[ZoneReport, ...]:
    from multiall_cli.engine.zones import ZoneSyncOptions

    approved: dict[str, ZonePlan] | None = None
    if planned is not None:
        approved = {each.plan.zone.id: each.plan for each in planned}
    made = ZoneSyncOptions(
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
    found = observe(*_work(context, find_pool(context, pool), only))
    found.close()
    return found.plan


def diff(context: Context, pool: str, only: str = "") -> tuple[Difference, ...]:
    """Return what a sync of a pool's files would change, as text. Reads only."""
    found = observe(*_work(context, find_pool(context, pool), only))
    try:
        return differences(found)
    finally:
        found.close()


def sync_files(context: Context, pool: str, only: str = "", options: SyncOptions = ANYTHING) -> Report:
    """Make a pool's files as declared. Raises Locked, Refused, UsageError, Unreachable.

    `only`: a target within the pool; `options`: options of the sync, without the pool's own rollout and its stages.
    """
    declared = find_pool(context, pool)
    whole = replace(options, rollout=declared.rollout, stages=_stages(context, declared))
    return engine.sync(*_work(context, declared, only), whole)


def _stages(context: Context, pool: Pool) -> list[RolloutStage]:
    """Return the stages of a rollout: a batch is drained, changed, and put back once it is healthy."""
    stages: list[RolloutStage] = []
    if pool.rollout.drain:
        drain, restore = partial(rollouts.drain, context, pool.name), partial(rollouts.restore, context, pool.name)
        stages.append(DrainStage(drain, restore))
    if pool.rollout.gate:
        stages.append(GateStage(pool.rollout.gate, partial(health.wait_for_health, context)))
    return stages


def _work(context: Context, pool: Pool, only: str) -> tuple[Context, Scope, list[Agent], list[Server]]:
    """Return a pool's scope, agents and members, and the context with its topology. Raises Refused, UsageError."""
    ready, servers, limits = informed(context), context.inventory.servers, context.site.guards
    chosen = frozenset(server.name for server in select_servers(context, only)) if only else None
    holders = assign(context.inventory, pool, chosen, only)
    reached = {each.name: each for each in via_relays([servers[name] for name in pool.members], ready.relays)}
    agents: list[Agent] = [
        file_tree(declared, servers, context.store, here(), [reached[one.name] for one in holding], limits)
        for declared, holding in holders.items()
    ]
    names = {each.name for holding in holders.values() for each in holding}
    return ready, pool_scope(pool.name), agents, [each for name, each in reached.items() if name in names]
