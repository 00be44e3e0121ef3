"""The names that a site has declared at some time, kept in little room: a name and type is eight bytes of a hash."""

from collections.abc import Callable, Iterable, Set
from hashlib import blake2b

from multiall_cli.domain.records import Place, key_of

SIZE = 8  # bytes


def unpack(kept: bytes) -> Set[bytes]:
    return {kept[at : at + SIZE] for at in range(0, len(kept), SIZE)}


def noted(kept: bytes, declared: Iterable[Place], owned: Callable[[], Iterable[Place]]) -> bytes:
    """What is to be kept: what is declared now, and of what was `kept` that which still bears our mark."""
    now, before = {short(place) for place in declared}, unpack(kept)
    left = before & {short(place) for place in owned()} if before - now else set[bytes]()
    return b"".join(sorted(now | left))


def short(place: Place) -> bytes:
    return blake2b(key_of(place).encode(), digest_size=SIZE).digest()
