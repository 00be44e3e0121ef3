"""Until when clients may use what a zone no longer gives."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from multiall_cli.domain.change import Change
from multiall_cli.domain.records import Departure, Place, RRset, place_of
from multiall_cli.planning.ahead import end_of, is_ahead

_Record = tuple[Place, str]


def held_by_clients(
    known: Iterable[Departure], changes: Iterable[Change[RRset]], at: float, lag: float
) -> list[Departure]:
    """What clients may hold of records that a zone has given, after changes at a time.

    A cache may have asked the slowest server just before it knew, `lag` seconds later. A record that stays with a
    shorter TTL, or comes back, may be held from before for longer than it is given for now: that is kept too, for when
    it is taken out next.
    """
    held: dict[_Record, Departure] = {(each.place, each.value): each for each in known if each.until > at}
    for change in changes:
        place, before, after = place_of(change.key), change.before, change.after
        now = set(after.values) if after else set()
        for value in now - set(before.values if before else ()):
            if (place, value) in held:
                held[place, value] = _as(held[place, value], gone=False)
        for value in before.values if before else ():
            was = held.get((place, value))
            until = max(was.until if was else 0.0, at + lag + (before.ttl if before else 0))
            if value not in now or (before and after and before.ttl > after.ttl):
                held[place, value] = Departure(place, value, until, value not in now, before.ttl if before else 0.0, at)
    return list(held.values())


def _as(each: Departure, *, gone: bool) -> Departure:
    return replace(each, gone=gone)


def while_given(left: Iterable[Departure], at: float) -> list[Departure]:
    """The same where a server may give still, at a time, what is gone elsewhere."""
    return [replace(each, until=max(each.until, at + each.ttl), noted=at) if each.gone else each for each in left]


def settled(left: Iterable[Departure], at: float) -> list[Departure]:
    """The same where some were noted under a clock that was ahead: their time runs from now on."""
    return [
        replace(each, until=end_of(each.until, each.noted, at), noted=at) if is_ahead(each.noted, at) else each
        for each in left
    ]


def bound(left: Sequence[Departure], values: Iterable[str] | None = None) -> float:
    """When the last client lets go of what is no longer given; of these records only, where they are named. 0: none
    holds any.
    """
    chosen = None if values is None else set(values)
    return max((each.until for each in left if each.gone and (chosen is None or each.value in chosen)), default=0.0)
