"""Changes: observed and desired items, their difference, and the outcome."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from multiall_cli.domain.dataclass import dataclass


class Describable(Protocol):
    """Item of a snapshot: a frozen dataclass, compared by value."""

    def brief(self) -> str:
        """Return the item in a few words for a plan's line, e.g. `file 0644 1.2 kB`."""
        ...


Item = TypeVar("Item", bound=Describable)
Snapshot = Mapping[str, Item]
"""key → item, observed on one server or desired there."""


class Overlay(Mapping[str, Item]):
    """Snapshot that equals another one except for the `differing` keys; None: the key is absent.

    An agent that compares only possible changes observes this, or desires it. A diff against `other` compares no other
    key.
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
    """One key that is not as desired. The action follows from before and after, so no illegal mix exists."""

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
    """The item to replace is no longer as observed; it was left alone."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item]):
    """Result of one change; `detail`: the reason if it is not done; `todo`: the fix, if it is not a new run."""

    change: Change[Item]
    result: Result
    detail: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two claims on one thing. Reported before any change."""

    subject: str
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}; {self.todo}"
