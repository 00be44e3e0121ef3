"""Cached result of the last comparison of a member's tree; it is valid for all that has not changed since."""

import json
import zlib
from collections.abc import Set
from typing import Self

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.ports.store import Cache


@dataclass(frozen=True, slots=True)
class CachedComparison:
    """Cached comparison and its open paths; all other paths were as desired.

    `wanted`: hash of the declaration; `source`, `member`: hashes of the two trees; `open`: paths that differed, that
    the source lacks, or that changed so shortly before that they may have changed again unseen.
    """

    wanted: str
    source: str
    member: str
    open: Set[str]

    def keep(self, key: str, cache: Cache) -> None:
        told = [self.wanted, self.source, self.member, sorted(self.open)]
        cache.put(key, zlib.compress(json.dumps(told).encode("ascii"), 1))

    @classmethod
    def recall(cls, key: str, cache: Cache) -> Self | None:
        """Return the cached comparison; None if it is missing or damaged."""
        try:
            wanted, source, member, left = json.loads(zlib.decompress(cache.get(key) or b""))
            return cls(wanted, source, member, frozenset(left))
        except (ValueError, TypeError, zlib.error):
            return None
