"""Observe all subjects of a run, ask each agent once what they should have, and make one plan of the differences."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field, replace
from typing import Any, cast

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError, Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.plan import Absence, AgentPlan, Alarm, Plan
from multiall_cli.domain.run import Entry, Progress, Stage
from multiall_cli.domain.scope import Purpose, Scope, Subject
from multiall_cli.domain.topology import Evidence, ProbeLevel
from multiall_cli.domain.topology import failed as failed_to_open
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.fanout import Stragglers, fan_out
from multiall_cli.engine.subjects import ALL, SubjectSessions, SubjectWork, SyncRequest, known_to, part_of
from multiall_cli.planning.order import grouped, plan_id
from multiall_cli.ports.agent import HasSources, Known, PoolView
from multiall_cli.ports.session import Session

HOUR = 3600.0  # seconds of the journal that guards look at


@dataclass(slots=True)
class Observation:
    """Observed scope. Close it: it has open sessions and sources.

    `works`: the subjects that answered; `agents`: subject -> the names of its agents, also of absent ones.
    """

    scope: Scope
    plan: Plan
    works: Mapping[Subject, SubjectWork]
    known: Mapping[str, Known]
    agents: Mapping[Subject, tuple[str, ...]]
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def services(self) -> Mapping[Subject, SubjectWork]:
        return {subject: work for subject, work in self.works.items() if not subject.is_member}

    def close(self) -> None:
        self._open.close()


def observe(
    context: Context,
    scope: Scope,
    agents: Sequence[Agent],
    members: Sequence[Server],
    request: SyncRequest = ALL,
) -> Observation:
    """Observe every member and service with each of its agents. Reads only.

    `members`: all members of the scope, also those without an agent. Raises Refused or Unreachable if a source cannot
    be read.
    """
    stack = ExitStack()
    try:
        ready = [_with_sources(context, each, stack) for each in agents]
        known = {each.name: known_to(context, each, request) for each in ready}
        works = _works(context, ready, members, request)
        failed = _visit_all(context, works, known, stack)
        here = {subject: work for subject, work in works.items() if subject not in failed and work.is_observed}
        for agent in ready:
            _decide(agent, known[agent.name], here, failed)
        plan = _plan(context, scope, ready, known, works, here, failed)
        names = {subject: tuple(work.agents) for subject, work in works.items()}
        return Observation(scope, plan, here, known, names, stack)
    except BaseException:
        stack.close()
        raise


def _with_sources(context: Context, agent: Agent, stack: ExitStack) -> Agent:
    if not isinstance(agent, HasSources):
        return agent
    sessions: dict[str, Session] = {}
    for source in agent.sources:
        try:
            sessions[source.name] = session = context.transport.open(source)
        except Unreachable as fault:
            what = f"it is the source of {agent.name}, so nothing was done: {fault.what}"
            raise Unreachable(source.name, what, fault.todo, fault.reason) from None
        stack.callback(session.close)
    ready = agent.read(sessions)
    stack.callback(ready.release)
    for name in sessions:
        context.watch(Progress("source read", name))
    return cast(Agent, ready)  # HasSources is a second protocol of the same object


def _works(
    context: Context, agents: Sequence[Agent], members: Sequence[Server], request: SyncRequest
) -> dict[Subject, SubjectWork]:
    works: dict[Subject, SubjectWork] = {}
    for each in members:
        subject = Subject(each.name, each.name)
        works[subject] = SubjectWork(subject, each, SubjectSessions(context))
    for agent in agents:
        for subject in agent.subjects():
            if not subject.is_member:
                works[subject] = SubjectWork(subject, None, SubjectSessions(context, request.lock_wait))
            works[subject].agents[agent.name] = agent
    return works


def _visit_all(
    context: Context, works: Mapping[Subject, SubjectWork], known: Mapping[str, Known], stack: ExitStack
) -> dict[Subject, MultiAllError]:
    """Visit all subjects and return the error of each that failed.

    Sessions with members stay open if there are no more of them than servers worked on at once.
    """
    failed: dict[Subject, MultiAllError] = {}
    visited: set[Subject] = set()
    stays_open = len(works) <= context.parallel

    def visit(subject: Subject) -> SubjectWork:
        works[subject].visit(known)
        if not stays_open and subject.is_member:
            works[subject].close()
        return works[subject]

    stragglers = Stragglers[Subject, SubjectWork](context.silence, lambda each: each.name, lambda work: work.close())
    for subject, result in fan_out(list(works), visit, context.parallel, context.stop, stragglers):
        visited.add(subject)
        if isinstance(result, MultiAllError):
            failed[subject] = result
        else:
            stack.callback(result.close)
        context.watch(Progress("looked", subject.name))
    _report_evidence(context, visited - failed.keys(), failed)
    return failed


def _report_evidence(context: Context, reached: Iterable[Subject], failed: Mapping[Subject, MultiAllError]) -> None:
    """Save evidence for the topology from the sessions with members, at no extra cost."""
    now, names = context.clock.now(), sorted(each.name for each in reached if each.is_member)
    met = [Evidence(context.observer_of(name), name, ProbeLevel.AUTH, now) for name in names]
    for subject, fault in failed.items():
        name, is_ours = subject.name, subject.is_member and subject.name not in context.away
        if isinstance(fault, Unreachable) and is_ours and fault.subject == name:
            met += failed_to_open(context.observer_of(name), name, fault.reason, now)
    if met and context.vantage:
        context.store.topology.save_round(context.vantage, {}, met, ())


def _decide(
    agent: Agent, known: Known, here: Mapping[Subject, SubjectWork], failed: Mapping[Subject, MultiAllError]
) -> None:
    """Ask an agent for the desired state of all its subjects, and compute each difference."""
    works = [work for work in here.values() if agent.name in work.agents]
    if not works:
        return
    subjects = tuple(agent.subjects())
    absent = {each.name: str(failed[each]) for each in subjects if each in failed}
    observed = {work.name: work.observed[agent.name] for work in works}
    desired = agent.desired(PoolView(known, subjects, observed, absent))
    for work in works:
        work.desired[agent.name] = desired[work.name]
        work.parts[agent.name] = part_of(agent, work.subject, work.observed[agent.name], desired[work.name])


def _plan(
    context: Context,
    scope: Scope,
    agents: Sequence[Agent],
    known: Mapping[str, Known],
    works: Mapping[Subject, SubjectWork],
    here: Mapping[Subject, SubjectWork],
    failed: Mapping[Subject, MultiAllError],
) -> Plan:
    parts = grouped([part for work in here.values() for part in work.parts.values()])
    absent = tuple(_absence(works[subject], failed[subject]) for subject in works if subject in failed)
    names = {each.name for each in here if each.is_member}
    pending = tuple((each.subject, each.action) for each in context.store.handlers.of(scope) if each.subject in names)
    by_name = {agent.name: agent for agent in agents}
    alarms = [alarm for part in parts for alarm in alarms_of(context, by_name[part.agent], part, known[part.agent])]
    subjects = tuple(work.subject for work in works.values())
    return Plan(scope, subjects, parts, absent, pending, tuple(alarms), plan_id(parts, pending))


def _absence(work: SubjectWork, fault: MultiAllError) -> Absence:
    reason = fault.reason if isinstance(fault, Unreachable) else "fault"
    return Absence(work.subject, tuple(work.agents), reason, fault.what, fault.todo)


def alarms_of(context: Context, agent: Agent, part: AgentPlan[Any], known: Known) -> list[Alarm]:
    """Return why a part looks like an accident, without the guards that are open."""
    if not part.changes:
        return []
    found = agent.alarms(part, known, recent_entries(context, agent.name))
    return [each for each in found if each.guard not in known.open_guards]


def recent_entries(context: Context, agent: str) -> Callable[[], Iterable[Entry]]:
    """Return a reader of an agent's journal entries of the last hour, of any run, with purpose SYNC."""

    def entries() -> Iterable[Entry]:
        found = context.store.journal.recent(agent, context.clock.now() - HOUR)
        return (each for each in found if each.stage is Stage.DONE and each.purpose is Purpose.SYNC)

    return entries


def observe_again(work: SubjectWork, known: Mapping[str, Known]) -> list[tuple[str, str]]:
    """Observe a member just before its batch; return (agent, key) of each approved change that no longer holds.

    The approved desired state does not change: a majority of one is no majority. An approved change holds if it is
    still needed as it was approved. A change that is no longer needed is dropped.
    """
    approved = {name: {each.key: each for each in part.changes} for name, part in work.parts.items()}
    work.visit(known)
    moved: list[tuple[str, str]] = []
    for name, agent in work.agents.items():
        part = part_of(agent, work.subject, work.observed[name], work.desired[name])
        held = tuple(each for each in part.changes if approved[name].get(each.key) == each)
        keys = {each.key for each in held}
        moved += [(name, each.key) for each in part.changes if each.key in approved[name] and each.key not in keys]
        work.parts[name] = replace(part, changes=held)
    return moved
