"""Rollouts with drain: a batch leaves its names, waits for its clients to leave, and comes back."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from multiall_cli.domain.errors import (
    Locked,
)
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.records import (
    Decision,
    ZoneReport,
    key_of,
)
from multiall_cli.domain.scope import Purpose
from multiall_cli.domain.topology import Downtime, DowntimeKind
from multiall_cli.engine.context import Context
from multiall_cli.fleet.topology import current_topology, scan
from multiall_cli.fleet.zones import bound, departures, of_pool, sync
from multiall_cli.planning.zones.guards import CHANGES, HOUR

DRAINED = 3600.0  # seconds that a rollout may have members out of their names


def drain(context: Context, pool: str, names: Sequence[str]) -> str:
    """Take members out of their pool's names, and wait until no client uses them; return why that failed, or ''.

    Members that an operator has drained stay drained. The others come back by themselves after an hour at the latest.
    """
    from multiall_cli.engine.operator import who

    topology = current_topology(context)
    ours = [name for name in names if topology.planned_of(name) is None]

    def promise(lasts: float) -> None:
        now = context.clock.now()
        for name in ours:
            context.store.downtimes.set(
                Downtime(name, DowntimeKind.DRAIN, 0.0, now + lasts, who(), _because(pool), said=now)
            )

    promise(DRAINED)
    for report in _moved(context, pool, Purpose.DRAIN):
        if why := _failing(report):
            return why
        if late := next((each for each in report.servers if each.trouble), None):
            words = "may still give them" if late.serial is None else "still gives them"
            return f"{late.server} {words}: {late.trouble}"
        still = [
            each for each in report.plan.decisions if each.wanted and _values(each, names) & set(each.wanted.values)
        ]
        if still:
            return f"{key_of(still[0].claim.place)} would have too few members: {'; '.join(still[0].notes)}"
    until = bound(departures(context, ", ".join(names)))
    promise(max(0.0, until - context.clock.now()) + DRAINED)
    while (left := until - context.clock.now()) > 0 and not context.stop():
        context.pause(min(left, 0.2))
    return "interrupted" if context.stop() else ""


def restore(context: Context, pool: str, names: Sequence[str]) -> str:
    """Put members back that `drain` took out; return why they are not back, or ''."""
    now = context.clock.now()
    for each in context.store.downtimes.all(now):
        if each.server in names and each.because == _because(pool):
            context.store.downtimes.end(each.server, now)
    with suppress(Locked):  # a scan elsewhere finds the same
        scan(context, links=False, logins=True)  # a returning member needs recent evidence
    return next(filter(None, map(_failing, _moved(context, pool, Purpose.RESTORE))), "")


def _moved(context: Context, pool: str, purpose: Purpose) -> list[ZoneReport]:
    """Sync the pool's names for a drain or a restore. Planned changes are not damped."""
    from multiall_cli.engine.zones import ROLLOUT, ZoneSyncOptions

    zones = [replace(zone, interval=0.0) for zone in of_pool(context, pool)]
    meant = frozenset({CHANGES, HOUR})  # a batch leaves all of its names; the minimum numbers of members still apply
    return list(sync(context, zones, ZoneSyncOptions(ROLLOUT, purpose, pool, forced=meant, lock_wait=DRAINED)))


def _failing(report: ZoneReport) -> str:
    """Return why not all changes were written, or ''."""
    if report.stopped or report.refused or report.exit is Exit.REFUSED:
        return report.stopped or str((*report.refused, *report.plan.conflicts)[0])
    return ""


def _because(pool: str) -> str:
    return f"rollout of {pool}"


def _values(decision: Decision, names: Sequence[str]) -> set[str]:
    claim = decision.claim
    return {claim.values[name] for name in names if name in claim.values} if claim.follows else set()
