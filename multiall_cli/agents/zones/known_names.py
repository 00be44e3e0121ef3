"""Compact set of names that a site declared at some time: an 8-byte hash for each name and type."""

from collections.abc import Callable, Iterable, Set
from hashlib import blake2b

from multiall_cli.domain.records import RRsetKey, key_of

SIZE = 8  # bytes


def unpack(kept: bytes) -> Set[bytes]:
    return {kept[at : at + SIZE] for at in range(0, len(kept), SIZE)}


def noted(kept: bytes, declared: Iterable[RRsetKey], owned: Callable[[], Iterable[RRsetKey]]) -> bytes:
    """Return the set to save: all names declared now, and those of `kept` that still bear our mark."""
    now, before = {short(place) for place in declared}, unpack(kept)
    left = before & {short(place) for place in owned()} if before - now else set[bytes]()
    return b"".join(sorted(now | left))


def short(place: RRsetKey) -> bytes:
    return blake2b(key_of(place).encode(), digest_size=SIZE).digest()
