"""Time limits until which clients may use records that a zone no longer publishes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from multiall_cli.domain.change import Change
from multiall_cli.domain.records import RetiredRecord, RRset, RRsetKey, place_of
from multiall_cli.planning.ahead import end_of, is_ahead

_Record = tuple[RRsetKey, str]


def held_by_clients(
    known: Iterable[RetiredRecord], changes: Iterable[Change[RRset]], at: float, lag: float
) -> list[RetiredRecord]:
    """Return the records that clients may still hold after changes at time `at`.

    A cache may have asked the slowest server just before that server had the change, `lag` seconds later. A record that
    stays with a shorter TTL, or comes back, may be cached for longer than its current TTL. That is recorded too, for
    its next removal.
    """
    held: dict[_Record, RetiredRecord] = {(each.place, each.value): each for each in known if each.until > at}
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
                held[place, value] = RetiredRecord(
                    place, value, until, value not in now, before.ttl if before else 0.0, at
                )
    return list(held.values())


def _as(each: RetiredRecord, *, gone: bool) -> RetiredRecord:
    return replace(each, gone=gone)


def while_served(left: Iterable[RetiredRecord], at: float) -> list[RetiredRecord]:
    """Return the same departures if a server may still publish, at time `at`, records that are gone elsewhere."""
    return [replace(each, until=max(each.until, at + each.ttl), noted=at) if each.gone else each for each in left]


def settled(left: Iterable[RetiredRecord], at: float) -> list[RetiredRecord]:
    """Return the same departures; those recorded by a clock that was ahead count from now."""
    return [
        replace(each, until=end_of(each.until, each.noted, at), noted=at) if is_ahead(each.noted, at) else each
        for each in left
    ]


def bound(left: Sequence[RetiredRecord], values: Iterable[str] | None = None) -> float:
    """Return when the last cache drops the records that are no longer published, or 0 if none holds any.

    `values`: only these records.
    """
    chosen = None if values is None else set(values)
    return max((each.until for each in left if each.gone and (chosen is None or each.value in chosen)), default=0.0)
