"""Subjects during a run: their sessions, observations and desired states."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field
from functools import partial
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

    def __init__(self, context: Context, lock_wait: float = 0.0) -> None:
        self._context = context
        self._lock_wait = lock_wait
        self._open: dict[str, Session] = {}

    def session(self, server: Server) -> Session:
        """Return the session of a server. Raises Unreachable, also for a server that is away; MemberFault."""
        self.require(server.name)
        if server.name not in self._open:
            self._open[server.name] = self._context.transport.open(server)
        return self._open[server.name]

    def require(self, server: str) -> None:
        """Raise Unreachable if the topology has a server in maintenance or down."""
        if server in self._context.away:
            raise self._context.away[server]

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
            self._lock_wait,
            lambda items, work: dict(fan_out(items, work, len(items))),
        )


@dataclass(slots=True)
class SubjectWork:
    """Subject with all its agents. `server`: the way to reach a member, None for a service; `parts`: their changes."""

    subject: Subject
    server: Server | None
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

    @property
    def is_whole(self) -> bool:
        """Return whether its agents decided on all its items."""
        return all(each.is_whole for each in self.desired.values())

    def visit(self, known: Mapping[str, Known]) -> None:
        """Open a session per agent and observe. Raises Unreachable, MemberFault; then nothing stays open."""
        try:
            self.links.session(self.server) if self.server else self.links.require(self.subject.server)
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


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What the operator asked for, as far as it affects decisions.

    `open_guards`: guards to pass, by full name; `members`: the only ones that may be changed (None: all); `whole`: all
    items are needed, for example to show them; `lock_wait`: seconds to wait for another writer.
    """

    open_guards: frozenset[str] = frozenset()
    members: frozenset[str] | None = None
    whole: bool = False
    lock_wait: float = 0.0


ALL = SyncRequest()


def known_to(context: Context, agent: Agent, request: SyncRequest = ALL, purpose: Purpose = Purpose.SYNC) -> Known:
    """Return the current input of an agent's decisions. For services the topology is read anew."""
    is_service = has_services(agent)
    topology = context.current() if is_service else context.topology
    state = _saved_once(context.store.states, agent) if is_service else partial(context.store.states.get, agent.name)
    asked = (request.members, request.open_guards, request.whole)
    return Known(topology, context.clock.now(), state, purpose, *asked)


def has_services(agent: Agent) -> bool:
    return any(not each.is_member for each in agent.subjects())


def _saved_once(states: AgentStates, agent: Agent) -> Callable[[str, str], bytes | None]:
    """Return a reader that reads each value once: what was saved before a change stays known after it."""
    found: dict[tuple[str, str], bytes | None] = {}

    def read(subject: str, part: str) -> bytes | None:
        if (subject, part) not in found:
            found[subject, part] = states.get(agent.name, subject, part)
        return found[subject, part]

    return read
