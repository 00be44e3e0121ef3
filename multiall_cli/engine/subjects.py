"""Subjects during a run: their sessions, observations and desired states."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from typing import Any

from multiall_cli.domain.change import Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.plan import AgentPlan, Desired
from multiall_cli.domain.scope import Purpose, Subject
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.fanout import fan_out
from multiall_cli.planning.diff import diff
from multiall_cli.ports.agent import AgentSession, HasHandlers, Known, Ports
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import AgentStates


class SubjectSessions:
    """Sessions of one thread: one per server, shared by all agents of a subject, closed together."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: dict[str, Session] = {}

    def session(self, server: Server) -> Session:
        """Return the session of a server. Raises Unreachable, also for a server that is away; MemberFault."""
        if server.name in self._context.away:
            raise self._context.away[server.name]
        if server.name not in self._open:
            self._open[server.name] = self._context.transport.open(server)
        return self._open[server.name]

    def close(self) -> None:
        while self._open:
            _, session = self._open.popitem()
            with suppress(MultiAllError):
                session.close()

    def ports(self) -> Ports:
        context = self._context
        return Ports(
            self.session,
            context.store.cache,
            context.clock,
            context.pause,
            context.stop,
            lambda items, work: dict(fan_out(items, work, len(items))),
        )


@dataclass(slots=True)
class SubjectWork:
    """Member with all its agents. `server`: the way to reach it; `parts`: the changes of each agent."""

    subject: Subject
    server: Server
    links: SubjectSessions
    agents: dict[str, Agent] = field(default_factory=dict)
    sessions: dict[str, AgentSession[Any]] = field(default_factory=dict)
    observed: dict[str, Snapshot[Any]] = field(default_factory=dict)
    desired: dict[str, Desired[Any]] = field(default_factory=dict)
    parts: dict[str, AgentPlan[Any]] = field(default_factory=dict)
    is_observed: bool = False
    has_pending: bool = False
    """Whether an earlier run announced handlers that have not run yet."""

    @property
    def name(self) -> str:
        return self.subject.name

    @property
    def is_open(self) -> bool:
        return len(self.sessions) == len(self.agents)

    @property
    def needs_session(self) -> bool:
        """Return whether there is work on the member: a change, or a handler of an earlier run."""
        return self.has_pending or any(part.changes for part in self.parts.values())

    def visit(self, known: Mapping[str, Known]) -> None:
        """Open a session per agent and observe. Raises Unreachable, MemberFault; then nothing stays open."""
        try:
            self.links.session(self.server)
            ports = self.links.ports()
            for name, agent in self.agents.items():
                self.sessions[name] = session = agent.open(self.subject, known[name], ports)
                self.observed[name] = session.observe()
            self.is_observed = True
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all sessions; observations and desired states remain."""
        while self.sessions:
            _, session = self.sessions.popitem()
            with suppress(MultiAllError):
                session.close()
        self.links.close()


def part_of(agent: Agent, subject: Subject, observed: Snapshot[Any], desired: Desired[Any]) -> AgentPlan[Any]:
    """Return the changes of one agent on one subject."""
    changes = tuple(diff(observed, desired.snapshot))
    handlers = tuple(map(str, agent.handlers(changes))) if isinstance(agent, HasHandlers) else ()
    size = len(observed) if changes else 0
    words = (desired.conflicts, desired.unmet, desired.notes, desired.detail)
    return AgentPlan(agent.kind, agent.name, (subject,), changes, size, handlers, *words)


class SavedStates(Mapping[str, bytes]):
    """Saved agent state: subject -> value. Each value is read from the store on access."""

    def __init__(self, states: AgentStates, agent: Agent) -> None:
        self._states, self._agent = states, agent

    def __getitem__(self, subject: str) -> bytes:
        value = self._states.get(self._agent.name, subject)
        if value is None:
            raise KeyError(subject)
        return value

    def __iter__(self) -> Iterator[str]:
        names = (each.name for each in self._agent.subjects())
        return (name for name in names if self._states.get(self._agent.name, name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def known_to(context: Context, agent: Agent, open_guards: frozenset[str] = frozenset()) -> Known:
    """Return the current input of an agent's decisions."""
    states = SavedStates(context.store.states, agent)
    return Known(context.topology, context.clock.now(), states, Purpose.SYNC, open_guards=open_guards)
