"""The holes in the house: what the engine needs of the world, as protocols. Adapters fill them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from multiall_cli.domain.baseline import Latest
from multiall_cli.domain.change import Change, Item, Outcome, Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.health import Change as HealthChange
from multiall_cli.domain.health import HealthRecord, Sample, Waiver
from multiall_cli.domain.inventory import After, Server
from multiall_cli.domain.records import Content, Leasing, Place, RRset, Written
from multiall_cli.domain.run import Entry, Holder, OutboxEntry, OwedAction, Run, Stage, Standing
from multiall_cli.domain.topology import Event, Evidence, Planned
from multiall_cli.domain.zones import NameServer, Zone

HEAD = TAIL = 1 << 20
"""Bytes kept of the beginning and of the end of a command's output; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A command's output: the first and the last megabyte, and how many bytes between them were let go."""

    head: bytes = b""
    tail: bytes = b""
    dropped: int = 0

    def whole(self) -> bytes:
        if not self.dropped:
            return self.head + self.tail
        return self.head + b"\n[... %d bytes left out ...]\n" % self.dropped + self.tail


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended. `exit_code` is 128 + n where signal n ended it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: Captured
    stderr: Captured


OnOutput = Callable[[str, bytes], None]
"""Told each piece of output as it comes: ("stdout" | "stderr", bytes)."""


class Reply(Protocol):
    """An operation's answer: first every payload piece in order, then the value."""

    def pieces(self) -> Iterator[bytes]:
        """The payload, as it comes. Read it to its end before `value`."""
        ...

    def value(self) -> Mapping[str, object]:
        """The operation's result; pieces that were not read are passed over."""
        ...


class Session(Protocol):
    """A conversation with one server. Used by one thread at a time.

    Errors of `run` and `call`: Unreachable (the link is gone), MemberFault (it answered wrongly or not in time).
    """

    @property
    def server(self) -> Server: ...

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> Completed:
        """Run a command with the server's `become` rights. `timeout`: seconds without any output; None: the site's."""
        ...

    def call(
        self,
        operation: str,
        payload: Iterable[bytes] = (),
        timeout: float | None = None,
        ends: float | None = None,
        **arguments: object,
    ) -> Reply:
        """Run an operation of `remote/` in the member's python3. `timeout`: seconds without an answer's next piece;
        `ends`: in which the whole answer must have come, however much is said meanwhile.

        Payload pieces (at most MAX_PIECE bytes each) are sent as they are produced, then the answer is read; an
        operation that fails early ends the sending early.
        """
        ...

    def close(self) -> None: ...


class Transport(Protocol):
    """Opens sessions. Safe to use from many threads."""

    def open(self, server: Server) -> Session:
        """A session, authenticated and with its host key checked. Errors: Unreachable, MemberFault."""
        ...

    def close(self) -> None:
        """End whatever is kept open between sessions (jump hosts, keys)."""
        ...


class Observer(Protocol):
    """A brother that is asked whom it reaches. Safe to use from many threads."""

    def reach(self, targets: Sequence[Server]) -> Sequence[Evidence] | None:
        """What it meets at the targets' SSH ports; None where it cannot be asked at all. Errors: Unreachable."""
        ...

    def close(self) -> None: ...


class Prober(Protocol):
    """Takes samples of servers for the topology. Safe to use from many threads."""

    def knock(self, servers: Sequence[Server], listen: Set[str]) -> Sequence[Evidence]:
        """The cheap sample of each that can be reached straight; `listen`: whose SSH banner is waited for."""
        ...

    def login(self, server: Server) -> tuple[Sequence[Evidence], Observer | None]:
        """The dear sample: a whole login, if anything came of it; and what it opened, to be asked about others."""
        ...

    def kept(self, server: Server) -> Observer | None:
        """What an earlier login opened, where such are kept."""
        ...

    def would_keep(self, servers: Sequence[Server]) -> Set[str]:
        """Those of the servers whose logins would stay open."""
        ...


class NameServers(Protocol):
    """Reads and changes zones at the servers that hold them. Safe to use from many threads.

    Errors of all: Unreachable (no answer), MemberFault (it answered, and not as it should).
    """

    def serial(self, zone: Zone, server: NameServer) -> int:
        """The zone's serial there: one query."""
        ...

    def read(self, zone: Zone) -> Content:
        """The zone as its primary has it, whole or not at all."""
        ...

    def write(
        self,
        zone: Zone,
        changes: Sequence[tuple[Change[RRset], str]],
        soa: str,
        lease: Leasing | None = None,
    ) -> Written:
        """Changes, each with the mark that is to stand beside it ('': none), in messages that are done whole or not at
        all: what is wrong with one name is not the others' trouble. `soa`: the data of the SOA record as it was read,
        which must still hold where an alias takes the place of others; `lease`: to be taken in the same messages.
        """
        ...

    def release(self, zone: Zone, lease: Leasing) -> None:
        """Give a lease back, if it is still ours."""
        ...

    def notify(self, zone: Zone, server: NameServer) -> None:
        """Tell a secondary that the zone has changed."""
        ...

    def answers(self, zone: Zone, server: NameServer, places: Sequence[Place]) -> Mapping[Place, RRset | None]:
        """What clients are told there, by who holds the zone itself; None: there is nothing."""
        ...


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring."""
        ...


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


class SyncAgent(Protocol[Item]):
    """One kind of thing that is kept the same. An instance is its declaration; all four agents have this shape."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """Kind and subject, unique within a pool: `files:/srv/www`."""
        ...

    def desired(self, server: Server) -> Snapshot[Item]:
        """What the server is to have. Pure."""
        ...

    def observe(self, session: Session, only: Collection[str] | None = None) -> Snapshot[Item]:
        """What the server has. Reads only. `only`: no one asks for anything but these keys."""
        ...

    def apply(self, session: Session, changes: Sequence[Change[Item]], run: str) -> Iterator[Outcome[Item]]:
        """Make the changes; exactly one outcome per change. `run` names the run in what stays on the member."""
        ...


@runtime_checkable
class Sourced(Protocol):
    """An agent whose wanted state is read from a server first: a folder of the admin host, or a member."""

    @property
    def source(self) -> Server: ...

    def read(self, session: Session) -> Self:
        """The same agent with its source read, so that `desired` is pure from here on. Errors: Refused.

        The session is the agent's until `release`.
        """
        ...

    def release(self) -> None:
        """Let go of what `read` opened."""
        ...


@runtime_checkable
class Watched(Protocol):
    """An agent with actions to be done once per member where something changed."""

    @property
    def actions(self) -> Sequence[After]:
        """All that are declared."""
        ...

    def after(self, changes: Sequence[Change[Any]]) -> Sequence[After]:
        """Those that the changes call for."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """An agent that can say what its plan of a server leaves out or cannot do."""

    def remarks(self, server: Server) -> Sequence[str]:
        """One sentence each, with what to do; known once the server was observed."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """An agent that wants to know next time what a member and the admin host last agreed on."""

    def remember(self, server: Server, *, complete: bool) -> bytes | None:
        """What they agree on; None where this agent will not ask for it.

        `complete`: the server is as wanted. Else it was given something, and what it had before may still be there.
        """
        ...


@runtime_checkable
class Legible(Protocol):
    """An agent whose changes can be read as text, for `pool diff`."""

    def texts(self, session: Session, changes: Sequence[Change[Any]]) -> Iterator[tuple[str, bytes, bytes]]:
        """(key, content before, content after) of each change that has content."""
        ...
