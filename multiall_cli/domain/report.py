"""How a sync came out."""

from enum import StrEnum
from typing import Any

from multiall_cli.domain.change import Outcome, Result
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.plan import AgentPlan, Plan
from multiall_cli.domain.scope import Subject


class MemberState(StrEnum):
    """How a subject came out of a run."""

    SAME = "same"
    CHANGED = "changed"
    FAILED = "failed"
    DEFERRED = "deferred"
    LEFT = "left"
    """Not begun: the run stopped before its batch."""

    @property
    def is_good(self) -> bool:
        """Whether the subject is as desired."""
        return self in (MemberState.SAME, MemberState.CHANGED)


@dataclass(frozen=True, slots=True)
class HandlerOutcome:
    """How a handler (a reload, a command) came out on a member. `detail`: the end of its output where it failed."""

    handler: str
    result: Result
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """How one subject came out of a run.

    `parts`: the plan as it was when it was applied. A just-in-time observation can make it smaller than the approved
    plan. `caught_up`: how many missed runs this one made up for; `overtaken`: another run had what this one was to
    change.
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
        """Of a member, its name."""
        return self.subject.name


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync did: every subject of the plan once. `stopped`: why it ended early; '': it did not."""

    run: str
    plan: Plan
    members: tuple[SubjectReport, ...]
    stopped: str = ""
    exit: Exit = Exit.OK

    @property
    def name(self) -> str:
        """What the run was about."""
        return self.plan.scope.name
