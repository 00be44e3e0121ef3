"""The contract between the engine and what it keeps the same: files, packages, databases, zones.

The engine observes every subject, asks each agent once what the subjects should have, makes one plan of the
differences, and applies it. An agent knows one kind of thing and nothing of batches, locks, journals or questions.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, Self, runtime_checkable

from multiall_cli.domain.change import Change, Item, Outcome, Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import After, Server
from multiall_cli.domain.plan import AgentPlan, Alarm, Desired
from multiall_cli.domain.run import Entry
from multiall_cli.domain.scope import Purpose, Subject
from multiall_cli.domain.topology import Topology
from multiall_cli.ports.clock import Clock
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import Cache


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known before a subject is asked; read anew for each just-in-time observation.

    `state`: subject name -> what the agent saved there. It is a lazy mapping: reading a value reads the store, so that
    2,000 saved file lists are never in memory at once. `open_guards`: guards that the operator opened, whole names;
    here because a guard may hold back single items of a plan instead of stopping it. `members`: members that this sync
    is about; None: all. An agent of services changes only what is about these members. `whole`: someone wants to see
    all items, so an agent must not answer "unchanged" from its cache.
    """

    topology: Topology
    now: float
    state: Mapping[str, bytes]
    purpose: Purpose = Purpose.SYNC
    members: frozenset[str] | None = None
    open_guards: frozenset[str] = frozenset()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class PoolView(Generic[Item]):
    """All that may decide what subjects should have.

    `observed`: of every subject that answered; `absent`: subject -> why it did not. A majority is a majority of
    `observed`; an agent that needs a quorum compares with `subjects`.
    """

    known: Known
    subjects: tuple[Subject, ...]
    observed: Mapping[str, Snapshot[Item]]
    absent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ports:
    """What a session may use. One value per subject at work, so never shared between threads.

    `session(server)`: the session of a server, opened at the first call, shared by all agents of this subject, closed
    by the engine. It opens other servers' too; a server that the topology has as away is refused at once with
    Unreachable. `fan_out(items, work)`: work on few items at the same time, item -> result; agents start no threads of
    their own.
    """

    session: Callable[[Server], Session]
    cache: Cache
    clock: Clock
    pause: Callable[[float], None]
    is_cancelled: Callable[[], bool]
    fan_out: Callable[[Sequence[Any], Callable[[Any], Any]], Mapping[Any, Any]]


class AgentSession(Protocol[Item]):
    """One agent at work on one subject, in one thread. The engine may close it and open another one between observing
    and applying, so nothing that `apply` needs may come from `observe` alone, except what a new `observe` gives again.
    """

    def observe(self, only: Collection[str] | None = None) -> Snapshot[Item]:
        """What the subject has. Reads only. `only`: no other keys will be looked up.

        Raises Unreachable, MemberFault.
        """
        ...

    def apply(self, changes: Sequence[Change[Item]], run: str) -> Iterator[Outcome[Item]]:
        """Make the changes, in one attempt; exactly one outcome for each, as soon as it is known.

        CONFLICT: what `before` describes was no longer there, and it was left alone. The engine observes and plans
        again, up to `SyncAgent.attempts` times; a session never does so itself. Outcomes that were yielded before an
        error count. Raises MemberFault: the changes without an outcome did not happen; Unreachable: nobody knows, the
        next run looks.
        """
        ...

    def close(self) -> None:
        """Release what `open` took. Sessions of `Ports.session` are the engine's. Called once, whatever happened."""
        ...


class SyncAgent(Protocol[Item]):
    """One kind of thing that is kept the same. An instance is its declaration, and is shared between threads."""

    kind: ClassVar[str]
    """`files`, `packages`, `databases`, `zones`: the folder in `agents/`, the first word of names and guards."""

    attempts: ClassVar[int]
    """How often in a row all changes of an attempt may be overtaken by another writer. 1: a conflict is final."""

    @property
    def name(self) -> str:
        """Kind and subject, unique in a pool: `files:/srv/www`, `zones:example.net`."""
        ...

    def subjects(self) -> Sequence[Subject]:
        """All subjects, in the order of the inventory; without those that are only read (a source)."""
        ...

    def open(self, subject: Subject, known: Known, ports: Ports) -> AgentSession[Item]:
        """A session on one subject. `known` may save a whole observation. Raises Unreachable, MemberFault."""
        ...

    def desired(self, view: PoolView[Item]) -> Mapping[str, Desired[Item]]:
        """What each observed subject should have. PURE: no clock, no store, no network.

        Called once per sync with the whole pool. Of services it is called again, just before they are changed, with
        what is known then and that one subject. Of members it is not: what they should have was approved, and a
        majority of one is no majority.
        """
        ...

    def alarms(self, part: AgentPlan[Item], known: Known, recent: Callable[[], Iterable[Entry]]) -> Sequence[Alarm]:
        """Why the part looks like an accident. Guards that are open are reported too; the engine drops them.

        Called for the plan, and again for each plan that replaces it. `recent`: what this agent did to its subjects in
        the last hour on purpose SYNC, whichever run did it; reads the journal when called, so call it last.
        """
        ...


# --- what an agent or a session may be besides, found by isinstance -------------------------------------------------


@runtime_checkable
class HasSources(Protocol):
    """An agent that reads other servers once per sync, before any subject is observed: the source of a tree, the
    primary of a database. The result is shared by all subjects and threads.
    """

    @property
    def sources(self) -> Sequence[Server]: ...

    def read(self, sessions: Mapping[str, Session]) -> Self:
        """The same agent with its sources read. The sessions are its own until `release`. Raises Refused."""
        ...

    def release(self) -> None: ...


@runtime_checkable
class HasHandlers(Protocol):
    """An agent that asks for reloads and commands: each once per member and run, after all agents of the member."""

    @property
    def declared_handlers(self) -> Sequence[After]:
        """All of them: a handler that an earlier run left pending runs only while it is still declared."""
        ...

    def handlers(self, changes: Sequence[Change[Any]]) -> Sequence[After]:
        """Those that the changes call for."""
        ...


class Moment(StrEnum):
    """When state is saved. INTENDED is written in the transaction of the intents: should we die, it holds."""

    INTENDED = "intended"
    APPLIED = "applied"
    COMPLETE = "complete"
    """All agents of the subject are as desired, handlers included."""


@dataclass(frozen=True, slots=True)
class StateInput(Generic[Item]):
    """What state may be made of. `changes`: of INTENDED, those that are about to be made; later, those made."""

    moment: Moment
    subject: Subject
    saved: bytes | None
    desired: Desired[Item]
    changes: Sequence[Change[Item]]
    known: Known


@runtime_checkable
class HasState(Protocol):
    """An agent that wants to know next time what it did or saw. Saved per (agent, subject)."""

    def state(self, source: StateInput[Any]) -> bytes | None:
        """What to save; None: leave what is there. PURE, so it needs no session."""
        ...


@runtime_checkable
class HasText(Protocol):
    """A session that can show changes as text, for `pool diff`: (key, before, after)."""

    def texts(self, changes: Sequence[Change[Any]]) -> Iterator[tuple[str, bytes, bytes]]: ...
