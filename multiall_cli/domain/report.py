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
class SubjectReport:
    """Result of a run for one subject.

    `parts`: the plan as applied. A just-in-time observation can make it smaller than the approved plan. `caught_up`:
    number of missed runs that this one made up for; `overtaken`: another run is changing the same things.
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
    stopped: str = ""
    exit: Exit = Exit.OK

    @property
    def name(self) -> str:
        """Return the name of the run's scope."""
        return self.plan.scope.name
