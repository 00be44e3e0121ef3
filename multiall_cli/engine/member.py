"""Brings one member up to date: intent, apply, outcome, verify, actions; each journalled before the next."""

from collections.abc import Iterator, Sequence
from typing import Any

from multiall_cli.domain.change import Change, MemberPlan, Outcome, Result
from multiall_cli.domain.errors import MemberFault, Overtaken, Unreachable
from multiall_cli.domain.inventory import After
from multiall_cli.domain.run import (
    ActionOutcome,
    Entry,
    MemberReport,
    MemberState,
    PendingHandler,
    SavedState,
    Stage,
    Step,
)
from multiall_cli.domain.scope import Scope
from multiall_cli.drivers.service import handler_argv
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.look import Seen
from multiall_cli.planning.diff import diff
from multiall_cli.ports.agent import Remembering, Sourced, Watched

RECORDED = 5000  # outcomes that are written to the journal in one transaction
ACTION_TIMEOUT = 300.0  # seconds of silence that an `after` action may keep

_STAGES = {Result.DONE: Stage.DONE, Result.FAILED: Stage.FAILED, Result.CONFLICT: Stage.CONFLICT}


def bring_up_to_date(context: Context, scope: Scope, run: str, member: Seen) -> MemberReport:
    """Make the planned changes on one member and see that they hold. Trouble with the member is in the report."""
    name = member.server.name
    outcomes: list[Outcome[Any]] = []
    try:
        for plan in member.plans:
            outcomes += _apply(context, scope, run, member, plan)
        failed = [outcome for outcome in outcomes if outcome.result is not Result.DONE]
        if failed:
            return MemberReport(name, MemberState.FAILED, outcomes, (), *_why(failed))
        actions = _do_owed(context, scope, member)
        if bad := [action for action in actions if action.result is not Result.DONE]:
            why = f"`{bad[0].action}` failed: {bad[0].detail}"
            return MemberReport(
                name, MemberState.FAILED, outcomes, actions, why, "mend it; the next sync tries it again"
            )
    except Unreachable as fault:
        if fault.subject in _sources(member):  # it went away meanwhile: no reason to think that the member did
            return MemberReport(name, MemberState.FAILED, outcomes, (), f"{fault.subject}: {fault.what}", fault.todo)
        return MemberReport(name, MemberState.DEFERRED, outcomes, (), fault.what, fault.todo)
    except MemberFault as fault:
        overtaken = isinstance(fault, Overtaken)
        return MemberReport(name, MemberState.FAILED, outcomes, (), fault.what, fault.todo, overtaken=overtaken)
    caught_up = _close_books(context, scope, run, member)
    state = MemberState.CHANGED if outcomes or actions else MemberState.SAME
    return MemberReport(name, state, outcomes, actions, caught_up=caught_up)


def _sources(member: Seen) -> set[str]:
    """The other servers that the member's agents read from."""
    sourced = (agent.source.name for agent in member.agents.values() if isinstance(agent, Sourced))
    return {name for name in sourced if name != member.server.name}


def _apply(context: Context, scope: Scope, run: str, member: Seen, plan: MemberPlan[Any]) -> list[Outcome[Any]]:
    """Change and verify with one agent."""
    if not plan.changes:
        return []
    agent = member.agents[plan.agent]
    _intend(context, scope, run, agent, plan)
    try:
        outcomes = list(agent.apply(member.session, plan.changes, run))
    except MemberFault as fault:  # the member said that it could not: that is an outcome, nothing is left open
        now = context.clock.now()
        context.store.journal.record(
            [_settled(run, plan, each, Stage.FAILED, now, fault.what) for each in plan.changes]
        )
        raise
    context.watch(Step("applied", plan.server, len(outcomes)))
    outcomes = _verified(member, agent, outcomes)
    for batch in _in_batches(outcomes):
        now = context.clock.now()
        context.store.journal.record(
            [_settled(run, plan, each.change, _STAGES[each.result], now, each.detail) for each in batch]
        )
        context.watch(Step("recorded", plan.server, len(batch)))
    _agree(context, run, member, agent, complete=False)
    return outcomes


def _intend(context: Context, scope: Scope, run: str, agent: Agent, plan: MemberPlan[Any]) -> None:
    now = context.clock.now()
    entries = [_intent(run, plan, change, now) for change in plan.changes]
    actions: Sequence[After] = agent.after(plan.changes) if isinstance(agent, Watched) else ()
    owed = [PendingHandler(scope, plan.server, plan.agent, each.verb, each.arguments, run) for each in actions]
    context.store.journal.intend(entries, owed)
    context.watch(Step("intended", plan.server, len(entries)))


def _intent(run: str, plan: MemberPlan[Any], change: Change[Any], at: float) -> Entry:
    before = change.before.brief() if change.before is not None else ""
    after = change.after.brief() if change.after is not None else ""
    return Entry(
        run, plan.agent, plan.server, plan.server, change.key, change.action, before, after, Stage.INTENT, "", at
    )


def _settled(run: str, plan: MemberPlan[Any], change: Change[Any], stage: Stage, at: float, detail: str) -> Entry:
    """How an intent came out; what it was is in the journal already."""
    return Entry(run, plan.agent, plan.server, plan.server, change.key, change.action, "", "", stage, detail, at)


def _in_batches(outcomes: Sequence[Outcome[Any]]) -> Iterator[Sequence[Outcome[Any]]]:
    return (outcomes[at : at + RECORDED] for at in range(0, len(outcomes), RECORDED))


def _verified(member: Seen, agent: Agent, outcomes: list[Outcome[Any]]) -> list[Outcome[Any]]:
    """The outcomes, less trusting: what is not as wanted after all did not get done."""
    done = [each.change.key for each in outcomes if each.result is Result.DONE]
    left = {change.key for change in diff(agent.observe(member.session, done), agent.desired(member.server))}
    return [
        Outcome(each.change, Result.FAILED, "applied, but verification found a difference")
        if each.result is Result.DONE and each.change.key in left
        else each
        for each in outcomes
    ]


def _why(failed: Sequence[Outcome[Any]]) -> tuple[str, str]:
    first = failed[0]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    todo = "run again to see what is there now" if first.result is Result.CONFLICT else "mend that and run again"
    return f"{first.change.key}: {first.detail}{more}", todo


def _do_owed(context: Context, scope: Scope, member: Seen) -> tuple[ActionOutcome, ...]:
    """The actions that this run or an earlier one owes the member, once each; a failed one stays owed."""
    done = []
    watched = [agent for agent in member.agents.values() if isinstance(agent, Watched)]
    declared = {(each.verb, each.arguments) for agent in watched for each in agent.actions}
    for owed in context.store.handlers.of(scope, member.server.name):
        action = After(owed.verb, owed.arguments)
        if (owed.verb, owed.arguments) not in declared:
            context.store.handlers.complete(
                owed
            )  # it is no longer declared: a command that was mended or taken out is not run
            continue
        ended = member.session.run(handler_argv(action), timeout=ACTION_TIMEOUT)
        if ended.exit_code == 0:
            context.store.handlers.complete(owed)
            done.append(ActionOutcome(member.server.name, str(action), Result.DONE))
        else:
            words = (ended.stderr.whole() or ended.stdout.whole()).decode("utf-8", "replace").strip()
            detail = f"exit {ended.exit_code}" + (f", {words[-300:]}" if words else "")
            done.append(ActionOutcome(member.server.name, str(action), Result.FAILED, detail))
        context.watch(Step("acted", member.server.name))
    return tuple(done)


def _close_books(context: Context, scope: Scope, run: str, member: Seen) -> int:
    """The member is as wanted: settle what cut-off runs left open, remember what was agreed, deliver the outbox."""
    now, name = context.clock.now(), member.server.name
    context.store.journal.settle(scope, name, list(member.agents), now)
    for agent in member.agents.values():
        _agree(context, run, member, agent, complete=True)
    delivered = context.store.backlog.deliver(scope, name, list(member.agents), run, now)
    context.watch(Step("closed", name))
    return delivered


def _agree(context: Context, run: str, member: Seen, agent: Agent, *, complete: bool) -> None:
    """Remember what the member was given, also where its run did not come to its end."""
    if isinstance(agent, Remembering) and (agreed := agent.remember(member.server, complete=complete)) is not None:
        context.store.states.put([SavedState(agent.name, member.server.name, agreed)], run)
