"""The site's memory: small protocols over one database. All are safe to use from many threads."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from multiall_cli.domain.baseline import Latest
from multiall_cli.domain.health import Change as HealthChange
from multiall_cli.domain.health import HealthRecord, Sample, Waiver
from multiall_cli.domain.run import BacklogEntry, Entry, Holder, LastResult, PendingHandler, Run, SavedState, Stage
from multiall_cli.domain.scope import Scope
from multiall_cli.domain.topology import Event, Evidence, Planned


class Journal(Protocol):
    """What runs did, an intent before each change and its outcome after it."""

    def begin(self, run: Run) -> None: ...

    def add_scope(self, run: str, scope: Scope) -> None:
        """A run turns out to be about one more scope; the history of that scope shows it from now on."""
        ...

    def end(self, run: str, result: int, at: float) -> None: ...

    def intend(
        self, entries: Sequence[Entry], handlers: Sequence[PendingHandler] = (), states: Sequence[SavedState] = ()
    ) -> None:
        """Write what is about to be done, durably, in one transaction. `states`: what holds if we die meanwhile."""
        ...

    def record(self, entries: Sequence[Entry]) -> None:
        """Write how intents came out: stage, detail, time. `before` and `after` are written too unless both are ''."""
        ...

    def settle(self, scope: Scope, subject: str, agents: Sequence[str], at: float) -> int:
        """Close the intents that cut-off runs left on a subject, now that it is as these agents want it.

        Those of runs of `scope` too whose agent is declared no more. Returns how many.
        """
        ...

    def runs(self, limit: int, scope: Scope | None = None) -> Sequence[Run]:
        """The newest first; `scope`: only runs that have it."""
        ...

    def run(self, run_id: str) -> Run | None:
        """The run with this id, or the only one whose id begins with it. Raises UsageError if there are several."""
        ...

    def entries(self, run_id: str, stage: Stage | None = None) -> Sequence[Entry]: ...

    def recent(self, agent: str, since: float) -> Sequence[Entry]:
        """What an agent did since a time, whichever run did it; the oldest first."""
        ...

    def pending(self, scope: Scope | None = None) -> Sequence[Entry]:
        """Intents without an outcome."""
        ...


class Backlog(Protocol):
    """What absent subjects missed."""

    def add(
        self, scope: Scope, subject: str, server: str, agents: Sequence[str], run: str, reason: str, at: float
    ) -> None:
        """Note that a subject missed a run of these agents; once per run, subject and agent."""
        ...

    def entries(self, scope: Scope | None = None, *, delivered: bool = False) -> Sequence[BacklogEntry]: ...

    def deliver(self, scope: Scope, subject: str, agents: Sequence[str], run: str, at: float) -> int:
        """Mark what a subject missed of these agents as delivered by `run`; of how many runs that was.

        Entries of `scope` too whose agent is declared no more.
        """
        ...


class PendingHandlers(Protocol):
    """Handlers that runs announced (`Journal.intend`) and have not run yet."""

    def of(self, scope: Scope, subject: str | None = None) -> Sequence[PendingHandler]:
        """In the order in which they were first announced. `subject` None: of all."""
        ...

    def complete(self, handler: PendingHandler) -> None: ...


class Results(Protocol):
    """How each subject came out of the last run that dealt with it."""

    def save(self, results: Sequence[LastResult]) -> None: ...

    def of(self, scope: Scope) -> Sequence[LastResult]: ...


class AgentStates(Protocol):
    """What agents save of their subjects between runs, and what decides. Losing it changes decisions."""

    def get(self, agent: str, subject: str, part: str = "") -> bytes | None: ...

    def put(self, states: Sequence[SavedState], run: str = "") -> None:
        """Save values in one transaction. `run`: which one they are from."""
        ...


class Downtimes(Protocol):
    """What operators said of servers: drains, maintenance, pins."""

    def set(self, planned: Planned) -> None:
        """It takes the place of one of the same kind that it overlaps."""
        ...

    def end(self, server: str, now: float) -> Sequence[Planned]:
        """End every downtime that holds or will hold; which those were."""
        ...

    def all(self, now: float | None = None) -> Sequence[Planned]:
        """Those that have not ended by then; None: all that there ever were."""
        ...


class TopologyHistory(Protocol):
    """What scans saw, and what follows from it."""

    def save_round(
        self, vantage: str, servers: Mapping[str, bytes], evidence: Sequence[Evidence], events: Sequence[Event]
    ) -> None:
        """Save one round in one transaction: states of servers, samples, events.

        Of each observer's samples of a server the newest is kept; events are only ever added.
        """
        ...

    def servers(self, vantage: str) -> Mapping[str, bytes]:
        """server -> its state as the last round of this vantage left it."""
        ...

    def vantages(self) -> Sequence[str]:
        """Every vantage that saved a round, by name."""
        ...

    def evidence(self) -> Sequence[Evidence]:
        """The newest sample of each observer and server, whoever took it."""
        ...

    def events(self, limit: int, server: str | None = None, until: float | None = None) -> Sequence[Event]:
        """The newest events first. `server`: of this one and of the whole; `until`: none after this."""
        ...


class HealthHistory(Protocol):
    """Checks of servers: the last one of each, and what came before."""

    def save_checks(self, records: Sequence[HealthRecord], before: float) -> None:
        """Save checks in one transaction. Now and then, what is older than `before` is deleted."""
        ...

    def servers(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """server -> its saved health; servers that were never checked are absent."""
        ...

    def latest(self) -> Mapping[str, Latest]:
        """server -> the worst status of its last check."""
        ...

    def samples(self, server: str, rule: str, since: float) -> Sequence[Sample]:
        """The results of a rule since a time, the oldest first."""
        ...

    def transitions(self, limit: int, server: str | None = None, rule: str | None = None) -> Sequence[HealthChange]:
        """The rules that went into another class, the newest first."""
        ...


class Waivers(Protocol):
    """Rules that may fail on servers until a time."""

    def add(self, waiver: Waiver) -> int:
        """Save a waiver; its number."""
        ...

    def all(self, now: float | None = None) -> Sequence[Waiver]:
        """Those that have not ended by then; None: all that there ever were."""
        ...

    def revoke(self, number: int, now: float) -> Waiver | None:
        """End a waiver; which it was, None if there is none that holds."""
        ...


class Locks(Protocol):
    """One run at a time per scope, over all processes that share the store."""

    def hold(self, scope: Scope, holder: Holder, wait: float) -> AbstractContextManager[None]:
        """Hold a scope; wait up to `wait` seconds for it. Raises Locked, with the present holder."""
        ...


class Cache(Protocol):
    """Bytes saved between runs to save work. Losing it costs time, never a decision."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class Store(Protocol):
    """All parts of the site's memory."""

    @property
    def journal(self) -> Journal: ...

    @property
    def backlog(self) -> Backlog: ...

    @property
    def handlers(self) -> PendingHandlers: ...

    @property
    def results(self) -> Results: ...

    @property
    def states(self) -> AgentStates: ...

    @property
    def downtimes(self) -> Downtimes: ...

    @property
    def topology(self) -> TopologyHistory: ...

    @property
    def health(self) -> HealthHistory: ...

    @property
    def waivers(self) -> Waivers: ...

    @property
    def locks(self) -> Locks: ...

    @property
    def cache(self) -> Cache: ...

    def settle_clock(self, now: float) -> tuple[Sequence[float], Sequence[Planned]]:
        """Let what was stored as of a later time count as of now, from now on.

        Returns by how many seconds each time lay ahead, and the downtimes that were set then and have not begun.
        """
        ...

    def close(self) -> None: ...
