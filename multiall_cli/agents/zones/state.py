"""Values that are saved of a zone between runs, and affect decisions."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from multiall_cli.agents.zones.resolver_cache import settled, while_served
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import RetiredRecord

NAMES, MEMBERS, LATE, PUSHED, DEPARTURES = "names", "members", "late", "pushed", "departures"
"""Parts of the saved state."""
PUSHED_AGAIN = 3600.0  # seconds after which a file is pushed again to a primary that serves an older one

Read = Callable[[str], bytes | None]
"""Returns the value of a part, or None."""


@dataclass(frozen=True, slots=True)
class ZoneState:
    """State of a zone at a time.

    `names`: names that were declared at some time, in the format of `known_names`; `members`: places of the members at
    the last sync, or None; `is_late`: whether a server was behind or unreachable at the last check; `pushed`: when the
    zone's file was last pushed to a primary that served an older one (0: never); `retired`: records that clients may
    still have cached; `is_moved`: whether their times were moved, because the clock had been ahead.
    """

    names: bytes
    members: Mapping[str, Set[str]] | None
    is_late: bool
    pushed: float
    retired: tuple[RetiredRecord, ...]
    is_moved: bool

    @classmethod
    def read(cls, read: Read, now: float) -> "ZoneState":
        stored = retired_of(read(DEPARTURES))
        moved = settled(stored, now)
        is_moved = [each.noted for each in moved] != [each.noted for each in stored]
        late = bool(read(LATE))
        return cls(read(NAMES) or b"", members_of(read(MEMBERS)), late, _time(read(PUSHED)), tuple(moved), is_moved)

    def held(self, now: float) -> Sequence[RetiredRecord]:
        """Return the records that clients may still have. A server that is late may still serve all of them."""
        return while_served(self.retired, now) if self.is_late else self.retired

    def is_push_due(self, now: float) -> bool:
        """Return whether another push to a primary that serves an older file is worth a try."""
        return not 0 <= now - self.pushed < PUSHED_AGAIN


def members_of(saved: bytes | None) -> Mapping[str, Set[str]] | None:
    """Return the places of the zone's members; None if the value is missing or has another format."""
    try:
        found = json.loads(saved or b"")
        return {str(name): set(map(str, [*places])) for name, places in found.items() if not isinstance(places, str)}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def pack_members(members: Mapping[str, Set[str]]) -> bytes:
    return json.dumps({name: sorted(places) for name, places in sorted(members.items())}).encode()


def retired_of(saved: bytes | None) -> list[RetiredRecord]:
    told = json.loads(saved) if saved else []
    return [RetiredRecord((name, kind), value, *more) for name, kind, value, *more in told]


def pack_retired(left: Iterable[RetiredRecord]) -> bytes:
    return json.dumps(
        [[*each.place, each.value, each.until, each.gone, each.ttl, each.noted] for each in left]
    ).encode()


def _time(saved: bytes | None) -> float:
    try:
        return float(saved or 0.0)
    except ValueError:
        return 0.0  # in another format


def last_result(cached: bytes | None) -> dict[str, Any] | None:
    """Return the result of the last sync without changes; None if it is missing or has another format."""
    try:
        found = json.loads(cached or b"")
        shapes: dict[str, Any] = {"at": (int, float), "serial": int, "ours": int, "inputs": str}
        return found if all(isinstance(found[key], shape) for key, shape in shapes.items()) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
