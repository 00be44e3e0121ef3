"""Plan and sync a pool's files and names under one plan id."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from multiall_cli.domain.change import Plan
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.pool_plan import PoolPlan, PoolReport, PoolWish
from multiall_cli.domain.records import ZonePlan, ZoneReport
from multiall_cli.domain.run import Report
from multiall_cli.fleet import zones
from multiall_cli.planning.order import joint_id

if TYPE_CHECKING:
    from multiall_cli.fleet import Fleet


def plan(fleet: "Fleet", pool: str, only: str = "") -> PoolPlan:
    """Return what a sync would change. Reads only. Raises Refused, UsageError, Unreachable (a source)."""
    names = _planned_names(fleet, pool) if _has_names(fleet, pool, only) else ()
    files = fleet.plan(pool, only) if _has_files(fleet, pool, only) else None
    return PoolPlan(pool, files, names, _id(files, names))


def sync(fleet: "Fleet", pool: str, wish: PoolWish) -> PoolReport:
    """Make a pool's files, then its names, as declared. Raises Locked, Refused, UsageError, Unreachable.

    With a plan id, both parts must still be as planned before either is touched. Names are left alone where the files
    were refused, stopped or not confirmed.
    """
    has_names = _has_names(fleet, pool, wish.only)
    planned = _planned_names(fleet, pool, wish.names_forced) if has_names and wish.plan else None
    for each in planned or ():
        if each.brake:
            raise Refused(f"zone {each.plan.zone.shown}", each.brake, f"look at `multiall pool plan {pool}`")
    if not _has_files(fleet, pool, wish.only):
        _check(pool, wish.plan, _id(None, planned or ()))
        return PoolReport(None, _sync_names(fleet, pool, wish, planned))
    files = _sync_files(fleet, pool, wish, planned)
    if not has_names:
        return PoolReport(files)
    if files.stopped:
        return PoolReport(files, _untouched(fleet, pool, files))
    return PoolReport(files, _sync_names(fleet, pool, wish, planned))


def _has_names(fleet: "Fleet", pool: str, only: str) -> bool:
    return bool(fleet.pool(pool).names) and not only


def _has_files(fleet: "Fleet", pool: str, only: str) -> bool:
    return bool(fleet.pool(pool).files) or not _has_names(fleet, pool, only)


def _planned_names(fleet: "Fleet", pool: str, forced: Sequence[str] = ()) -> tuple[ZoneReport, ...]:
    return tuple(zones.plan(fleet, zones.of_pool(fleet, pool), pool, frozenset(forced)))


def _id(files: Plan | None, names: Sequence[ZoneReport]) -> str:
    told = [(each.plan.zone.id, each.plan.id or f"not read: {each.stopped}") for each in names]
    return joint_id(files.id if files else "", told)


def _check(pool: str, wanted: str, now: str) -> None:
    """Raises Refused where the plan is no longer the wanted one."""
    if wanted and wanted != now:
        what = f"the plan is now {now}, not {wanted}: something changed since"
        raise Refused(f"pool {pool}", what, f"look at `multiall pool plan {pool}` again")


def _sync_files(fleet: "Fleet", pool: str, wish: PoolWish, names: Sequence[ZoneReport] | None) -> Report:
    return fleet.sync(
        pool,
        only=wish.only,
        plan=wish.plan,
        forced=wish.files_forced,
        lock_wait=wish.lock_wait,
        confirm=wish.confirm_files,
        id_of=lambda found: _id(found, names or ()),
    )


def _sync_names(
    fleet: "Fleet", pool: str, wish: PoolWish, planned: Sequence[ZoneReport] | None
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
    return tuple(zones.sync(fleet, zones.of_pool(fleet, pool), made))


def _untouched(fleet: "Fleet", pool: str, files: Report) -> tuple[ZoneReport, ...]:
    words = f"the names of {pool} were left alone, since the sync of its files stopped: {files.stopped}"
    return tuple(
        replace(ZoneReport(ZonePlan(zone, ())), stopped=words, todo="run it again", exit=files.exit)
        for zone in zones.of_pool(fleet, pool)
    )
