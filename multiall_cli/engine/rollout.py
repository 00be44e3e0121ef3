"""Rollout of members batch by batch, with stages around each batch: a gate, a drain."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Gate, Rollout
from multiall_cli.domain.report import MemberState, SubjectReport
from multiall_cli.domain.run import Progress
from multiall_cli.domain.scope import Subject
from multiall_cli.engine.context import Context
from multiall_cli.engine.fanout import fan_out
from multiall_cli.planning.order import batches, too_many_failed

Converge = Callable[[str], SubjectReport]
"""Bring the named member to its desired state."""
Gone = Callable[[SubjectReport], None]
"""Called for a member that went away meanwhile."""


class RolloutStage(Protocol):
    """Stage around a batch: a gate, or a drain. Each method returns why the rollout must stop, or ''.

    `before` is called in order, `after` in reverse. If `before` refuses, `undo` is called for the stages whose `before`
    was called. Members that need no change are a batch of their own without `before`, so harm to one of them goes no
    further, even over repeated runs.
    """

    def before(self, batch: Sequence[str]) -> str: ...

    def after(self, batch: Sequence[str], converged: Sequence[str]) -> str:
        """`converged`: members of the batch that are as desired; members that failed stay drained."""
        ...

    def undo(self, batch: Sequence[str]) -> None: ...


class GateStage:
    """Gate: the next batch waits until the members of this one are healthy."""

    def __init__(self, gate: Gate, wait: Callable[[Gate, Sequence[str]], str]) -> None:
        """`wait`: waits until members are healthy; returns why they are not, or ''."""
        self._gate, self._wait = gate, wait

    def before(self, batch: Sequence[str]) -> str:
        return ""

    def after(self, batch: Sequence[str], converged: Sequence[str]) -> str:
        why = self._wait(self._gate, converged)
        return f"the gate is closed: {why}" if why else ""

    def undo(self, batch: Sequence[str]) -> None:
        return


@dataclass(slots=True)
class RolledOut:
    """Progress of a rollout. `stopped`: why it ended before its last batch; `exit` None: derived from the reports.

    `reports`: of the members, by name; `services`: of the services, which come after them.
    """

    reports: dict[str, SubjectReport]
    stopped: str = ""
    exit: Exit | None = None
    services: Mapping[Subject, SubjectReport] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Members:
    """Members by whether they need a change. `absent`: number of absent members; `total`: number of all."""

    idle: tuple[str, ...]
    busy: tuple[str, ...]
    absent: int
    total: int


def roll_out(
    context: Context, members: Members, rollout: Rollout, stages: Sequence[RolloutStage], converge: Converge, gone: Gone
) -> RolledOut:
    """Bring members to their desired state, batch by batch, until all are done or too many failed.

    Members without changes come first and form no batch: a canary that is already as desired would test nothing.
    """
    done = RolledOut({})
    if members.idle:
        _batch(context, done, members.idle, (), stages if members.busy else (), converge, gone)
    for batch in batches(members.busy, rollout):
        if done.stopped:
            return done
        if context.stop():
            return RolledOut(done.reports, "interrupted", Exit.INTERRUPTED)
        if why := too_many(done, members, rollout):
            return RolledOut(done.reports, why, Exit.PARTIAL)
        if why := _enter(stages, batch):
            return _stopped(context, done, why)
        _batch(context, done, batch, batch, stages, converge, gone)
    if not done.stopped and len(done.reports) < len(members.idle) + len(members.busy):
        return RolledOut(done.reports, "interrupted", Exit.INTERRUPTED)
    return done


def too_many(done: RolledOut, members: Members, rollout: Rollout) -> str:
    """Return why no further batch may begin, or ''."""
    lost = (MemberState.FAILED, MemberState.DEFERRED)
    failed = members.absent + sum(1 for each in done.reports.values() if each.state in lost)
    if not too_many_failed(failed, members.total, rollout):
        return ""
    return f"{failed} of {members.total} members failed or are away; max_fail is {rollout.max_fail}"


def _enter(stages: Sequence[RolloutStage], batch: Sequence[str]) -> str:
    """Enter all stages; return why one refuses the batch, after undoing those that were entered."""
    for place, stage in enumerate(stages):
        if why := stage.before(batch):
            for entered in reversed(stages[: place + 1]):
                entered.undo(batch)
            return why
    return ""


def _batch(
    context: Context,
    done: RolledOut,
    batch: Sequence[str],
    entered: Sequence[str],
    stages: Sequence[RolloutStage],
    converge: Converge,
    gone: Gone,
) -> None:
    """Converge the members of one batch at the same time. `entered`: members for which stages were entered."""
    for report in _converged(context, batch, converge):
        done.reports[report.subject.name] = report
        if report.state is MemberState.DEFERRED:
            gone(report)
        context.watch(Progress("member done", report.subject.name))
    if why := _overtaken(done.reports.values()):
        done.stopped, done.exit = why, Exit.LOCKED
        return
    good = [name for name in batch if name in done.reports and done.reports[name].state.is_good]
    why = next(filter(None, (stage.after(entered, good) for stage in reversed(stages))), "") if good else ""
    if why:
        ended = _stopped(context, done, why)
        done.stopped, done.exit = ended.stopped, ended.exit


def _converged(context: Context, batch: Sequence[str], converge: Converge) -> list[SubjectReport]:
    done: list[SubjectReport] = []
    broken: list[MultiAllError] = []
    for _, result in fan_out(batch, converge, context.parallel, lambda: bool(broken) or context.stop()):
        if isinstance(result, MultiAllError):
            broken.append(result)  # the store or the admin host itself failed, not the member
        else:
            done.append(result)
    if broken:
        raise broken[0]
    return done


def _overtaken(reports: Iterable[SubjectReport]) -> str:
    """Return the reason if another run has overtaken this one on a member; '' otherwise."""
    return next((f"{each.subject.name}: {each.reason}" for each in reports if each.overtaken), "")


def _stopped(context: Context, done: RolledOut, why: str) -> RolledOut:
    if context.stop():
        return RolledOut(done.reports, "interrupted", Exit.INTERRUPTED)
    return RolledOut(done.reports, why, Exit.REFUSED)
