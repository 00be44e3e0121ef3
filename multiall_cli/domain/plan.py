"""Plan of a sync, over all subjects and kinds."""

from typing import Any, Generic

from multiall_cli.domain.change import Change, Conflict, Item, Snapshot
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.scope import Scope, Subject


@dataclass(frozen=True, slots=True)
class Absence:
    """Subject that the sync does not handle now. `reason`: a short code (`down`, `drain`, `timeout`, `fault`)."""

    subject: Subject
    agents: tuple[str, ...]
    reason: str
    what: str
    todo: str


@dataclass(frozen=True, slots=True)
class Desired(Generic[Item]):
    """Desired state of one subject.

    `conflicts`: keys that are left alone, each with the reason; the run ends with exit code 4. `unmet`: differences
    that no change of this agent can fix; exit code 3. `notes`: limits of a sync, each with its fix. `detail`: for the
    guards and the renderer of this kind; the engine passes it on unread.

    `is_whole`: whether all items were decided on; False: only some, for example one pool's names in a zone, so nothing
    is known of the others. `history`: further scopes whose history shows the changes.

    A snapshot that equals the observed one should be the same object, or one of the two should be an `Overlay` of the
    other: then the difference costs nothing.
    """

    snapshot: Snapshot[Item]
    conflicts: tuple[Conflict, ...] = ()
    unmet: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    detail: object = None
    is_whole: bool = True
    history: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentPlan(Generic[Item]):
    """Changes of one agent on one or more subjects.

    Subjects with equal changes share one AgentPlan, so a plan for 2,000 equal members is as large as one for a single
    member. `size`: number of items that the subject has now, for guards (0 if nothing changes); `handlers`: handlers
    that run afterwards, in words.
    """

    kind: str
    agent: str
    subjects: tuple[Subject, ...]
    changes: tuple[Change[Item], ...]
    size: int
    handlers: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    unmet: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    detail: object = None

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the names of its subjects."""
        return tuple(each.name for each in self.subjects)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Reason to think that a plan is an accident.

    `guard`: the full name, `files.deletions`, as `--force-guard` takes it; `subject`: the subject or item; `what`: one
    clause with the numbers.
    """

    guard: str
    subject: str
    what: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one sync, over all kinds.

    `subjects`: every subject of the sync, also those that `--only` leaves out of `parts`; `pending`: handlers that an
    earlier run announced and did not run, as (server, handler). `id` is a hash of changes, handlers and pending
    handlers: equal plans have equal ids in any order and on any admin host. It does not cover alarms, notes and
    absences.
    """

    scope: Scope
    subjects: tuple[Subject, ...]
    parts: tuple[AgentPlan[Any], ...]
    absent: tuple[Absence, ...]
    pending: tuple[tuple[str, str], ...] = ()
    alarms: tuple[Alarm, ...] = ()
    id: str = ""

    @property
    def members(self) -> tuple[Subject, ...]:
        return tuple(each for each in self.subjects if each.is_member)

    @property
    def changes(self) -> int:
        return sum(len(part.changes) * len(part.subjects) for part in self.parts)

    @property
    def deletions(self) -> int:
        return sum(
            len(part.subjects) * sum(1 for change in part.changes if change.after is None) for part in self.parts
        )

    @property
    def is_empty(self) -> bool:
        """Return whether a sync would touch no subject."""
        return not (self.changes or self.pending)

    @property
    def changed(self) -> tuple[str, ...]:
        """Return the subjects that would change, in the order of the inventory."""
        subjects = {each for part in self.parts if part.changes for each in part.subjects}
        return tuple(each.name for each in self.subjects if each in subjects)

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        return tuple(conflict for part in self.parts for conflict in part.conflicts)
