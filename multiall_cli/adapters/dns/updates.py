"""Update messages (RFC 2136): prerequisites, changes, and the split into messages."""

from collections.abc import Iterator, Sequence, Set
from functools import lru_cache

import dns.name
import dns.rdata
import dns.rdataclass
import dns.update

from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.records import MANAGED, Leasing, RRset, key_of, place_of
from multiall_cli.domain.zones import Zone
from multiall_cli.planning.zones.ownership import marker_name

MOST = 150  # changes per message; a message has at most 64 KiB

Marked = tuple[Change[RRset], str]


def split_into_messages(changes: Sequence[Marked], leaving: Set[str]) -> Iterator[list[Marked]]:
    """Split changes into messages; changes of one name stay together.

    Changes that require the SOA come first, before another message changes it.
    """
    ofall = {place_of(each.key)[0] for each, _ in changes if _makes_room(each, leaving)}
    yield from _fill_messages([each for each in changes if place_of(each[0].key)[0] in ofall])
    yield from _fill_messages([each for each in changes if place_of(each[0].key)[0] not in ofall])


def _fill_messages(changes: Sequence[Marked]) -> Iterator[list[Marked]]:
    part: list[Marked] = []
    for each in changes:
        if len(part) >= MOST and place_of(each[0].key)[0] != place_of(part[-1][0].key)[0]:
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def count_names(part: Sequence[Marked]) -> int:
    return len({place_of(each.key)[0] for each, _ in part})


def split_in_halves(part: Sequence[Marked]) -> list[list[Marked]]:
    """Return the second and the first half of the names; a single name cannot be split. Raises MultiAllError."""
    names = list(dict.fromkeys(place_of(each.key)[0] for each, _ in part))
    if len(names) < 2:
        what = "its records do not fit into one DNS message (64 KiB)"
        raise MultiAllError(f"name {names[0].rstrip('.')}", what, "give it fewer members")
    first = set(names[: len(names) // 2])
    return [[each for each in part if (place_of(each[0].key)[0] in first) is half] for half in (False, True)]


class UpdateBuilder:
    """Builds an update message from texts; parses repeated texts once."""

    def __init__(self, message: dns.update.UpdateMessage) -> None:
        self.message = message

    def present(self, name: str, kind: str, *values: str) -> None:
        self.message.present(as_name(name), *(as_rdata(kind, each) for each in values))

    def absent(self, name: str, kind: str = "") -> None:
        self.message.absent(as_name(name), kind or None)

    def replace(self, name: str, ttl: int, kind: str, *values: str) -> None:
        self.message.replace(as_name(name), ttl, *(as_rdata(kind, each) for each in values))

    def delete(self, name: str, kind: str) -> None:
        self.message.delete(as_name(name), kind)


@lru_cache(10_000)
def as_name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


@lru_cache(10_000)
def as_rdata(kind: str, text: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, kind, text)


def fill(message: UpdateBuilder, part: Sequence[Marked], soa: str, zone: Zone, leaving: Set[str]) -> None:
    """Add all prerequisites and changes. The SOA is required once: BIND rejects a prerequisite given twice."""
    for change, _ in part:
        _demand(message, change, leaving)
    if any(_makes_room(change, leaving) for change, _ in part):
        message.present(zone.name, "SOA", soa)  # no prerequisite can say that a name has no other records
    for change, marker in sorted(part, key=lambda each: each[0].after is not None):
        _put(message, change, marker)  # deletions first: an alias needs a name without other records


def _adds(change: Change[RRset]) -> bool:
    """Return whether records are added where there are none."""
    return bool(change.after and change.after.values) and not (change.before and change.before.values)


def _makes_room(change: Change[RRset], leaving: Set[str]) -> bool:
    """Return whether an alias replaces other managed records."""
    name, kind = place_of(change.key)
    return kind == "CNAME" and _adds(change) and any(key_of((name, each)) in leaving for each in MANAGED)


def _demand(message: UpdateBuilder, change: Change[RRset], leaving: Set[str]) -> None:
    """Add the prerequisites of a change (RFC 2136, 2.4)."""
    name, kind = place_of(change.key)
    mark, before = marker_name((name, kind)), change.before
    if before is None or not before.values:
        message.absent(name, kind)
    else:
        message.present(name, kind, *before.values)
    if before is None or not before.marker:
        message.absent(mark, "TXT")
    else:
        message.present(mark, "TXT", f'"{before.marker}"')
    if _adds(change) and kind != "CNAME" and key_of((name, "CNAME")) not in leaving:
        message.absent(name, "CNAME")
    if _adds(change) and kind == "CNAME" and not _makes_room(change, leaving):
        message.absent(name)  # beside other records an alias is ignored, and the answer is still NOERROR


def _put(message: UpdateBuilder, change: Change[RRset], marker: str) -> None:
    name, kind = place_of(change.key)
    if change.after is not None and change.after.values:
        message.replace(name, change.after.ttl, kind, *change.after.values)
    elif change.before is not None and change.before.values:
        message.delete(name, kind)
    mark = marker_name((name, kind))
    if marker:
        message.replace(mark, change.after.ttl if change.after else 0, "TXT", f'"{marker}"')
    elif change.before is not None and change.before.marker:
        message.delete(mark, "TXT")


class LeaseUpdate:
    """The lease of one run, over all its messages. `is_wanted`: the key may write it; `is_taken`: it is written."""

    def __init__(self, lease: Leasing | None) -> None:
        self._lease = lease
        self.is_wanted = lease is not None
        self.is_taken = False

    def fill(self, message: UpdateBuilder) -> None:
        """Require the lease as it was read, or as ours once taken, and take it."""
        if self._lease is None or not self.is_wanted:
            return
        before = (self._lease.after,) if self.is_taken else self._lease.before
        if before:
            message.present(self._lease.name, "TXT", *before)
        else:
            message.absent(self._lease.name, "TXT")
        if not self.is_taken:
            message.replace(self._lease.name, 0, "TXT", self._lease.after)
