"""Our marks in a zone: a TXT record beside each name and type that we keep. What bears none is not touched.

`_multiall-a.www.example.net. TXT "multiall=1 owner=multiall pool=web hash=1f0c… epoch=1764150000"`. The hash is of the
records' data, so that a hand that edits them is seen; the epoch is when we wrote them, so that each mark is new and an
update that demands the old one fails where another writer came first.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import MANAGED, Place

_NAME = re.compile(r"_multiall-([a-z]+)\.(.+)")
_TEXT = re.compile(
    r"multiall=1 owner=(?P<owner>[A-Za-z0-9_.-]+) pool=(?P<pool>[A-Za-z0-9_.-]*) "
    r"hash=(?P<digest>[0-9a-f]{16}) epoch=(?P<epoch>[0-9]{1,12})"
)


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose records stand beside it, and what they were when they were written. `epoch`: seconds since 1970; `pool` '':
    no one knows it any longer, since a rollback brought back what had been taken out.
    """

    owner: str
    pool: str
    digest: str
    epoch: int

    @property
    def text(self) -> str:
        return f"multiall=1 owner={self.owner} pool={self.pool} hash={self.digest} epoch={self.epoch}"


def read(text: str) -> Marker | None:
    """The mark that a TXT record's text is; None where it is something else."""
    found = _TEXT.fullmatch(text)
    return Marker(found["owner"], found["pool"], found["digest"], int(found["epoch"])) if found else None


def digest(values: Iterable[str]) -> str:
    """Stands for records whatever their order and their TTL."""
    return sha256("\n".join(sorted(values)).encode()).hexdigest()[:16]


def marker_name(place: Place) -> str:
    return f"_multiall-{place[1].lower()}.{place[0]}"


def marked(name: str) -> Place | None:
    """The name and type that a mark of this name would be about; None where it is no mark's name, or of a type that we
    never write.
    """
    found = _NAME.fullmatch(name)
    kind = found[1].upper() if found else ""
    return (found[2], kind) if found and kind in MANAGED else None
