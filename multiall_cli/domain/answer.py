"""Results of verbs that only read."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.run import BacklogEntry, Entry, LastResult, PendingHandler, Run


@dataclass(frozen=True, slots=True)
class Executed:
    """Result of a command on one server.

    `exit_code` None: there is no result; `trouble` and `todo` give the reason and the fix.

    `begun`: there was a session, so the command may have run, or may still run.
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
    """Facts of a server about itself, or the reason why there are none."""

    server: str
    facts: Mapping[str, object]
    trouble: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """Saved status of a member, read without asking it."""

    server: str
    result: LastResult | None
    missed: Sequence[BacklogEntry]
    unsettled: int
    handlers: Sequence[PendingHandler]


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """Saved status of a pool. `last`: its last run that had something to do; `services`: its zones, by their names."""

    pool: str
    members: tuple[MemberStatus, ...]
    last: Run | None
    services: tuple[MemberStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed file as text: its content on the members in `servers`, and the desired content."""

    servers: tuple[str, ...]
    agent: str
    key: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunDetails:
    """Run with its journal."""

    run: Run
    entries: tuple[Entry, ...]
    missed_by: tuple[BacklogEntry, ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """Open work: changes that a cut-off run announced, runs that members missed, handlers that have not run."""

    entries: tuple[Entry, ...]
    missed: tuple[BacklogEntry, ...]
    handlers: tuple[PendingHandler, ...]


class Severity(StrEnum):
    WELL = "ok"
    ODD = "warning"
    ILL = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of `doctor`; `todo`: the command or the line that fixes it.

    `reason`: that of `Unreachable`, if there was no session.
    """

    subject: str
    health: Severity
    what: str
    todo: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HostKeyOffer:
    """Host key that a server shows now; `known`: its comparison with the known keys."""

    server: str
    name: str
    kind: str
    fingerprint: str
    line: str
    known: str
