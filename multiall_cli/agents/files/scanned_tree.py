"""Scanned tree, unpacked and checked: data from a member is never trusted as a path."""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import field
from functools import cached_property

from multiall_cli.agents.files.item import FileItem, FileKind, Found, as_bytes, as_text
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault
from multiall_cli.remote.formats import tree_records

MOST_BYTES = 1 << 31  # bytes of packed records; some thirty million entries

MOST_SHOWN = 4096  # characters of a path that a member names

BYTES_EACH = 1 << 11  # bytes of a packed record, on average over one tree

MOST_SECONDS = 1e11  # seconds since the epoch; larger clock values are rejected

_KINDS = {
    tree_records.FILE: FileKind.FILE,
    tree_records.DIRECTORY: FileKind.DIRECTORY,
    tree_records.LINK: FileKind.LINK,
    tree_records.HARDLINK: FileKind.HARDLINK,
}


@dataclass(frozen=True)
class TreeRecords:
    """Entries of a tree as a server sent them, packed and compressed. `digest`: a hash of them all.

    `users`, `groups`: the names of the numeric ids on that server; `most`: how many entries are unpacked, 0: any
    number.
    """

    server: str
    digest: str
    packed: bytes = b""
    users: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[int, str] = field(default_factory=dict)
    most: int = 0

    @cached_property
    def by_path(self) -> Mapping[bytes, bytes]:
        """Return path → record. Raises MemberFault if the data cannot be records."""
        try:
            by_path: Mapping[bytes, bytes] = tree_records.split(self._inflated(), self.most)
        except tree_records.BadRecord as bad:
            raise garbage(self.server, f"records that are {bad}") from None
        return by_path

    def items(self, paths: Iterable[str] | None = None) -> dict[str, FileItem]:
        """Return the entries, or those of these paths that exist. Raises MemberFault if the data cannot be a tree."""
        if paths is None:
            return self._all_items
        chosen = b"".join(self.by_path.get(as_bytes(path), b"") for path in paths)
        return unpack(self.server, chosen, self.users, self.groups)

    @cached_property
    def _all_items(self) -> dict[str, FileItem]:
        return unpack(self.server, self._inflated(), self.users, self.groups)

    def _inflated(self) -> bytes:
        """Return the packed records. The size is bounded, because a few kilobytes may unpack to gigabytes."""
        return inflate(self.server, [self.packed], min(MOST_BYTES, BYTES_EACH * self.most or MOST_BYTES))

    def full_directories(self) -> Sequence[str]:
        """Return the directories that contain entries without records."""
        return [
            as_text(path)
            for path, record in self.by_path.items()
            if record[:1] == tree_records.DIRECTORY and record[1] & tree_records.HOLDS_MORE
        ]

    def differs_from(self, other: "TreeRecords") -> Set[str] | None:
        """Return the paths whose records differ; None if names of owners changed, because then any path may differ."""
        if _renamed(self.users, other.users) or _renamed(self.groups, other.groups):
            return None
        return {as_text(path) for path, _ in self.by_path.items() ^ other.by_path.items()}


def _renamed(now: Mapping[int, str], then: Mapping[int, str]) -> bool:
    return any(now[number] != then[number] for number in now.keys() & then.keys())


RootIdentity = tuple[int, int]
"""Device and inode of a tree's root directory."""


@dataclass(frozen=True, slots=True)
class ScannedTree:
    """One scan of a tree: its records, and those of the scan before if they are known.

    `size`: number of entries; `now`: the server's own clock in seconds; `top`: the tree's root directory; `identity`:
    its device and inode; `run`: the last run that changed the tree; `special`: path → kind, of entries without a
    record; `mounts`: mount points of other file systems; `ours`: paths whose names begin like those of our own files;
    `is_owner`: whether the session's user may change the mode of the root.
    """

    records: TreeRecords
    size: int
    now: float
    top: FileItem
    before: TreeRecords | None = None
    missing: bool = False
    identity: RootIdentity | None = None
    run: str = ""
    special: Mapping[str, str] = field(default_factory=dict)
    mounts: Set[str] = frozenset()
    ours: tuple[str, ...] = ()
    is_owner: bool = True

    def since(self, digest: str) -> Set[str] | None:
        """Return the paths that changed since the tree had this digest; None: not known."""
        if digest == self.records.digest:
            return frozenset()
        if self.before is None or self.before.digest != digest:
            return None
        return self.records.differs_from(self.before)

    def check(self) -> None:
        """Raise MemberFault if an entry that is new since the last scan cannot be part of a tree."""
        self.records.items(self.since(self.before.digest) if self.before else None)


def garbage(server: str, what: str) -> MemberFault:
    return MemberFault(
        server, f"its answer to 'scan' is garbage: {what}", f"look at it with `multiall doctor {server}`"
    )


def inflate(server: str, pieces: Iterable[bytes], most: int = MOST_BYTES) -> bytes:
    """Return the packed records. Reads at most `most` bytes, so a member cannot exhaust our memory."""
    unpacker, out, size, begun = zlib.decompressobj(), [], 0, False
    try:
        for piece in pieces:
            part = unpacker.decompress(piece, most - size + 1)
            size += len(part)
            if size > most:
                raise garbage(server, f"more than {most} bytes of records")
            out.append(part)
            begun = True
    except zlib.error:
        raise garbage(server, "records that do not unpack") from None
    if begun and not unpacker.eof:
        raise garbage(server, "records that are cut off")  # half a tree would look like many deletions
    return b"".join(out)


def _checked(server: str, raw: bytes) -> str:
    """Return the path as text. Raises Refused if it could lead out of the tree."""
    parts = raw.split(b"/")
    if not raw or len(raw) > 4096 or b"\0" in raw or b"" in parts or b"." in parts or b".." in parts:
        raise garbage(server, f"the path {raw[:80]!r}")
    return as_text(raw)


def names(told: object) -> dict[int, str]:
    """Return users or groups by number, from a scan's answer."""
    if not isinstance(told, dict):
        return {}
    return {int(number): str(name) for number, name in told.items() if re.fullmatch("[0-9]{1,10}", str(number))}


def unpack(server: str, packed: bytes, users: Mapping[int, str], groups: Mapping[int, str]) -> dict[str, FileItem]:
    """Return every entry with all its attributes."""
    entries: dict[str, FileItem] = {}
    try:
        for record in tree_records.unpack(packed):
            kind, flags, mode, uid, gid, size, mtime, ctime, inode, path, target, xattrs = record
            plain = _KINDS[kind] in (FileKind.FILE, FileKind.DIRECTORY)
            entries[_checked(server, path)] = FileItem(
                kind=_KINDS[kind],
                size=size if kind == tree_records.FILE else 0,
                mode=mode if plain else None,
                owner=users.get(uid, str(uid)) if kind != tree_records.HARDLINK else None,
                group=groups.get(gid, str(gid)) if kind != tree_records.HARDLINK else None,
                target=_target(server, kind, target),
                xattrs=xattrs.hex() if plain else None,
                found=Found(
                    mode,
                    mtime,
                    (size, mtime, ctime, inode),
                    bool(flags & tree_records.HOLDS_MORE),
                    bool(flags & tree_records.LINKED),
                    bool(flags & tree_records.SHARED),
                    uid,
                    gid,
                ),
            )
    except tree_records.BadRecord as bad:
        raise garbage(server, f"records that are {bad}") from None
    return entries


def _target(server: str, kind: bytes, raw: bytes) -> str:
    if kind == tree_records.HARDLINK:
        return _checked(server, raw)
    return as_text(raw)


def number(told: object) -> float:
    """Return a number from a member, or 0 if it is out of range."""
    return float(told) if isinstance(told, (int, float)) and 0 <= told < MOST_SECONDS else 0.0


def top_of(told: object, users: Mapping[int, str], groups: Mapping[int, str]) -> FileItem:
    """Return the tree's root directory, from a scan's answer."""
    if not (isinstance(told, list) and len(told) == 4 and all(isinstance(part, int) for part in told)):
        return FileItem(FileKind.DIRECTORY)
    if not all(-(1 << 63) <= part < 1 << 63 for part in told):
        return FileItem(FileKind.DIRECTORY)
    mode, uid, gid, mtime = told
    return FileItem(
        FileKind.DIRECTORY,
        mode=mode,
        owner=users.get(uid, str(uid)),
        group=groups.get(gid, str(gid)),
        found=Found(mode, mtime, uid=uid, gid=gid),
    )


def root_identity(told: object) -> RootIdentity | None:
    """Return the device and inode of a root as a member reports them; None if that is no pair of numbers."""
    if not (isinstance(told, list) and len(told) == 2 and all(isinstance(part, int) for part in told)):
        return None
    device, inode = told
    return (device, inode) if 0 <= device < 1 << 64 and 0 <= inode < 1 << 64 else None


def paths_of(told: object) -> tuple[str, ...]:
    """Return a list of paths, each cut to a printable length; other values are left out."""
    return tuple(path[:MOST_SHOWN] for path in told if isinstance(path, str)) if isinstance(told, list) else ()


def special_of(told: object) -> dict[str, str]:
    """Return path → kind of each special file that a member names."""
    pairs = told if isinstance(told, list) else []
    return {
        pair[0][:MOST_SHOWN]: pair[1][:MOST_SHOWN]
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
    }


MISSING = ScannedTree(TreeRecords("", ""), 0, 0.0, FileItem(FileKind.DIRECTORY), missing=True)
