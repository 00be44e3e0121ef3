"""The site's memory."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from multiall_cli.domain.baseline import Latest
from multiall_cli.domain.health import Change as HealthChange
from multiall_cli.domain.health import HealthRecord, Sample, Waiver
from multiall_cli.domain.run import Entry, Holder, OutboxEntry, OwedAction, Run, Stage, Standing
from multiall_cli.domain.topology import Event, Evidence, Planned


class Cache(Protocol):
    """Keeps bytes between runs to save work; losing one costs time, never truth."""

    def cached(self, key: str) -> bytes | None: ...

    def keep(self, key: str, value: bytes) -> None: ...


class Store(Cache, Protocol):
    """The site's memory: journal, outbox, owed actions, agreed snapshots, locks. Safe to use from many threads."""

    def lock(self, pool: str, holder: Holder, wait: float) -> AbstractContextManager[None]:
        """Hold the pool; waits up to `wait` seconds. Errors: Locked, with the present holder."""
        ...

    def begin(self, run: Run) -> None: ...

    def end(self, run: str, result: int, at: float) -> None: ...

    def intend(self, entries: Sequence[Entry], owed: Sequence[OwedAction]) -> None:
        """Write what is about to be done, durably, in one transaction."""
        ...

    def record(self, entries: Sequence[Entry]) -> None:
        """Write how intents came out: their stage, detail and time; where what was before and after is told, that too,
        since it may be other than intended.
        """
        ...

    def settle(self, pool: str, server: str, agents: Sequence[str], at: float) -> int:
        """Close the intents that cut-off runs of these agents left on a member, now that it is as they want it."""
        ...

    def owed(self, pool: str, server: str | None = None) -> Sequence[OwedAction]: ...

    def paid(self, owed: OwedAction) -> None: ...

    def defer(self, pool: str, server: str, run: str, reason: str, at: float) -> None:
        """Add an outbox entry; once per run and member."""
        ...

    def outbox(self, pool: str | None = None, *, delivered: bool = False) -> Sequence[OutboxEntry]: ...

    def deliver(self, pool: str, server: str, run: str, at: float) -> int:
        """Mark all that the member missed as delivered by `run`; how many entries that were."""
        ...

    def agreed(self, server: str, agent: str) -> bytes | None:
        """The last snapshot that member and admin agreed on, as the agent packed it."""
        ...

    def agree(self, server: str, agent: str, snapshot: bytes, run: str) -> None: ...

    def stand(self, standings: Sequence[Standing]) -> None:
        """Remember how members came out."""
        ...

    def standings(self, pool: str) -> Sequence[Standing]: ...

    def remember(
        self, vantage: str, servers: Mapping[str, bytes], evidence: Sequence[Evidence], events: Sequence[Event]
    ) -> None:
        """One round of the topology, in one transaction: what is kept of servers, what was seen, what changed.

        Of each observer's samples of a server the newest is kept; events are only ever added.
        """
        ...

    def remembered(self, vantage: str) -> Mapping[str, bytes]:
        """What was kept of servers."""
        ...

    def vantages(self) -> Sequence[str]:
        """Whoever remembered anything, by name."""
        ...

    def evidence(self) -> Sequence[Evidence]:
        """The newest sample of each observer and server, whoever took it."""
        ...

    def events(self, limit: int, server: str | None = None, until: float | None = None) -> Sequence[Event]:
        """The newest events first; `server`: its own and those of the whole; `until`: none after this."""
        ...

    def settle_clock(self, now: float) -> tuple[Sequence[float], Sequence[Planned]]:
        """Let what was stored as of a later time count as of now; by how much each time lay ahead, and the words that
        were said then and have not begun.
        """
        ...

    def promise(self, planned: Planned) -> None:
        """An operator's word on a server. It takes the place of one of the same kind that it overlaps."""
        ...

    def withdraw(self, server: str, now: float) -> Sequence[Planned]:
        """End every word that holds or will hold; which those were."""
        ...

    def promised(self, now: float | None = None) -> Sequence[Planned]:
        """The words that have not ended by then; None: all that there ever were."""
        ...

    def note_health(self, records: Sequence[HealthRecord], before: float) -> None:
        """Looks at servers, in one transaction. Now and then, history that is older than `before` is forgotten, and so
        are servers that were not looked at since.
        """
        ...

    def health(self, servers: Sequence[str]) -> Mapping[str, bytes]:
        """server → what was kept of its health at the last look; nothing of who never was looked at."""
        ...

    def latest_health(self) -> Mapping[str, Latest]:
        """server → the worst of it at its last look."""
        ...

    def samples(self, server: str, rule: str, since: float) -> Sequence[Sample]:
        """How a rule stood at each look since then, the oldest first."""
        ...

    def changes(self, limit: int, server: str | None = None, rule: str | None = None) -> Sequence[HealthChange]:
        """The rules that went into another class, the newest first."""
        ...

    def waive(self, waiver: Waiver) -> int:
        """Remember a waiver; its number."""
        ...

    def waivers(self, now: float | None = None) -> Sequence[Waiver]:
        """Those that have not ended by then; None: all that there ever were."""
        ...

    def revoke(self, number: int, now: float) -> Waiver | None:
        """End a waiver; which it was, None where there is none that still holds."""
        ...

    def runs(self, limit: int, pool: str | None = None) -> Sequence[Run]: ...

    def run(self, run_id: str) -> Run | None:
        """The run with this id, or the only one whose id begins so."""
        ...

    def entries(self, run_id: str, stage: Stage | None = None) -> Sequence[Entry]: ...

    def pending(self, pool: str | None = None) -> Sequence[Entry]:
        """Intents without an outcome."""
        ...

    def close(self) -> None: ...
