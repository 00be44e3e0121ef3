"""Convergence of services: one at a time, after all batches of members, or around a batch.

A service is locked, observed and decided anew just before its change: a rollout of an hour must not keep others from
taking a dead member out of its names.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import field, replace
from functools import partial
from typing import Any

from multiall_cli.domain.change import Change, Outcome, Result
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Locked, MemberFault, Refused, Unreachable
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.plan import AgentPlan
from multiall_cli.domain.report import MemberState, SubjectReport
from multiall_cli.domain.run import Holder, Progress
from multiall_cli.domain.scope import Purpose, Scope, Subject
from multiall_cli.engine.books import Books
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.converge import NOT_AS_PLANNED, Convergence, apply, failure_of, report_of, save_state
from multiall_cli.engine.observe import Observation, alarms_of
from multiall_cli.engine.subjects import SubjectSessions, SubjectWork, SyncRequest, known_to, part_of
from multiall_cli.ports.agent import Known, Moment, PoolView

MEANWHILE = 10.0
"""Seconds that a pool's run waits for a service at least: others hold it only while they change it."""
DURING_A_ROLLOUT = 3600.0
"""Seconds that a rollout waits for a service, so that it need not stop halfway."""

Parts = Mapping[str, AgentPlan[Any]]
"""Agent -> its changes."""


@dataclass(slots=True)
class Services:
    """Services of a run, as they were observed for its plan. `turns`: how often each was turned to."""

    context: Context
    scope: Scope
    run: str
    request: SyncRequest
    me: Holder
    works: Mapping[Subject, SubjectWork]
    turns: Counter[Subject] = field(default_factory=Counter)

    def converge(self) -> Iterator[SubjectReport]:
        """Make the approved changes, service by service in the order of their scopes."""
        for work in self._in_order():
            if self.context.stop():
                return
            yield self._converged(work, Purpose.SYNC, self.request, work.parts)
            self.context.watch(Progress("member done", work.name))

    def move(self, members: Collection[str], purpose: Purpose) -> Iterator[SubjectReport]:
        """Take members out of the services that point to them, or put them back. Changes nothing else."""
        wait = max(self.request.lock_wait, DURING_A_ROLLOUT)
        request = replace(self.request, members=frozenset(members), lock_wait=wait)
        for work in self._in_order():
            yield self._converged(work, purpose, request, None)

    def settle(self) -> Iterator[SubjectReport]:
        """Settle services without changes: an earlier change may still be on its way. Needs no run."""
        for work in self._in_order():
            fresh = partial(known_to, self.context, request=self.request)
            job = Convergence(self.context, self.scope, self.run, work, {}, fresh)
            yield self._reported(job, _settled, self._wait(work.subject, self.request))

    def _in_order(self) -> list[SubjectWork]:
        return sorted(self.works.values(), key=lambda work: str(work.subject.scope))

    def _converged(
        self, observed: SubjectWork, purpose: Purpose, request: SyncRequest, approved: Parts | None
    ) -> SubjectReport:
        """Bring a service to its desired state of this moment. `approved` None: whatever that changes."""

        def fresh(agent: Agent) -> Known:
            return known_to(self.context, agent, request, purpose)

        wait = self._wait(observed.subject, request)
        sessions = SubjectSessions(self.context, wait)
        work = SubjectWork(observed.subject, None, sessions, dict(observed.agents))
        turn = self.turns[work.subject]
        self.turns[work.subject] += 1
        job = Convergence(self.context, self.scope, self.run, work, {}, fresh, turn=turn)

        def converged(job: Convergence) -> SubjectReport:
            _decide_again(job, approved)
            return _ended(job, is_complete=purpose is Purpose.SYNC)

        try:
            return self._reported(job, converged, wait)
        finally:
            work.close()

    def _reported(
        self, job: Convergence, converged: Callable[[Convergence], SubjectReport], wait: float
    ) -> SubjectReport:
        """Return the report of a service, locked meanwhile. The report includes any trouble with it."""
        subject = job.work.subject
        try:
            with self._lock(subject, wait):
                return converged(job)
        except Unreachable as fault:
            where = "" if fault.subject == subject.server else f"{fault.subject}: "
            return report_of(job, MemberState.DEFERRED, f"{where}{fault.what}", fault.todo)
        except (Locked, MemberFault, Refused) as fault:
            where = "" if fault.subject == str(subject.scope) else f"{fault.subject}: "
            failed = report_of(job, MemberState.FAILED, f"{where}{fault.what}", fault.todo)
            return replace(failed, exit=fault.exit_code)

    def _wait(self, subject: Subject, request: SyncRequest) -> float:
        return request.lock_wait if subject.scope == self.scope else max(request.lock_wait, MEANWHILE)

    def _lock(self, subject: Subject, wait: float) -> AbstractContextManager[None]:
        return self.context.store.locks.hold(subject.scope, self.me, wait) if subject.scope else nullcontext()


def _decide_again(job: Convergence, approved: Parts | None) -> None:
    """Observe a service, ask its agents again, and keep what was approved. Raises Refused."""
    work = job.work
    job.known = {name: job.fresh(agent) for name, agent in work.agents.items()}
    work.visit(job.known)
    for name, agent in work.agents.items():
        view = PoolView(job.known[name], (work.subject,), {work.name: work.observed[name]}, {})
        desired = work.desired[name] = agent.desired(view)[work.name]
        part = part_of(agent, work.subject, work.observed[name], desired)
        if approved is not None:
            meant = {each.key: each for each in approved[name].changes}
            part, moved = approved_only(part, meant)
            job.outcomes += [Outcome(each, Result.CONFLICT, NOT_AS_PLANNED) for each in moved]
        work.parts[name] = part
        if found := alarms_of(job.context, agent, part, job.known[name]):
            what = f"{'; '.join(each.what for each in found)}; that looks like an accident, so it was left alone"
            raise Refused(str(work.subject.scope), what, "look at it, and run it again")
        for scope in (work.subject.scope, *desired.history) if part.changes else ():
            if scope is not None:
                job.context.store.journal.add_scope(job.run, scope)


def approved_only(
    part: AgentPlan[Any], approved: Mapping[str, Change[Any]]
) -> tuple[AgentPlan[Any], list[Change[Any]]]:
    """Return a part with its approved changes only, and the approved changes that would now end in something else.

    An approved change holds if it ends in what was approved: what is replaced may have changed.
    """
    changes = [each for each in part.changes if each.key in approved]
    held = tuple(each for each in changes if each.after == approved[each.key].after)
    moved = [approved[each.key] for each in changes if each.after != approved[each.key].after]
    return replace(part, changes=held), moved


def _settled(job: Convergence) -> SubjectReport:
    """Settle a service. What is saved of it is read anew: another run may have saved more since the plan."""
    job.known = {name: job.fresh(agent) for name, agent in job.work.agents.items()}
    return _ended(job, is_complete=False)


def _ended(job: Convergence, *, is_complete: bool) -> SubjectReport:
    """Make the changes and return the report. `is_complete`: whether the service is then as desired."""
    work = job.work
    for agent in work.agents.values():
        apply(job, agent)
    if failure := failure_of(job.outcomes):
        return report_of(job, MemberState.FAILED, *failure)
    state = MemberState.CHANGED if job.outcomes else MemberState.SAME
    if late := next((each for each in job.settlement.lags if each.trouble), None):
        return replace(report_of(job, state, f"{late.server} {late.trouble}", late.todo), exit=Exit.PARTIAL)
    caught_up = 0
    if is_complete:
        for agent in work.agents.values():
            save_state(job, agent, Moment.COMPLETE)
        caught_up = Books(job.context.store, job.scope).close(work, job.run, job.context.clock.now())
        job.context.watch(Progress("closed", work.name))
    return report_of(job, state, caught_up=caught_up)


def save_observed(context: Context, me: Holder, observation: Observation) -> None:
    """Save what agents note of their services at each sync, whatever comes of it.

    Another run that works on a service notes the same, so a service that is locked is passed over.
    """
    for subject, work in observation.services.items():
        job = Convergence(context, observation.scope, "", work, observation.known, partial(known_to, context))
        noted = [agent for agent in work.agents.values() if job.states(agent, Moment.OBSERVED)]
        if noted and subject.scope:
            with suppress(Locked), context.store.locks.hold(subject.scope, me, 0.0):
                job.known = {**job.known, **{agent.name: job.fresh(agent) for agent in noted}}
                for agent in noted:
                    save_state(job, agent, Moment.OBSERVED)
