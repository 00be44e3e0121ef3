"""Runs: the journal, the backlog, pending handlers and last results."""

from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.scope import Purpose, Scope


@dataclass(frozen=True, slots=True)
class Run:
    """One verb that changes something: its operator, its host and its result.

    `scopes`: first the locked scope, then other changed scopes: a pool's run that changes names also has their zones.
    `started`, `ended`: seconds since the epoch (UTC); `ended` None: it is running, or was cut off.
    """

    id: str
    verb: str
    scopes: tuple[Scope, ...]
    targets: tuple[str, ...]
    plan: str
    who: str
    host: str
    pid: int
    started: float
    ended: float | None = None
    result: Exit | None = None

    @property
    def scope(self) -> Scope:
        return self.scopes[0]


class Stage(StrEnum):
    """Progress of a journalled change. If `intent` remains after its run, the next run settles it."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    CONFLICT = "conflict"
    SETTLED = "settled"
    """Its run was cut off between intent and outcome; a later run found the subject as desired, or made it so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: a change that an agent made to a subject, before and after in words.

    `server`: where it was made: the subject itself, or the server of a service; `purpose`: why it was made; `turn`: how
    often the run had turned to the subject before (a batch leaves a service, comes back, the next one leaves it).
    """

    run: str
    agent: str
    subject: str
    server: str
    key: str
    action: str
    before: str
    after: str
    stage: Stage
    detail: str
    at: float
    purpose: Purpose = Purpose.SYNC
    turn: int = 0


@dataclass(frozen=True, slots=True)
class BacklogEntry:
    """Run that an absent subject missed. Delivered once: by the run that brings the subject up to date.

    `agent`: the agent whose changes it missed; `scope`: of the run that it missed; `server`: the absent server.
    """

    id: int
    scope: Scope
    agent: str
    subject: str
    server: str
    run: str
    reason: str
    at: float
    delivered_by: str | None = None
    delivered_at: float | None = None


@dataclass(frozen=True, slots=True)
class PendingHandler:
    """Handler that a run announced and has not run yet: a crash must not lose a reload.

    Once per subject and scope, however many agents ask for it.
    """

    scope: Scope
    subject: str
    agent: str
    verb: str
    arguments: tuple[str, ...]
    run: str

    @property
    def action(self) -> str:
        """Return the action in words, in the format of `After`."""
        return f"{self.verb} {' '.join(self.arguments)}"


@dataclass(frozen=True, slots=True)
class SavedState:
    """Value that an agent saves of a subject between runs. `part`: distinguishes several values."""

    agent: str
    subject: str
    value: bytes
    part: str = ""


@dataclass(frozen=True, slots=True)
class LastResult:
    """Result of a subject in the last run of a scope that handled it."""

    scope: Scope
    subject: str
    state: MemberState
    run: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress step of a run: its name, and its server ('' for a step of the run itself)."""

    name: str
    server: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Holder:
    """Holder of a pool's lock, and since when (seconds since the epoch)."""

    who: str
    host: str
    pid: int
    since: float
    verb: str

    def __str__(self) -> str:
        return f"{self.who}@{self.host} (pid {self.pid}, `{self.verb}`)"
