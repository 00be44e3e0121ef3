"""Until when clients may use what a zone no longer gives."""

from collections.abc import Iterable, Sequence

from multiall_cli.domain.change import Change
from multiall_cli.domain.records import Departure, RRset, place_of


def departures(changes: Iterable[Change[RRset]], at: float, lag: float) -> list[Departure]:
    """What was taken out at a time; a cache may have asked the slowest server just before it knew, `lag` later."""
    found = []
    for each in changes:
        before = each.before.values if each.before else ()
        ttl = each.before.ttl if each.before else 0
        gone = [value for value in before if value not in (each.after.values if each.after else ())]
        found += [Departure(place_of(each.key), value, at + lag + ttl) for value in gone]
    return found


def still_out(
    known: Iterable[Departure], new: Iterable[Departure], changes: Iterable[Change[RRset]], now: float
) -> list[Departure]:
    """All that clients may still hold: not what has come back, nor what has run out."""
    back = {(place_of(each.key), value) for each in changes for value in (each.after.values if each.after else ())}
    latest: dict[tuple[tuple[str, str], str], Departure] = {}
    for each in [*known, *new]:
        if each.until > now and (each.place, each.value) not in back:
            latest[each.place, each.value] = max(each, latest.get((each.place, each.value), each), key=_until)
    return list(latest.values())


def _until(each: Departure) -> float:
    return each.until


def bound(left: Sequence[Departure], values: Iterable[str] | None = None) -> float:
    """When the last client lets go; of these records only, where they are named. 0: none holds any."""
    chosen = None if values is None else set(values)
    return max((each.until for each in left if chosen is None or each.value in chosen), default=0.0)
