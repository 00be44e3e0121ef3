"""Contract between the engine and agents. An agent syncs one kind of thing: files, packages, databases, zones.

The engine observes every subject, asks each agent once what the subjects should have, makes one plan of the
differences, and applies it. An agent knows one kind of thing, and nothing of batches, locks, journals or questions.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, Self, runtime_checkable

from multiall_cli.domain.change import Change, Item, Outcome, Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import After, Server
from multiall_cli.domain.plan import AgentPlan, Alarm, Desired
from multiall_cli.domain.report import Settlement
from multiall_cli.domain.run import Entry
from multiall_cli.domain.scope import Purpose, Subject
from multiall_cli.domain.topology import Topology
from multiall_cli.ports.clock import Clock
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import Cache


@dataclass(frozen=True, slots=True)
class Known:
    """Input of an agent's decisions before it asks a subject; read anew for each just-in-time observation.

    `state(subject, part)`: the value that the agent saved of a subject, by the subject's name ('' is the only part of
    most agents). It reads the store when called, so that 2,000 saved file lists are never in memory at once.
    `open_guards`: guards that the operator opened, full names; given because a guard may block single items of a plan
    instead of stopping it. `members`: members of this sync; None: all. An agent of services changes only what concerns
    these members. `whole`: the caller needs all items, so an agent must not answer "unchanged" from its cache.
    """

    topology: Topology
    now: float
    state: Callable[[str, str], bytes | None]
    purpose: Purpose = Purpose.SYNC
    members: frozenset[str] | None = None
    open_guards: frozenset[str] = frozenset()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class PoolView(Generic[Item]):
    """Input of the decision on what subjects should have.

    `observed`: snapshot of every subject that answered; `absent`: subject -> why it did not. A majority is a majority
    of `observed`; an agent that needs a quorum compares with `subjects`.
    """

    known: Known
    subjects: tuple[Subject, ...]
    observed: Mapping[str, Snapshot[Item]]
    absent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ports:
    """Resources of a session. One value per subject at work, so never shared between threads.

    `session(server)`: the session of a server, opened at the first call, shared by all agents of this subject, closed
    by the engine. It also opens other servers' sessions; for a server that is away by the topology it raises
    Unreachable at once. `fan_out(items, work)`: works on a few items at the same time and returns item -> result;
    agents start no threads of their own.
    """

    session: Callable[[Server], Session]
    cache: Cache
    clock: Clock
    pause: Callable[[float], None]
    is_cancelled: Callable[[], bool]
    lock_wait: float
    """Seconds to wait for another writer that has reserved the subject."""
    fan_out: Callable[[Sequence[Any], Callable[[Any], Any]], Mapping[Any, Any]]


class AgentSession(Protocol[Item]):
    """One agent at work on one subject, in one thread.

    The engine may close it and open another one between observing and applying, so nothing that `apply` needs may come
    from `observe` alone, except what a new `observe` gives again.
    """

    def observe(self, only: Collection[str] | None = None) -> Snapshot[Item]:
        """Return what the subject has. Reads only. `only`: no other keys will be looked up.

        Raises Unreachable, MemberFault.
        """
        ...

    def apply(self, changes: Sequence[Change[Item]], run: str) -> Iterator[Outcome[Item]]:
        """Make the changes, in one attempt; yield exactly one outcome for each, as soon as it is known.

        CONFLICT: the item in `before` was no longer there, and was left alone. The engine observes and plans again, up
        to `SyncAgent.attempts` times; a session never does so itself. Outcomes that were yielded before an error count.
        Raises MemberFault: the changes without an outcome did not happen; Unreachable: their result is unknown, and the
        next run observes again. Locked: another writer has reserved the subject; nothing (more) was changed.
        """
        ...

    def close(self) -> None:
        """Release what `open` took. The engine owns sessions of `Ports.session`. Called once, whatever happened."""
        ...


class SyncAgent(Protocol[Item]):
    """Agent for one kind of thing. An instance is its declaration, and is shared between threads."""

    kind: ClassVar[str]
    """`files`, `packages`, `databases`, `zones`: the folder in `agents/`, the first word of names and guards."""

    attempts: ClassVar[int]
    """How often in a row another writer may overtake all changes of an attempt. 1: a conflict is final."""

    @property
    def name(self) -> str:
        """Return kind and subject, unique in a pool: `files:/srv/www`, `zones:example.net`."""
        ...

    def subjects(self) -> Sequence[Subject]:
        """Return all subjects, in the order of the inventory, without those that are only read (a source)."""
        ...

    def open(self, subject: Subject, known: Known, ports: Ports) -> AgentSession[Item]:
        """Open a session on one subject. `known` may save a whole observation. Raises Unreachable, MemberFault."""
        ...

    def desired(self, view: PoolView[Item]) -> Mapping[str, Desired[Item]]:
        """Return what each observed subject should have. PURE: no clock, no store, no network.

        Called once per sync with the whole pool. For services it is called again, just before they are changed, with
        the knowledge of that moment and that one subject. For members it is not: their desired state was approved, and
        a majority of one is no majority.
        """
        ...

    def alarms(self, part: AgentPlan[Item], known: Known, recent: Callable[[], Iterable[Entry]]) -> Sequence[Alarm]:
        """Return why the part looks like an accident. Guards that are open are reported too; the engine drops them.

        Called for the plan, and again for each plan that replaces it. `recent`: returns this agent's changes to its
        subjects in the last hour with purpose SYNC, of any run; reads the journal when called, so call it last.
        """
        ...


# --- optional protocols of an agent or a session, found by isinstance -------------------------------------------------


@runtime_checkable
class HasSources(Protocol):
    """Agent that reads other servers once per sync, before any subject is observed.

    For example the source of a tree, or the primary of a database. All subjects and threads share the result.
    """

    @property
    def sources(self) -> Sequence[Server]: ...

    def read(self, sessions: Mapping[str, Session]) -> Self:
        """Return the same agent with its sources read. It owns the sessions until `release`. Raises Refused."""
        ...

    def release(self) -> None: ...


@runtime_checkable
class HasHandlers(Protocol):
    """Agent that asks for reloads and commands: each once per member and run, after all agents of the member."""

    @property
    def declared_handlers(self) -> Sequence[After]:
        """Return all handlers: a handler that an earlier run left pending runs only while it is still declared."""
        ...

    def handlers(self, changes: Sequence[Change[Any]]) -> Sequence[After]:
        """Return the handlers that the changes call for."""
        ...


class Moment(StrEnum):
    """When state is saved. INTENDED is written in the transaction of the intents, so it survives a crash."""

    OBSERVED = "observed"
    """A service was observed for a sync, whatever comes of it. `changes` is empty."""
    INTENDED = "intended"
    APPLIED = "applied"
    COMPLETE = "complete"
    """All agents of the subject are as desired, handlers included."""


@dataclass(frozen=True, slots=True)
class StateInput(Generic[Item]):
    """Input for an agent's state.

    `changes`: for INTENDED, those about to be made; later, those made. `observed`: the subject before the changes.
    `settlement`: of a service, how far they have travelled; None: that is not known. `known`: as of this moment, except
    that its `state` is the one before the changes.
    """

    moment: Moment
    subject: Subject
    observed: Snapshot[Item]
    desired: Desired[Item]
    changes: Sequence[Change[Item]]
    known: Known
    settlement: Settlement | None = None


@runtime_checkable
class HasState(Protocol):
    """Agent that saves facts about its last run. Saved per (agent, subject, part)."""

    def state(self, source: StateInput[Any]) -> Mapping[str, bytes]:
        """Return what to save, part -> value; other parts stay as they are. PURE, so it needs no session."""
        ...


@runtime_checkable
class Settles(Protocol):
    """Session with a service whose changes travel further."""

    def settle(self, done: Sequence[Change[Any]], desired: Desired[Any]) -> Settlement:
        """Wait until the changes have arrived everywhere. The engine calls it in place of its own verification.

        Called without changes too: an earlier one may still be on its way. `desired`: as decided last. Raises
        Unreachable, MemberFault.
        """
        ...


@runtime_checkable
class HasText(Protocol):
    """Session that can show changes as text, for `pool diff`: (key, before, after)."""

    def texts(self, changes: Sequence[Change[Any]]) -> Iterator[tuple[str, bytes, bytes]]: ...
