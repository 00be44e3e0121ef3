"""One entry of a file tree, as wanted or as found."""

from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from multiall_cli.domain.dataclass import dataclass

TOP = "."
"""The key of the tree's own directory."""


def as_bytes(path: str) -> bytes:
    """A path as the disk has it."""
    return path.encode("utf-8", "surrogateescape")


def as_text(path: bytes) -> str:
    """The opposite; bytes that are no text are kept."""
    return path.decode("utf-8", "surrogateescape")


class Kind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    HARDLINK = "hardlink"


Identity = tuple[int, int, int, int]
"""(size, mtime ns, ctime ns, inode) of a file: what changes whenever its content may have."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the disk says beyond what is compared; carried along, never part of a comparison.

    `holds_more`: a directory with entries that no scan takes in;
    `linked`: a file with several names; `shared`: some of them are not in the tree;
    `uid`, `gid`: the numbers of its owner and its group.
    """

    mode: int = 0
    mtime: int = 0
    identity: Identity = (0, 0, 0, 0)
    holds_more: bool = False
    linked: bool = False
    shared: bool = False
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class FileItem:
    """Equal items need no change. None means: not looked at here.

    `digest` is the sha256 of a file's content ('' where it was not needed: its size differs already), `target`
    is a link's text or the path of the first name of a hard-linked file, `mtime` is in nanoseconds.
    """

    kind: Kind
    size: int = 0
    digest: str = ""
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    mtime: int | None = None
    target: str = ""
    xattrs: str | None = None
    found: Found = field(default=Found(), compare=False, repr=False)

    def brief(self) -> str:
        words = [self.kind.value]
        if self.mode is not None:
            words.append(f"{self.mode:04o}")
        if self.owner or self.group:
            words.append(f"{self.owner or ''}:{self.group or ''}")
        if self.kind is Kind.FILE:
            words.append(f"{self.size} B")
        if self.digest:
            words.append(self.digest[:8])
        if self.kind in (Kind.LINK, Kind.HARDLINK):
            words.append(f"→ {self.target}")
        if self.mtime is not None:
            words.append(_moment(self.mtime))
        return " ".join(words)

    @property
    def content(self) -> tuple[object, ...]:
        """What cannot be changed in place: equal content means that new attributes are enough."""
        return (self.kind, self.size, self.digest, self.target if self.kind is not Kind.DIRECTORY else "")


@lru_cache(1 << 16)  # every member of a pool gets the same files
def _moment(nanoseconds: int) -> str:
    """A time of change in UTC, to the second; one that no calendar knows as it is."""
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{nanoseconds} ns"
