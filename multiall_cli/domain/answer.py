"""What the verbs that only look answer with."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.run import BacklogEntry, Entry, LastResult, PendingHandler, Run


@dataclass(frozen=True, slots=True)
class Executed:
    """A command on one server. `exit_code` None: there is no result; `trouble` and `todo` say why.

    `begun`: there was a session, so that the command may have run, or still run.
    """

    server: str
    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    trouble: str = ""
    todo: str = ""
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server says of itself, or why it says nothing."""

    server: str
    facts: Mapping[str, object]
    trouble: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """A member as the store knows it, without asking it."""

    server: str
    result: LastResult | None
    missed: Sequence[BacklogEntry]
    unsettled: int
    handlers: Sequence[PendingHandler]


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool as the store knows it. `last` is its last run that had something to do."""

    pool: str
    members: tuple[MemberStatus, ...]
    last: Run | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed file as text: what the members in `servers` have, and what they are to have."""

    servers: tuple[str, ...]
    agent: str
    key: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunDetails:
    """A run with its journal."""

    run: Run
    entries: tuple[Entry, ...]
    missed_by: tuple[BacklogEntry, ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """What is still open: changes that a cut-off run announced, runs that members missed, actions that are owed."""

    entries: tuple[Entry, ...]
    missed: tuple[BacklogEntry, ...]
    handlers: tuple[PendingHandler, ...]


class Health(StrEnum):
    WELL = "ok"
    ODD = "warning"
    ILL = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `doctor` looked at; `todo` is the command or the line that mends it.

    `reason`: that of `Unreachable`, where there was no session.
    """

    subject: str
    health: Health
    what: str
    todo: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A server's host key as it shows it now; `known`: how it stands to what was known before."""

    server: str
    name: str
    kind: str
    fingerprint: str
    line: str
    known: str
