"""Discovery: neighbours that members know."""

from collections.abc import Mapping

from multiall_cli.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Sighting:
    """One neighbour that one member knows. `how`: own, neighbour, connection, known_hosts or lldp."""

    observer: str
    how: str
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Address that the inventory does not have. `answers`: whether an SSH server answers there; None: not tried."""

    address: str
    name: str = ""
    seen_by: tuple[str, ...] = ()
    how: tuple[str, ...] = ()
    answers: bool | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """Neighbours by their proposed names; the servers that were asked; those that were not, with the reason."""

    neighbours: Mapping[str, Neighbour]
    asked: tuple[str, ...]
    not_asked: Mapping[str, str]
