"""Store of a site: small protocols over one database. All are safe to use from many threads."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from multiall_cli.domain.baseline import HealthSummary
from multiall_cli.domain.health import HealthRecord, Sample, Waiver
from multiall_cli.domain.health import Transition as HealthChange
from multiall_cli.domain.run import BacklogEntry, Entry, Holder, LastResult, PendingHandler, Run, SavedState, Stage
from multiall_cli.domain.scope import Scope
from multiall_cli.domain.topology import Downtime, Event, Evidence


class Journal(Protocol):
    """Journal of runs: an intent before each change, and its outcome after it."""

    def begin(self, run: Run) -> None: ...

    def add_scope(self, run: str, scope: Scope) -> None:
        """Add a scope to a run. The history of that scope shows the run from now on."""
        ...

    def end(self, run: str, result: int, at: float) -> None: ...

    def intend(
        self, entries: Sequence[Entry], handlers: Sequence[PendingHandler] = (), states: Sequence[SavedState] = ()
    ) -> None:
        """Write intents durably in one transaction. `states`: states that apply if we die meanwhile."""
        ...

    def record(self, entries: Sequence[Entry]) -> None:
        """Write outcomes of intents: stage, detail, time. `before` and `after` are written too unless both are ''."""
        ...

    def settle(self, scope: Scope, subject: str, agents: Sequence[str], at: float) -> int:
        """Close the intents that cut-off runs left on a subject that is now as these agents desire.

        Also closes intents of runs of `scope` whose agent is no longer declared. Returns the number of closed intents.
        """
        ...

    def runs(self, limit: int, scope: Scope | None = None) -> Sequence[Run]:
        """Return the newest runs first; `scope`: only runs that have it."""
        ...

    def run(self, run_id: str) -> Run | None:
        """Return the run with this id, or the only one whose id begins with it.

        Raises UsageError if there are several.
        """
        ...

    def entries(self, run_id: str, stage: Stage | None = None) -> Sequence[Entry]: ...

    def recent(self, agent: str, since: float) -> Sequence[Entry]:
        """Return an agent's entries since a time, of any run, the oldest first."""
        ...

    def pending(self, scope: Scope | None = None) -> Sequence[Entry]:
        """Return intents without an outcome."""
        ...


class Backlog(Protocol):
    """Runs that absent subjects missed."""

    def add(
        self, scope: Scope, subject: str, server: str, agents: Sequence[str], run: str, reason: str, at: float
    ) -> None:
        """Note that a subject missed a run of these agents; once per run, subject and agent."""
        ...

    def entries(self, scope: Scope | None = None, *, delivered: bool = False) -> Sequence[BacklogEntry]: ...

    def deliver(self, scope: Scope, subject: str, agents: Sequence[str], run: str, at: float) -> int:
        """Mark a subject's missed runs of these agents as delivered by `run`; return the number of these runs.

        Also marks entries of `scope` whose agent is no longer declared.
        """
        ...


class PendingHandlers(Protocol):
    """Handlers that runs announced (`Journal.intend`) and have not run yet."""

    def of(self, scope: Scope, subject: str | None = None) -> Sequence[PendingHandler]:
        """Return them in the order of their first announcement. `subject` None: of all."""
        ...

    def complete(self, handler: PendingHandler) -> None: ...


class Results(Protocol):
    """Result of each subject in the last run that handled it."""

    def save(self, results: Sequence[LastResult]) -> None: ...

    def of(self, scope: Scope) -> Sequence[LastResult]: ...


class AgentStates(Protocol):
    """Values that agents save of their subjects between runs.

    They affect decisions, so losing them changes decisions.
    """

    def get(self, agent: str, subject: str, part: str = "") -> bytes | None: ...

    def put(self, states: Sequence[SavedState], run: str = "") -> None:
        """Save values in one transaction. `run`: the run that they come from."""
        ...


class Downtimes(Protocol):
    """Downtimes that operators set: drains, maintenance, pins."""

    def set(self, planned: Downtime) -> None:
        """Set a downtime. It replaces one of the same kind that it overlaps."""
        ...

    def end(self, server: str, now: float) -> Sequence[Downtime]:
        """End every present and future downtime; return those that ended."""
        ...

    def all(self, now: float | None = None) -> Sequence[Downtime]:
        """Return the downtimes that have not ended by then; None: all that there ever were."""
        ...


class TopologyHistory(Protocol):
    """Results of scans, and states derived from them."""

    def save_round(
        self, vantage: str, servers: Mapping[str, bytes], evidence: Sequence[Evidence], events: Sequence[Event]
    ) -> None:
        """Save one round in one transaction: states of servers, samples, events.

        Of each observer's samples of a server only the newest is stored; events are only ever added.
        """
        ...

    def servers(self, vantage: str) -> Mapping[str, bytes]:
        """Return server -> its state as the last round of this vantage left it."""
        ...

    def vantages(self) -> Sequence[str]:
        """Return the name of every vantage that saved a round."""
        ...

    def evidence(self) -> Sequence[Evidence]:
        """Return the newest sample of each observer and server, from any source."""
        ...

    def events(self, limit: int, server: str | None = None, until: float | None = None) -> Sequence[Event]:
        """Return the newest events first. `server`: of this one and of the whole; `until`: none after this."""
        ...


class HealthHistory(Protocol):
    """Checks of servers: the last one of each, and their history."""

    def save_checks(self, records: Sequence[HealthRecord], before: float) -> None:
        """Save checks in one transaction. Now and then, data older than `before` is deleted."""
        ...

    def servers(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return server -> its saved health; servers that were never checked are absent."""
        ...

    def latest(self) -> Mapping[str, HealthSummary]:
        """Return server -> the worst status of its last check."""
        ...

    def samples(self, server: str, rule: str, since: float) -> Sequence[Sample]:
        """Return the results of a rule since a time, the oldest first."""
        ...

    def transitions(self, limit: int, server: str | None = None, rule: str | None = None) -> Sequence[HealthChange]:
        """Return changes of rules to another class, the newest first."""
        ...


class Waivers(Protocol):
    """Rules that may fail on servers until a time."""

    def add(self, waiver: Waiver) -> int:
        """Save a waiver; return its number."""
        ...

    def all(self, now: float | None = None) -> Sequence[Waiver]:
        """Return the waivers that have not ended by then; None: all that there ever were."""
        ...

    def revoke(self, number: int, now: float) -> Waiver | None:
        """End a waiver and return it; None if it does not apply any more."""
        ...


class Locks(Protocol):
    """One run at a time per scope, over all processes that share the store."""

    def hold(self, scope: Scope, holder: Holder, wait: float) -> AbstractContextManager[None]:
        """Hold a scope; wait up to `wait` seconds for it. Raises Locked, with the present holder."""
        ...


class Cache(Protocol):
    """Cached bytes that save work between runs. Losing them costs time, never a decision."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class Store(Protocol):
    """All parts of the site's store."""

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

    def settle_clock(self, now: float) -> tuple[Sequence[float], Sequence[Downtime]]:
        """Make stored times in the future count as of now, for good.

        Returns by how many seconds each time lay ahead, and the downtimes set at such times that have not begun.
        """
        ...

    def close(self) -> None: ...
