"""Publication of the topology to members, and verification of a copy."""

from collections.abc import Mapping
from dataclasses import field

from multiall_cli.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LastPublished:
    """Last publication: its time (seconds since the epoch), its content, and the servers that were away."""

    at: float = 0.0
    said: str = ""
    away: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """One publication. `given`: servers that have it; `missed`: servers that do not, each with the reason."""

    path: str
    given: tuple[str, ...] = ()
    missed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verified:
    """Verification of a published topology: whether it is ours and still valid; `why` not.

    Times in seconds since the epoch.
    """

    holds: bool
    why: str
    at: float
    expires: float
    vantage: str
