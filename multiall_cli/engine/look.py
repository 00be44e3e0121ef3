"""Observes a pool: reads the sources once, looks at every member, and finds what differs."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field
from typing import Any, cast

from multiall_cli.domain.change import Change, Deferral, MemberPlan, Plan
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError, Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Step
from multiall_cli.domain.scope import Scope
from multiall_cli.domain.topology import Evidence, Rung
from multiall_cli.domain.topology import failed as failed_to_open
from multiall_cli.engine.context import Agent, Assignment, Context
from multiall_cli.engine.fanout import Stragglers, fan_out
from multiall_cli.planning.diff import diff
from multiall_cli.planning.order import plan_id
from multiall_cli.ports.agent import Remarking, Sourced, Watched
from multiall_cli.ports.session import Session


@dataclass(frozen=True, slots=True)
class Seen:
    """A member that answered: its open session and, by agent, what differs."""

    server: Server
    session: Session
    agents: Mapping[str, Agent]
    plans: tuple[MemberPlan[Any], ...]


@dataclass(slots=True)
class Sight:
    """A pool as it was found. Close it: it holds the sessions and the sources open."""

    scope: Scope
    plan: Plan
    seen: Mapping[str, Seen]
    agents: Mapping[str, tuple[str, ...]]
    """server -> its agents, by name; of absent servers too."""
    _open: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        self._open.close()


def look(context: Context, scope: Scope, assignments: Sequence[Assignment]) -> Sight:
    """Observe every member with each of its agents. Errors: Refused or Unreachable where a source cannot be read."""
    stack = ExitStack()
    try:
        sourced = [
            Assignment(_read_source(context, each.agent, stack), each.servers) for each in assignments if each.servers
        ]
        return _look_at_members(context, scope, sourced, stack)
    except BaseException:
        stack.close()
        raise


def _read_source(context: Context, agent: Agent, stack: ExitStack) -> Agent:
    if not isinstance(agent, Sourced):
        return agent
    try:
        session = context.transport.open(agent.source)
    except Unreachable as fault:
        what = f"it is the source of {agent.name}, so nothing was done: {fault.what}"
        raise Unreachable(agent.source.name, what, fault.todo, fault.reason) from None
    stack.callback(session.close)
    ready = agent.read(session)
    stack.callback(ready.release)
    context.watch(Step("source read", agent.source.name))
    return cast(Agent, ready)  # Sourced is a second protocol of the same object


def _look_at_members(context: Context, scope: Scope, assignments: Sequence[Assignment], stack: ExitStack) -> Sight:
    servers: dict[str, Server] = {}
    agents: dict[str, dict[str, Agent]] = {}
    for each in assignments:
        for server in each.servers:
            servers[server.name] = server
            if not (isinstance(each.agent, Sourced) and each.agent.source.name == server.name):
                agents.setdefault(server.name, {})[each.agent.name] = each.agent
    seen: dict[str, Seen] = {}
    failed: dict[str, MultiAllError] = {}
    looked = fan_out(
        list(servers.values()),
        lambda server: _look_at(context, server, agents.get(server.name, {})),
        context.parallel,
        context.stop,
        Stragglers(context.silence, lambda server: server.name, lambda seen: seen.session.close()),
    )
    for server, result in looked:
        if isinstance(result, MultiAllError):
            failed[server.name] = result
        else:
            seen[server.name] = result
            stack.callback(result.session.close)
        context.watch(Step("looked", server.name))
    _testify(context, seen, failed)
    ordered = {name: seen[name] for name in servers if name in seen}
    plans = tuple(plan for member in ordered.values() for plan in member.plans)
    deferred = tuple(_deferral(name, failed[name]) for name in servers if name in failed)
    owed = tuple((each.subject, each.action) for each in context.store.handlers.of(scope) if each.subject in ordered)
    plan = Plan(scope.name, tuple(servers), plans, deferred, plan_id(plans, owed), owed)
    return Sight(scope, plan, ordered, {name: tuple(own) for name, own in agents.items()}, stack)


def _testify(context: Context, seen: Iterable[str], failed: Mapping[str, MultiAllError]) -> None:
    """What we met on the way is evidence that costs nothing."""
    now = context.clock.now()
    met = [Evidence(context.observer_of(name), name, Rung.AUTH, now) for name in seen]
    for name, fault in failed.items():
        if isinstance(fault, Unreachable) and name not in context.away and fault.subject == name:
            met += failed_to_open(context.observer_of(name), name, fault.reason, now)
    if met and context.vantage:
        context.store.topology.save_round(context.vantage, {}, met, ())


def _look_at(context: Context, server: Server, agents: Mapping[str, Agent]) -> Seen:
    if server.name in context.away:
        raise context.away[server.name]
    session = context.transport.open(server)
    try:
        plans = tuple(plan_for(session, server, agent) for agent in agents.values())
    except BaseException:
        session.close()
        raise
    return Seen(server, session, agents, plans)


def plan_for(session: Session, server: Server, agent: Agent) -> MemberPlan[Any]:
    """What one agent would change on one member."""
    observed = agent.observe(session)
    changes: list[Change[Any]] = diff(observed, agent.desired(server))
    actions = tuple(map(str, agent.after(changes))) if isinstance(agent, Watched) else ()
    remarks = tuple(agent.remarks(server)) if isinstance(agent, Remarking) else ()
    return MemberPlan(server.name, agent.name, tuple(changes), len(observed) if changes else 0, actions, remarks)


def _deferral(server: str, fault: MultiAllError) -> Deferral:
    reason = fault.reason if isinstance(fault, Unreachable) else "fault"
    return Deferral(server, reason, fault.what, fault.todo)
