"""Sync of all kinds: one plan, one question, one run, one report."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.exits import Exit, worst
from multiall_cli.domain.inventory import Rollout, Server
from multiall_cli.domain.plan import Absence, Plan
from multiall_cli.domain.report import MemberState, Report, SubjectReport
from multiall_cli.domain.run import Holder, LastResult, Progress, Run
from multiall_cli.domain.scope import Scope, Subject
from multiall_cli.engine.books import Books
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.converge import Convergence, converge
from multiall_cli.engine.drain import BatchDowntimes, DrainStage
from multiall_cli.engine.observe import Observation, observe
from multiall_cli.engine.operator import holder, new_run_id
from multiall_cli.engine.rollout import Members, RolledOut, RolloutStage, roll_out, too_many
from multiall_cli.engine.services import Services, save_observed
from multiall_cli.engine.subjects import SubjectWork, SyncRequest, has_services, known_to
from multiall_cli.planning import guard
from multiall_cli.planning.guard_names import flag
from multiall_cli.ports.agent import Known


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """Options of the operator.

    `plan`: the id that the plan must have ('': any); `open_guards`: guards to pass, by full name; `only`: the members
    that may be changed (None: all); `confirm`: called once with the whole plan; `defers`: whether absent subjects get a
    backlog entry (a one-off copy leaves none); `stages`: stages around each batch; `drain`: sets the downtimes of a
    batch that leaves its services during its change (None: it stays in them).
    """

    verb: str = "sync"
    plan: str = ""
    open_guards: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    lock_wait: float = 0.0
    defers: bool = True
    confirm: Callable[[Plan], bool] = lambda plan: True
    rollout: Rollout = field(default_factory=Rollout)
    stages: Sequence[RolloutStage] = ()
    drain: BatchDowntimes | None = None

    @property
    def request(self) -> SyncRequest:
        return SyncRequest(self.open_guards, self.only, lock_wait=self.lock_wait)

    @property
    def shown_verb(self) -> str:
        """Return the verb for the journal, with the guards that the operator opened."""
        return " ".join([self.verb, *map(flag, sorted(self.open_guards))])


def sync(
    context: Context, scope: Scope, agents: Sequence[Agent], members: Sequence[Server], options: SyncOptions
) -> Report:
    """Lock the scope, plan, refuse or confirm, then run once: batch after batch of members, then services.

    `members`: all members of the scope, in the order of the inventory, also those without an agent. Raises Locked,
    Refused, Unreachable (a source).
    """
    me = holder(context, f"{options.verb} {scope.name}")
    with _lock(context, scope, agents, me, options):
        context.watch(Progress("locked"))
        observation = observe(context, scope, agents, members, options.request)
        try:
            return _Sync(context, scope, observation, options, me).run()
        finally:
            observation.close()


def _lock(
    context: Context, scope: Scope, agents: Sequence[Agent], me: Holder, options: SyncOptions
) -> AbstractContextManager[None]:
    """Return the lock of the run; none for the scope of a service, which is locked only while the service changes."""
    services = {subject.scope for agent in agents if has_services(agent) for subject in agent.subjects()}
    return nullcontext() if scope in services else context.store.locks.hold(scope, me, options.lock_wait)


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

    @property
    def books(self) -> Books:
        return Books(self.context.store, self.scope)

    def run(self) -> Report:
        if self.context.stop():
            return self._report(RolledOut({}, "interrupted before anything was changed", Exit.INTERRUPTED))
        save_observed(self.context, self.me, self.observation)
        self._check()
        if not self.plan.is_empty and not self.options.confirm(self.plan):
            return self._report(RolledOut({}, "not confirmed; nothing was changed", Exit.REFUSED))
        if not self._has_work():
            return self._saved(self._idle())
        return self._journalled()

    def _check(self) -> None:
        """Raise Refused if the plan is not the approved one, or looks like an accident.

        No subject is changed before this.
        """
        if self.options.plan and self.options.plan != self.plan.id:
            what = f"the plan is now {self.plan.id}, not {self.options.plan}: something changed since"
            todo = f"look at `multiall {self.scope.noun} plan {self.scope.name}` again"
            raise Refused(str(self.scope), what, todo)
        guard.check(self.plan)

    def _has_work(self) -> bool:
        """Return whether there is something to journal."""
        absent = {each.subject for each in self.plan.absent}
        works, waiting = self.observation.works, self.books.waiting(self.observation.agents)
        is_open = works.keys() & (waiting | self.books.unfinished(works))
        return bool(self.plan.changes or absent - waiting or is_open)

    def _idle(self) -> RolledOut:
        """Return the reports of a run without work. Services settle: an earlier change may still be on its way."""
        services = self._services()
        members = {each.name: SubjectReport(each.subject, MemberState.SAME) for each in self._members().values()}
        return RolledOut(members, services={each.subject: each for each in services.settle()})

    def _journalled(self) -> Report:
        context, plan, now = self.context, self.plan, self.context.clock.now()
        self.id = new_run_id(now)
        targets = tuple(dict.fromkeys(each.server for each in plan.subjects))
        who = (self.me.who, self.me.host, self.me.pid)
        verb = self.options.shown_verb
        context.store.journal.begin(Run(self.id, verb, (self.scope,), targets, plan.id, *who, now))
        context.watch(Progress("begun"))
        self._defer_absent()
        ended = Exit.ERROR  # the journal's result if the store or the admin host itself fails
        try:
            report = self._saved(self._done())
            ended = report.exit
        finally:
            context.store.journal.end(self.id, ended, context.clock.now())
        context.watch(Progress("ended"))
        return report

    # --- members, then services ---------------------------------------------------------------------------------

    def _done(self) -> RolledOut:
        services = self._services()
        done = self._roll_out(services)
        if not self.observation.services:
            return done
        if not done.stopped and (why := too_many(done, self._counted(), self.options.rollout)):
            done.stopped, done.exit = why, Exit.PARTIAL
        if done.stopped:
            words = f"left alone, since the sync of its members stopped: {done.stopped}"
            left = (SubjectReport(each, MemberState.LEFT, reason=words) for each in self.observation.services)
            done.services = {each.subject: each for each in left}
        else:
            done.services = {each.subject: each for each in services.converge()}
            if len(done.services) < len(self.observation.services):
                done.stopped, done.exit = "interrupted", Exit.INTERRUPTED
        for report in done.services.values():
            if report.state is MemberState.DEFERRED:
                self._went_away(report)
        return done

    def _services(self) -> Services:
        return Services(self.context, self.scope, self.id, self.options.request, self.me, self.observation.services)

    def _members(self) -> Mapping[str, SubjectWork]:
        return {subject.name: work for subject, work in self.observation.works.items() if subject.is_member}

    def _counted(self) -> Members:
        works = self._members()
        busy = tuple(name for name, work in works.items() if work.needs_session)
        idle = tuple(name for name in works if name not in busy)
        absent = sum(1 for each in self.plan.absent if each.subject.is_member)
        return Members(idle, busy, absent, len(self.plan.members))

    def _roll_out(self, services: Services) -> RolledOut:
        works, options = self._members(), self.options
        for each in self.context.store.handlers.of(self.scope):
            if each.subject in works:
                works[each.subject].has_pending = True
        stages = [*options.stages]
        if options.drain:
            stages.insert(0, DrainStage(self.context, services, options.drain))

        def one(name: str) -> SubjectReport:
            return self._converge(works[name])

        return roll_out(self.context, self._counted(), options.rollout, stages, one, self._went_away)

    def _converge(self, work: SubjectWork) -> SubjectReport:
        def fresh(agent: Agent) -> Known:
            return known_to(self.context, agent, self.options.request)

        return converge(Convergence(self.context, self.scope, self.id, work, self.observation.known, fresh))

    # --- the backlog and results --------------------------------------------------------------------------------

    def _defer_absent(self) -> None:
        """Add absent subjects to the backlog.

        One that waits already is added again only if this run has changes.
        """
        waiting = self.books.waiting(self.observation.agents)
        for each in self.plan.absent if self.options.defers else ():
            if each.subject not in waiting or self.plan.changes:
                self._add_to_backlog(each.subject, each.what)
                self.context.watch(Progress("deferred", each.subject.name))

    def _went_away(self, report: SubjectReport) -> None:
        if self.options.defers:
            self._add_to_backlog(report.subject, report.reason)

    def _add_to_backlog(self, subject: Subject, reason: str) -> None:
        agents, now = self.observation.agents.get(subject, ()), self.context.clock.now()
        self.context.store.backlog.add(self.scope, subject.name, subject.server, agents, self.id, reason, now)

    def _saved(self, done: RolledOut) -> Report:
        """Save each subject's result and return the report."""
        report, now = self._report(done), self.context.clock.now()
        dealt_with = (each for each in (*report.members, *report.services) if each.state is not MemberState.LEFT)
        results = [
            LastResult(self.scope, each.subject.name, each.state, report.run, each.reason, now) for each in dealt_with
        ]
        self.context.store.results.save(results)
        return report

    def _report(self, done: RolledOut) -> Report:
        """Return the report with every subject once, in the order of the inventory."""
        absent = {each.subject: each for each in self.plan.absent}

        def result(subject: Subject) -> SubjectReport:
            found = done.reports.get(subject.name) if subject.is_member else done.services.get(subject)
            if found and found.state is not MemberState.LEFT:
                return found
            return _not_done(found or SubjectReport(subject, MemberState.LEFT), absent.get(subject))

        members = tuple(result(each) for each in self.plan.members)
        services = tuple(result(each) for each in self.plan.subjects if not each.is_member)
        code = self._code((*members, *services)) if done.exit is None else done.exit
        return Report(self.id, self.plan, members, services, done.stopped, code)

    def _code(self, reports: Sequence[SubjectReport]) -> Exit:
        """Return the exit code from the results; a change left alone because of a conflict is a refusal."""
        codes = [Exit.OK if each.state.is_good else Exit.PARTIAL for each in reports]
        parts = [*self.plan.parts, *(part for each in reports for part in each.parts)]
        codes += [Exit.PARTIAL for part in parts if part.unmet]
        return worst([*codes, *(each.exit for each in reports), *(Exit.REFUSED for part in parts if part.conflicts)])


def _not_done(left: SubjectReport, absence: Absence | None) -> SubjectReport:
    """Return the report of a subject that was not begun, or is absent."""
    if absence is None:
        return left
    state = MemberState.FAILED if absence.reason == "fault" else MemberState.DEFERRED
    return replace(left, state=state, reason=absence.what, todo=absence.todo)
