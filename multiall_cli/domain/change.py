"""What a change is: observed and wanted things, the difference, and how it came out."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from multiall_cli.domain.dataclass import dataclass


class Describable(Protocol):
    """An item of a snapshot: a frozen dataclass, compared by value."""

    def brief(self) -> str:
        """The item in a few words for a plan's line, e.g. `file 0644 1.2 kB`."""
        ...


Item = TypeVar("Item", bound=Describable)
Snapshot = Mapping[str, Item]
"""key → item: what was observed on one server, or what is wanted there."""


class Apart(Mapping[str, Item]):
    """A snapshot that is as another, but for the `differing` keys: what is there, or None for nothing.

    An agent that looked only at what may have changed observes this; a diff against `other` looks at no other key.
    """

    def __init__(self, other: Snapshot[Item], differing: Mapping[str, Item | None]) -> None:
        self.other = other
        self.differing = differing

    def __getitem__(self, key: str) -> Item:
        if key not in self.differing:
            return self.other[key]
        item = self.differing[key]
        if item is None:
            raise KeyError(key)
        return item

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self.other if key not in self.differing)
        yield from (key for key, item in self.differing.items() if item is not None)

    def __len__(self) -> int:
        there = sum(1 for item in self.differing.values() if item is not None)
        return len(self.other) - sum(1 for key in self.differing if key in self.other) + there


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change(Generic[Item]):
    """One key that is not as wanted. The action follows from before and after, so no illegal mix exists."""

    key: str
    before: Item | None
    after: Item | None

    @property
    def action(self) -> Action:
        if self.before is None:
            return Action.CREATE
        return Action.DELETE if self.after is None else Action.UPDATE


class Result(StrEnum):
    DONE = "done"
    FAILED = "failed"
    CONFLICT = "conflict"
    """What was to be replaced is no longer what was observed; it was left alone."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item]):
    """How one change came out; `detail` says what happened where it is not done."""

    change: Change[Item]
    result: Result
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two claims on one thing. Told before anything is changed."""

    subject: str
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}; {self.todo}"
