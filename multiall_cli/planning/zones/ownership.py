"""Ownership records: a TXT record beside each name and type that we manage. Records without one are never touched.

`_multiall-a.www.example.net. TXT "multiall=1 owner=multiall pool=web hash=1f0c… epoch=1764150000"`. The hash covers the
records' data, so that manual edits are detected. The epoch is the time of writing, so each mark is new: an update that
demands the old mark fails if another writer was first.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import MANAGED, RRsetKey

_NAME = re.compile(r"_multiall-([a-z]+)\.(.+)")
_TEXT = re.compile(
    r"multiall=1 owner=(?P<owner>[A-Za-z0-9_.-]+) pool=(?P<pool>[A-Za-z0-9_.-]*) "
    r"hash=(?P<digest>[0-9a-f]{16}) epoch=(?P<epoch>[0-9]{1,12})"
)


@dataclass(frozen=True, slots=True)
class OwnershipRecord:
    """Owner of the records beside it, and their digest when they were written.

    `epoch`: seconds since 1970; `pool` '': unknown, since a rollback restored removed records.
    """

    owner: str
    pool: str
    digest: str
    epoch: int

    @property
    def text(self) -> str:
        return f"multiall=1 owner={self.owner} pool={self.pool} hash={self.digest} epoch={self.epoch}"


def read(text: str) -> OwnershipRecord | None:
    """Parse the text of a TXT record, or return None if it is not a mark."""
    found = _TEXT.fullmatch(text)
    return OwnershipRecord(found["owner"], found["pool"], found["digest"], int(found["epoch"])) if found else None


def digest(values: Iterable[str]) -> str:
    """Return a digest of records that ignores their order and TTL."""
    return sha256("\n".join(sorted(values)).encode()).hexdigest()[:16]


def marker_name(place: RRsetKey) -> str:
    return f"_multiall-{place[1].lower()}.{place[0]}"


def marked(name: str) -> RRsetKey | None:
    """Return the name and type to which a mark's name refers.

    None if it is not a mark's name, or if we never write that type.
    """
    found = _NAME.fullmatch(name)
    kind = found[1].upper() if found else ""
    return (found[2], kind) if found and kind in MANAGED else None
