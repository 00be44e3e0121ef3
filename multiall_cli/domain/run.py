"""Runs: the journal, the backlog, pending handlers and last results."""

from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.scope import Purpose, Scope


@dataclass(frozen=True, slots=True)
class Run:
    """One verb that changes something: who asked for it, from where, and how it ended.

    `scopes`: what it is about, first what it locked, then what else it changed: a pool's run that changes names has
    their zones too. `started`, `ended`: seconds since the epoch (UTC); `ended` None: it is running, or was cut off.
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
    """How far a journalled change got. `intent` that stays after its run is settled by the next one."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    CONFLICT = "conflict"
    SETTLED = "settled"
    """Its run was cut off between intent and outcome; a later run looked and made it so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: a change that an agent made to a subject, before and after in words.

    `server`: where it was made: the subject itself, or the server of a service; `purpose`: why it was made.
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


@dataclass(frozen=True, slots=True)
class BacklogEntry:
    """What the admin host owes to a subject that missed a run. Delivered once: by the run that brings it up to date.

    `agent`: whose changes it missed; `scope`: of the run that it missed; `server`: whose absence was the reason.
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
    """A handler that a run announced and has not run yet: a crash must not lose a reload.

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
        """In words, as `After` has them."""
        return f"{self.verb} {' '.join(self.arguments)}"


@dataclass(frozen=True, slots=True)
class SavedState:
    """What an agent saves of a subject from one run to the next. `part`: which, where it saves several values."""

    agent: str
    subject: str
    value: bytes
    part: str = ""


@dataclass(frozen=True, slots=True)
class LastResult:
    """How a subject came out of the last run of a scope that dealt with it."""

    scope: Scope
    subject: str
    state: MemberState
    run: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Step:
    """Progress that someone may watch: what was just reached, on which server ('' where it is the run's own)."""

    name: str
    server: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a pool's lock, and since when (seconds since the epoch)."""

    who: str
    host: str
    pid: int
    since: float
    verb: str

    def __str__(self) -> str:
        return f"{self.who}@{self.host} (pid {self.pid}, `{self.verb}`)"
