"""The topology on its members: what was given to whom, and whether a copy of it can be trusted."""

from collections.abc import Mapping
from dataclasses import field

from multiall_cli.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LastPublished:
    """What was published last: when (seconds since the epoch), what it said, and who was away then."""

    at: float = 0.0
    said: str = ""
    away: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """One publication. `given`: who has it; `missed`: who has not, and why."""

    path: str
    given: tuple[str, ...] = ()
    missed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a published topology is ours and still holds; `why` not. Times in seconds since the epoch."""

    holds: bool
    why: str
    at: float
    expires: float
    vantage: str
