"""What members know of their neighbourhood."""

from collections.abc import Mapping

from multiall_cli.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing that one member knows. `how`: own, neighbour, connection, known_hosts or lldp."""

    observer: str
    how: str
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Someone whom the inventory does not have. `answers`: whether an SSH server does; None: nobody tried."""

    address: str
    name: str = ""
    seen_by: tuple[str, ...] = ()
    how: tuple[str, ...] = ()
    answers: bool | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """Neighbours by the names that are proposed for them; who was asked; who could not be, and why."""

    neighbours: Mapping[str, Neighbour]
    asked: tuple[str, ...]
    not_asked: Mapping[str, str]
