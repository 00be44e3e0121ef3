"""Sync of all kinds: one plan, one question, one run, one report."""

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import Any

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.exits import Exit, worst
from multiall_cli.domain.inventory import Rollout, Server
from multiall_cli.domain.plan import Absence, Plan
from multiall_cli.domain.report import MemberState, Report, SubjectReport
from multiall_cli.domain.run import Holder, LastResult, Progress, Run
from multiall_cli.domain.scope import Scope
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.converge import Convergence, converge
from multiall_cli.engine.observe import Observation, observe
from multiall_cli.engine.operator import holder, new_run_id
from multiall_cli.engine.rollout import Members, RolledOut, RolloutStage, roll_out
from multiall_cli.engine.subjects import known_to
from multiall_cli.planning import guard


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """Options of the operator.

    `plan`: the id that the plan must have ('': any); `id_of`: returns the id of a plan, if it covers more than the plan
    itself; `open_guards`: guards to pass, by full name; `confirm`: called once with the whole plan; `defers`: whether
    absent members get a backlog entry (a one-off copy leaves none); `stages`: stages around each batch.
    """

    verb: str = "sync"
    plan: str = ""
    id_of: Callable[[Plan], str] = lambda plan: plan.id
    open_guards: frozenset[str] = frozenset()
    lock_wait: float = 0.0
    defers: bool = True
    confirm: Callable[[Plan], bool] = lambda plan: True
    rollout: Rollout = field(default_factory=Rollout)
    stages: Sequence[RolloutStage] = ()


def sync(
    context: Context, scope: Scope, agents: Sequence[Agent], members: Sequence[Server], options: SyncOptions
) -> Report:
    """Lock the scope, plan, refuse or confirm, then run once: batch after batch of members.

    `members`: all members of the scope, in the order of the inventory, also those without an agent. Raises Locked,
    Refused, Unreachable (a source).
    """
    me = holder(context, f"{options.verb} {scope.name}")
    with context.store.locks.hold(scope, me, options.lock_wait):
        context.watch(Progress("locked"))
        observation = observe(context, scope, agents, members, options.open_guards)
        try:
            return _Sync(context, scope, observation, options, me).run()
        finally:
            observation.close()


@dataclass(slots=True)
class _Sync:
    """Sync of a locked and observed scope."""

    context: Context
    scope: Scope
    observation: Observation
    options: SyncOptions
    me: Holder
    id: str = ""

    @property
    def plan(self) -> Plan:
        return self.observation.plan

    def run(self) -> Report:
        if self.context.stop():
            return self._report(RolledOut({}, "interrupted before anything was changed", Exit.INTERRUPTED))
        self._check()
        if not self.plan.is_empty and not self.options.confirm(self.plan):
            return self._report(RolledOut({}, "not confirmed; nothing was changed", Exit.REFUSED))
        if not self._has_work():
            works = self.observation.works.values()
            return self._saved(RolledOut({each.name: SubjectReport(each.subject, MemberState.SAME) for each in works}))
        return self._journalled()

    def _check(self) -> None:
        """Raise Refused if the plan is not the approved one, or looks like an accident.

        Nothing is written before this.
        """
        options = self.options
        if options.plan and options.plan != (now := options.id_of(self.plan)):
            what = f"the plan is now {now}, not {options.plan}: something changed since"
            todo = f"look at `multiall {self.scope.kind} plan {self.scope.name}` again"
            raise Refused(str(self.scope), what, todo)
        guard.check(self.plan)

    def _has_work(self) -> bool:
        """Return whether there is something to journal."""
        store = self.context.store
        away = {each.subject.name for each in self.plan.absent}
        here = {each.name for each in self.plan.subjects} - away
        waiting = {entry.subject for entry in store.backlog.entries(self.scope)}
        unfinished = {each.subject for each in store.handlers.of(self.scope)}
        unfinished |= {each.subject for each in store.journal.pending(self.scope)}
        return bool(self.plan.changes or away - waiting or here & (waiting | unfinished))

    def _journalled(self) -> Report:
        context, plan, now = self.context, self.plan, self.context.clock.now()
        self.id = new_run_id(now)
        targets = tuple(each.name for each in plan.subjects)
        who = (self.me.who, self.me.host, self.me.pid)
        context.store.journal.begin(Run(self.id, self.options.verb, (self.scope,), targets, plan.id, *who, now))
        context.watch(Progress("begun"))
        self._defer_absent()
        ended = Exit.ERROR  # the journal's result if the store or the admin host itself fails
        try:
            report = self._saved(self._roll_out())
            ended = report.exit
        finally:
            context.store.journal.end(self.id, ended, context.clock.now())
        context.watch(Progress("ended"))
        return report

    def _roll_out(self) -> RolledOut:
        works = self.observation.works
        for each in self.context.store.handlers.of(self.scope):
            if each.subject in works:
                works[each.subject].has_pending = True
        busy = tuple(name for name, work in works.items() if work.needs_session)
        idle = tuple(name for name in works if name not in busy)
        members = Members(idle, busy, len(self.plan.absent), len(self.plan.subjects))
        options = self.options
        return roll_out(self.context, members, options.rollout, options.stages, self._converge, self._went_away)

    def _converge(self, name: str) -> SubjectReport:
        def fresh(agent: Agent) -> Any:
            return known_to(self.context, agent, self.options.open_guards)

        known, work = self.observation.known, self.observation.works[name]
        return converge(Convergence(self.context, self.scope, self.id, work, known, fresh))

    # --- the backlog and results --------------------------------------------------------------------------------

    def _defer_absent(self) -> None:
        """Add absent members to the backlog.

        A member that waits already is added again only if this run has changes.
        """
        waiting = {entry.subject for entry in self.context.store.backlog.entries(self.scope)}
        for each in self.plan.absent if self.options.defers else ():
            if each.subject.name not in waiting or self.plan.changes:
                self._add_to_backlog(each.subject.name, each.what)
                self.context.watch(Progress("deferred", each.subject.name))

    def _went_away(self, report: SubjectReport) -> None:
        if self.options.defers:
            self._add_to_backlog(report.subject.name, report.reason)

    def _add_to_backlog(self, name: str, reason: str) -> None:
        agents, now = self.observation.agents.get(name, ()), self.context.clock.now()
        self.context.store.backlog.add(self.scope, name, name, agents, self.id, reason, now)

    def _saved(self, done: RolledOut) -> Report:
        """Save each member's result and return the report."""
        report, now = self._report(done), self.context.clock.now()
        dealt_with = (each for each in report.members if each.state is not MemberState.LEFT)
        results = [
            LastResult(self.scope, each.subject.name, each.state, report.run, each.reason, now) for each in dealt_with
        ]
        self.context.store.results.save(results)
        return report

    def _report(self, done: RolledOut) -> Report:
        """Return the report with every subject once, in the order of the inventory."""
        absent = {each.subject.name: each for each in self.plan.absent}
        members = tuple(
            done.reports.get(each.name) or _not_done(SubjectReport(each, MemberState.LEFT), absent.get(each.name))
            for each in self.plan.subjects
        )
        return Report(
            self.id, self.plan, members, done.stopped, self._code(members) if done.exit is None else done.exit
        )

    def _code(self, members: Sequence[SubjectReport]) -> Exit:
        """Return the exit code from the members' results; a change left alone because of a conflict is a refusal."""
        codes = [Exit.OK if each.state.is_good else Exit.PARTIAL for each in members]
        codes += [Exit.PARTIAL for part in self.plan.parts if part.unmet]
        return worst([*codes, *(Exit.REFUSED for part in self.plan.parts if part.conflicts)])


def _not_done(left: SubjectReport, absence: Absence | None) -> SubjectReport:
    """Return the report of a member that was not begun, or is absent."""
    if absence is None:
        return left
    state = MemberState.FAILED if absence.reason == "fault" else MemberState.DEFERRED
    return replace(left, state=state, reason=absence.what, todo=absence.todo)
