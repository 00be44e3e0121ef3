"""Report of a sync."""

from enum import StrEnum
from typing import Any

from multiall_cli.domain.change import Outcome, Result
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.plan import AgentPlan, Plan
from multiall_cli.domain.scope import Subject


class MemberState(StrEnum):
    """Result of a run for a subject."""

    SAME = "same"
    CHANGED = "changed"
    FAILED = "failed"
    DEFERRED = "deferred"
    LEFT = "left"
    """Not begun: the run stopped before its batch."""

    @property
    def is_good(self) -> bool:
        """Return whether the subject is as desired."""
        return self in (MemberState.SAME, MemberState.CHANGED)


@dataclass(frozen=True, slots=True)
class HandlerOutcome:
    """Result of a handler (a reload, a command) on a member. `detail`: the end of its output if it failed."""

    handler: str
    result: Result
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lag:
    """Arrival of a change at one server of a service.

    `position`: where the server is now, for example the serial of a zone; None: it did not answer. `seconds`: from the
    change until the server had it; None: it does not have it, and `trouble` says why.
    """

    server: str
    position: int | None
    seconds: float | None = None
    trouble: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How far the changes of a service have travelled.

    `undone`: why changes that were reported as done are not ('': they are); `until`: time at which the last client
    forgets what was removed, in seconds since the epoch (0: nothing was).
    """

    lags: tuple[Lag, ...] = ()
    undone: str = ""
    until: float = 0.0


SETTLED = Settlement()


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """Result of a run for one subject.

    `parts`: the plan as applied. A just-in-time observation can make it smaller than the approved plan. `caught_up`:
    number of missed runs that this one made up for; `overtaken`: another run is changing the same things; `exit`: what
    the result means for the exit code, besides `state`.
    """

    subject: Subject
    state: MemberState
    parts: tuple[AgentPlan[Any], ...] = ()
    outcomes: tuple[Outcome[Any], ...] = ()
    handlers: tuple[HandlerOutcome, ...] = ()
    reason: str = ""
    todo: str = ""
    caught_up: int = 0
    overtaken: bool = False
    settlement: Settlement = SETTLED
    exit: Exit = Exit.OK

    @property
    def server(self) -> str:
        """Return a member's server name."""
        return self.subject.name


@dataclass(frozen=True, slots=True)
class Report:
    """Result of a sync, with every subject of the plan once. `stopped`: why it ended early; '': it did not."""

    run: str
    plan: Plan
    members: tuple[SubjectReport, ...]
    services: tuple[SubjectReport, ...] = ()
    stopped: str = ""
    exit: Exit = Exit.OK

    @property
    def name(self) -> str:
        """Return the name of the run's scope."""
        return self.plan.scope.name
