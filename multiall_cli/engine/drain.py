"""Drain of a batch: its members leave the services that point to them during their change."""

from collections.abc import Sequence
from typing import Protocol

from multiall_cli.domain.report import SubjectReport
from multiall_cli.domain.scope import Purpose
from multiall_cli.engine.context import Context
from multiall_cli.engine.services import Services
from multiall_cli.planning.targets import fold

LONGEST = 3600.0  # seconds after which drained members come back by themselves
LOOK_AGAIN = 0.2  # seconds between two checks whether clients have let go


class BatchDowntimes(Protocol):
    """BatchDowntimes of the members of a batch."""

    def set(self, batch: Sequence[str], lasts: float) -> None:
        """Set a drain for `lasts` seconds from now. Members that an operator has drained stay as they are."""
        ...

    def end(self, batch: Sequence[str]) -> None:
        """End the drains of `set`, and look at the members again: they come back only if they are known to be up."""
        ...

    def clients_until(self, batch: Sequence[str]) -> float:
        """Return when the last client forgets the members, in seconds since the epoch; 0: none knows them."""
        ...


class DrainStage:
    """Stage that drains a batch. If a run dies, its members come back by themselves after an hour at the latest."""

    def __init__(self, context: Context, services: Services, downtimes: BatchDowntimes) -> None:
        self._context, self._services, self._downtimes = context, services, downtimes

    def before(self, batch: Sequence[str]) -> str:
        why = self._drain(batch)
        return f"{fold(batch)} could not be drained: {why}" if why else ""

    def after(self, batch: Sequence[str], converged: Sequence[str]) -> str:
        """Put the members back. While members are missing from names, the next batch must not leave too."""
        why = self._restore(converged) if batch else ""
        return f"{fold(converged)} could not be put back into names: {why}" if why else ""

    def undo(self, batch: Sequence[str]) -> None:
        self._restore(batch)

    def _drain(self, batch: Sequence[str]) -> str:
        context = self._context
        self._downtimes.set(batch, LONGEST)
        for report in self._services.move(batch, Purpose.DRAIN):
            if why := _failure(report) or _still_there(report):
                return why
        until = self._downtimes.clients_until(batch)
        self._downtimes.set(batch, max(0.0, until - context.clock.now()) + LONGEST)
        while (left := until - context.clock.now()) > 0 and not context.stop():
            context.pause(min(left, LOOK_AGAIN))
        return "interrupted" if context.stop() else ""

    def _restore(self, batch: Sequence[str]) -> str:
        self._downtimes.end(batch)
        return next(filter(None, map(_failure, self._services.move(batch, Purpose.RESTORE))), "")


def _failure(report: SubjectReport) -> str:
    """Return why not all changes were made, or ''."""
    conflicts = [str(each) for part in report.parts for each in part.conflicts]
    return "" if report.state.is_good and not conflicts else report.reason or conflicts[0]


def _still_there(report: SubjectReport) -> str:
    """Return why a service may still point to a drained member, or ''."""
    if late := next((each for each in report.settlement.lags if each.trouble), None):
        words = "may still give them" if late.position is None else "still gives them"
        return f"{late.server} {words}: {late.trouble}"
    return next((each for part in report.parts for each in part.unmet), "")
