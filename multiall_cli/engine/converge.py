"""Convergence of one subject: intent, apply, verify, outcome, handlers. Each step is journalled before the next."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from multiall_cli.domain.change import Change, Outcome, Result
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Locked, MemberFault, Overtaken, Refused, Unreachable
from multiall_cli.domain.inventory import After
from multiall_cli.domain.plan import AgentPlan
from multiall_cli.domain.report import SETTLED, HandlerOutcome, MemberState, Settlement, SubjectReport
from multiall_cli.domain.run import Entry, PendingHandler, Progress, SavedState, Stage
from multiall_cli.domain.scope import Scope
from multiall_cli.domain.topology import Evidence, ProbeLevel
from multiall_cli.drivers.service import handler_argv
from multiall_cli.engine.books import Books
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.observe import alarms_of, observe_again
from multiall_cli.engine.subjects import SubjectWork, part_of
from multiall_cli.planning.diff import diff
from multiall_cli.ports.agent import HasHandlers, HasSources, HasState, Known, Moment, PoolView, Settles, StateInput

RECORDED = 5000  # outcomes that are written to the journal in one transaction
HANDLER_TIMEOUT = 300.0  # seconds that a handler may be silent
NOT_AS_PLANNED = "it is no longer what was planned"

_STAGES = {Result.DONE: Stage.DONE, Result.FAILED: Stage.FAILED, Result.CONFLICT: Stage.CONFLICT}


@dataclass(slots=True)
class Convergence:
    """One subject's share of a run.

    `turn`: how often the run had turned to the subject before; `settlement`: of a service, how far its changes have
    travelled.
    """

    context: Context
    scope: Scope
    run: str
    work: SubjectWork
    known: Mapping[str, Known]
    fresh: Callable[[Agent], Known]
    """Read the input of an agent's decisions anew."""
    outcomes: list[Outcome[Any]] = field(default_factory=list)
    turn: int = 0
    settlement: Settlement = SETTLED

    def states(
        self,
        agent: Agent,
        moment: Moment,
        changes: Sequence[Change[Any]] = (),
        settlement: Settlement | None = None,
    ) -> list[SavedState]:
        """Return what an agent saves at a moment, without values that are saved already."""
        if not isinstance(agent, HasState):
            return []
        work, states = self.work, self.context.store.states
        known = replace(self.known[agent.name], now=self.context.clock.now())
        observed, desired = work.observed[agent.name], work.desired[agent.name]
        source = StateInput(moment, work.subject, observed, desired, changes, known, settlement)
        return [
            SavedState(agent.name, work.name, value, part)
            for part, value in agent.state(source).items()
            if value != states.get(agent.name, work.name, part)
        ]


def converge(job: Convergence) -> SubjectReport:
    """Make the approved changes on one member and verify them. The report includes any trouble with the member."""
    work, reopens = job.work, job.work.needs_session and not job.work.is_open
    try:
        if reopens:  # the session was closed after the plan was made, so the member may have changed since
            _observe_again(job)
        for agent in work.agents.values():
            apply(job, agent)
        return _ended(job)
    except Unreachable as fault:
        if fault.subject in _sources(work):  # the source went away, which says nothing about the member
            return report_of(job, MemberState.FAILED, f"{fault.subject}: {fault.what}", fault.todo)
        return report_of(job, MemberState.DEFERRED, fault.what, fault.todo)
    except (Locked, MemberFault, Refused) as fault:
        is_overtaken = isinstance(fault, (Locked, Overtaken))
        return report_of(job, MemberState.FAILED, fault.what, fault.todo, overtaken=is_overtaken)
    finally:
        if reopens:
            work.close()


def report_of(
    job: Convergence,
    state: MemberState,
    reason: str = "",
    todo: str = "",
    handlers: tuple[HandlerOutcome, ...] = (),
    *,
    caught_up: int = 0,
    overtaken: bool = False,
) -> SubjectReport:
    """Return the report of a subject as far as its convergence has come."""
    parts, outcomes = tuple(job.work.parts.values()), tuple(job.outcomes)
    why = (reason, todo, caught_up, overtaken)
    return SubjectReport(job.work.subject, state, parts, outcomes, handlers, *why, job.settlement)


def _sources(work: SubjectWork) -> set[str]:
    """Return the other servers that the member's agents read from."""
    sources = (
        source.name for agent in work.agents.values() if isinstance(agent, HasSources) for source in agent.sources
    )
    return {name for name in sources if name != work.name}


def _observe_again(job: Convergence) -> None:
    approved = {name: {each.key: each for each in part.changes} for name, part in job.work.parts.items()}
    job.known = {name: job.fresh(agent) for name, agent in job.work.agents.items()}
    for agent, key in observe_again(job.work, job.known):
        job.outcomes.append(Outcome(approved[agent][key], Result.CONFLICT, NOT_AS_PLANNED))


def _ended(job: Convergence) -> SubjectReport:
    if failure := failure_of(job.outcomes):
        return report_of(job, MemberState.FAILED, *failure)
    handlers = _run_handlers(job)
    if broken := [each for each in handlers if each.result is not Result.DONE]:
        why = f"`{broken[0].handler}` failed: {broken[0].detail}"
        return report_of(job, MemberState.FAILED, why, "fix it; the next sync tries it again", handlers)
    caught_up = _complete(job)
    state = MemberState.CHANGED if job.outcomes or handlers else MemberState.SAME
    return report_of(job, state, handlers=handlers, caught_up=caught_up)


def failure_of(outcomes: Sequence[Outcome[Any]]) -> tuple[str, str] | None:
    """Return what failed and what to do, or None if all was done."""
    failed = [each for each in outcomes if each.result is not Result.DONE]
    if not failed:
        return None
    first = failed[0]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    todo = "run again to see what is there now" if first.result is Result.CONFLICT else "fix that and run again"
    return f"{first.change.key}: {first.detail}{more}", first.todo or todo


# --- changes --------------------------------------------------------------------------------------------------------


def apply(job: Convergence, agent: Agent) -> None:
    """Change with one agent, then verify, or settle if its changes travel further."""
    part, session = job.work.parts[agent.name], job.work.sessions.get(agent.name)
    if not (part.changes or isinstance(session, Settles)):
        return
    made = _made(job, agent, part) if part.changes else []
    if isinstance(session, Settles):
        settlement = _settlement(job, agent, session, part, made)
        job.settlement, outcomes = settlement, _confirmed(made, settlement)
    else:
        settlement, outcomes = None, _verified(job, agent, made)
    _record(job, part, outcomes)
    save_state(job, agent, Moment.APPLIED, _done(outcomes), settlement)
    job.outcomes += outcomes


def _done(outcomes: Iterable[Outcome[Any]]) -> list[Change[Any]]:
    return [each.change for each in outcomes if each.result is Result.DONE]


def _made(job: Convergence, agent: Agent, part: AgentPlan[Any]) -> list[Outcome[Any]]:
    """Announce and make the changes; return their outcomes. Those before an error are recorded, and count."""
    _intend(job, agent, part)
    made: dict[str, Outcome[Any]] = {}
    try:
        _attempt(job, agent, part, made)
    except (Locked, MemberFault, Refused) as fault:  # changes without an outcome did not happen
        left = [each for each in part.changes if each.key not in made]
        result = Result.CONFLICT if isinstance(fault, Locked) else Result.FAILED
        _record(job, part, [*made.values(), *(Outcome(each, result, fault.what) for each in left)])
        if isinstance(job.work.sessions[agent.name], Settles):
            save_state(job, agent, Moment.APPLIED, _done(made.values()))
        job.outcomes += made.values()
        raise
    except Unreachable:
        _record(job, part, list(made.values()))
        job.outcomes += made.values()
        raise
    job.context.watch(Progress("applied", job.work.name, len(made)))
    return list(made.values())


def _settlement(
    job: Convergence, agent: Agent, session: Settles, part: AgentPlan[Any], made: Sequence[Outcome[Any]]
) -> Settlement:
    """Return how far the changes have travelled. Servers that lag are evidence for the topology."""
    context, work = job.context, job.work
    try:
        settlement = session.settle(_done(made), work.desired[agent.name])
    except (MemberFault, Unreachable):
        _record(job, part, made)
        job.outcomes += made
        raise
    now = context.clock.now()
    evidence = [
        Evidence(context.vantage, each.server, ProbeLevel.TCP, now, trouble=f"{work.name} {each.trouble}")
        for each in settlement.lags
        if each.trouble and each.position is not None and each.server in job.known[agent.name].topology.verdicts
    ]
    if evidence:
        context.store.topology.save_round(context.vantage, {}, evidence, [])
    return settlement


def _confirmed(made: Sequence[Outcome[Any]], settlement: Settlement) -> list[Outcome[Any]]:
    """Return the outcomes; those that turned out to be undone have failed."""
    return [
        replace(each, result=Result.FAILED, detail=settlement.undone)
        if settlement.undone and each.result is Result.DONE
        else each
        for each in made
    ]


def _attempt(job: Convergence, agent: Agent, part: AgentPlan[Any], made: dict[str, Outcome[Any]]) -> None:
    """Apply the approved changes; retry those that other writers overtook, as often as the agent allows.

    `made` is filled as outcomes become known, so outcomes before an error are not lost.
    """
    todo, overtaken = list(part.changes), 0
    while todo:
        before = len(made)
        stale: dict[str, Change[Any]] = {}
        for outcome in job.work.sessions[agent.name].apply(todo, job.run):
            if outcome.result is Result.CONFLICT and agent.attempts > 1:
                stale[outcome.change.key] = outcome.change
            else:
                made[outcome.change.key] = outcome
        overtaken += len(made) == before
        if overtaken >= agent.attempts:
            made |= {
                key: Outcome(each, Result.CONFLICT, "someone else keeps writing to it") for key, each in stale.items()
            }
            return
        todo = _replanned(job, agent, stale, made) if stale else []
        unneeded = [stale[key] for key in stale.keys() - {each.key for each in todo} - made.keys()]
        _record(job, part, [Outcome(each, Result.CONFLICT, "someone else made it so") for each in unneeded])


def _replanned(
    job: Convergence, agent: Agent, stale: Mapping[str, Change[Any]], made: dict[str, Outcome[Any]]
) -> list[Change[Any]]:
    """Return the approved changes that are still needed. Raises Refused if they look like an accident.

    A service is decided on again; changes that would now end in something else than was approved are conflicts.
    """
    work, name = job.work, agent.name
    observed = work.observed[name] = work.sessions[name].observe(list(stale))
    if not work.subject.is_member:
        job.known = {**job.known, name: replace(job.fresh(agent), state=job.known[name].state)}
        view = PoolView(job.known[name], (work.subject,), {work.name: observed}, {})
        work.desired[name] = agent.desired(view)[work.name]
    newer = [each for each in diff(observed, work.desired[name].snapshot) if each.key in stale]
    changes = tuple(each for each in newer if each.after == stale[each.key].after)
    for each in newer:
        if each.after != stale[each.key].after and not work.subject.is_member:
            made[each.key] = Outcome(stale[each.key], Result.CONFLICT, NOT_AS_PLANNED)
    part = part_of(agent, work.subject, observed, work.desired[name])
    part = replace(part, changes=changes, size=work.parts[name].size)
    if found := alarms_of(job.context, agent, part, job.known[name]):
        raise Refused(work.name, "; ".join(each.what for each in found), "look at it, and run it again")
    return list(changes)


def _verified(job: Convergence, agent: Agent, outcomes: list[Outcome[Any]]) -> list[Outcome[Any]]:
    """Return the outcomes after a second observation: a change that is still needed has failed."""
    done = [each.change.key for each in outcomes if each.result is Result.DONE]
    now = job.work.sessions[agent.name].observe(done)
    left = {change.key for change in diff(now, job.work.desired[agent.name].snapshot)}
    return [
        replace(each, result=Result.FAILED, detail="applied, but verification found a difference")
        if each.result is Result.DONE and each.change.key in left
        else each
        for each in outcomes
    ]


# --- the journal ----------------------------------------------------------------------------------------------------


def _intend(job: Convergence, agent: Agent, part: AgentPlan[Any]) -> None:
    now, name = job.context.clock.now(), job.work.name
    entries = [_entry(job, part, change, Stage.INTENT, "", now) for change in part.changes]
    wanted: Sequence[After] = agent.handlers(part.changes) if isinstance(agent, HasHandlers) else ()
    handlers = [PendingHandler(job.scope, name, agent.name, each.verb, each.arguments, job.run) for each in wanted]
    job.context.store.journal.intend(entries, handlers, job.states(agent, Moment.INTENDED, part.changes))
    job.context.watch(Progress("intended", name, len(entries)))


def _entry(job: Convergence, part: AgentPlan[Any], change: Change[Any], stage: Stage, detail: str, at: float) -> Entry:
    before = change.before.brief() if change.before is not None and stage is Stage.INTENT else ""
    after = change.after.brief() if change.after is not None and stage is Stage.INTENT else ""
    subject, words = job.work.subject, (change.key, change.action, before, after)
    purpose = job.known[part.agent].purpose
    return Entry(job.run, part.agent, subject.name, subject.server, *words, stage, detail, at, purpose, job.turn)


def _record(job: Convergence, part: AgentPlan[Any], outcomes: Sequence[Outcome[Any]]) -> None:
    """Write the results of intents. The journal already has the intents themselves."""
    for batch in _in_batches(outcomes):
        now = job.context.clock.now()
        entries = [_entry(job, part, each.change, _STAGES[each.result], each.detail, now) for each in batch]
        job.context.store.journal.record(entries)
        job.context.watch(Progress("recorded", job.work.name, len(batch)))


def _in_batches(outcomes: Sequence[Outcome[Any]]) -> Iterator[Sequence[Outcome[Any]]]:
    return (outcomes[at : at + RECORDED] for at in range(0, len(outcomes), RECORDED))


def save_state(
    job: Convergence,
    agent: Agent,
    moment: Moment,
    changes: Sequence[Change[Any]] = (),
    settlement: Settlement | None = None,
) -> None:
    if states := job.states(agent, moment, changes, settlement):
        job.context.store.states.put(states, job.run)


def _run_handlers(job: Convergence) -> tuple[HandlerOutcome, ...]:
    """Run the handlers that this run or an earlier one announced, once each; a failed one stays pending."""
    work, handlers = job.work, job.context.store.handlers
    with_handlers = [agent for agent in work.agents.values() if isinstance(agent, HasHandlers)]
    declared = {(each.verb, each.arguments) for agent in with_handlers for each in agent.declared_handlers}
    done = []
    for pending in handlers.of(job.scope, work.name):
        if (pending.verb, pending.arguments) not in declared:
            handlers.complete(pending)  # it is no longer declared, so it does not run
            continue
        outcome = _run_handler(work, After(pending.verb, pending.arguments))
        if outcome.result is Result.DONE:
            handlers.complete(pending)
        done.append(outcome)
        job.context.watch(Progress("acted", work.name))
    return tuple(done)


def _run_handler(work: SubjectWork, handler: After) -> HandlerOutcome:
    assert work.server is not None  # noqa: S101  (only members have handlers)
    ended = work.links.session(work.server).run(handler_argv(handler), timeout=HANDLER_TIMEOUT)
    if ended.exit_code == 0:
        return HandlerOutcome(str(handler), Result.DONE)
    words = (ended.stderr.whole() or ended.stdout.whole()).decode("utf-8", "replace").strip()
    detail = f"exit {ended.exit_code}" + (f", {words[-300:]}" if words else "")
    return HandlerOutcome(str(handler), Result.FAILED, detail)


def _complete(job: Convergence) -> int:
    """Finish a member that is as desired: save state and close its books; return the number of runs made up for."""
    for agent in job.work.agents.values():
        save_state(job, agent, Moment.COMPLETE)
    delivered = Books(job.context.store, job.scope).close(job.work, job.run, job.context.clock.now())
    job.context.watch(Progress("closed", job.work.name))
    return delivered
