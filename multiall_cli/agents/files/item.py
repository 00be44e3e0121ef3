"""One entry of a file tree, desired or observed."""

from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from multiall_cli.domain.dataclass import dataclass

TOP = "."
"""Key of the tree's root directory."""


def as_bytes(path: str) -> bytes:
    """Return a path as the bytes on disk."""
    return path.encode("utf-8", "surrogateescape")


def as_text(path: bytes) -> str:
    """Return bytes from the disk as text; bytes that are not valid text survive the round trip."""
    return path.decode("utf-8", "surrogateescape")


class FileKind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    HARDLINK = "hardlink"


Identity = tuple[int, int, int, int]
"""(size, mtime ns, ctime ns, inode) of a file: changes whenever its content may have changed."""


@dataclass(frozen=True, slots=True)
class Found:
    """Facts from the disk that are not compared, but carried along.

    `holds_more`: a directory with entries that no scan includes; `linked`: a file with several names; `shared`: some of
    these names are outside the tree; `uid`, `gid`: the numbers of its owner and its group.
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
    """One entry of a tree. Equal items need no change. None means: not compared here.

    `digest`: the sha256 of a file's content ('' if it was not needed, because its size already differs); `target`: a
    link's text, or the path of the first name of a hard-linked file; `mtime`: in nanoseconds.
    """

    kind: FileKind
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
        if self.kind is FileKind.FILE:
            words.append(f"{self.size} B")
        if self.digest:
            words.append(self.digest[:8])
        if self.kind in (FileKind.LINK, FileKind.HARDLINK):
            words.append(f"→ {self.target}")
        if self.mtime is not None:
            words.append(_moment(self.mtime))
        return " ".join(words)

    @property
    def content(self) -> tuple[object, ...]:
        """Return the part that cannot be changed in place. If it is equal, new attributes are enough."""
        return (self.kind, self.size, self.digest, self.target if self.kind is not FileKind.DIRECTORY else "")


@lru_cache(1 << 16)  # every member of a pool gets the same files
def _moment(nanoseconds: int) -> str:
    """Return a time of change in UTC, to the second; a number outside the calendar is printed as it is."""
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{nanoseconds} ns"
