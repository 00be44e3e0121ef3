"""Cache of file digests, on any server, for files that have not changed since they were last read."""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence

from multiall_cli.agents.files.item import FileItem, FileKind, Identity, as_bytes
from multiall_cli.agents.files.scanned_tree import RootIdentity
from multiall_cli.agents.files.wire import json_lines, read_bounded
from multiall_cli.domain.errors import MemberFault
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import Cache

FRESH = 2_000_000_000  # ns; a file that changed less than this before it was read may change again unseen

MOST_RECENT = 2000  # digests in the recent part of a tree's cache

_IDENTITY = struct.Struct(">QqqQ")
_LENGTH = struct.Struct(">H")
DIGEST = 32  # bytes of a sha256

Known = dict[bytes, bytes]
"""path → identity (packed as in a record) and sha256 of its content."""


def packed_identity(identity: Identity) -> bytes:
    """Return an identity in the format of records."""
    return _IDENTITY.pack(*identity)


def load(packed: bytes | None) -> Known:
    """Return the cached digests. Unreadable data counts as none."""
    known: Known = {}
    if packed is None:
        return known
    try:
        raw = zlib.decompress(packed)
        place = 0
        while place < len(raw):
            start = place + _IDENTITY.size + DIGEST
            (length,) = _LENGTH.unpack_from(raw, start)
            end = start + _LENGTH.size + length
            if end > len(raw):
                return {}
            known[raw[start + _LENGTH.size : end]] = raw[place:start]
            place = end
    except (zlib.error, struct.error):
        return {}
    return known


def dump(known: Mapping[bytes, bytes]) -> bytes:
    """Pack digests; the inverse of `load`."""
    out = [told + _LENGTH.pack(len(path)) + path for path, told in known.items()]
    return zlib.compress(b"".join(out), 1)


class DigestCache:
    """Cached digests of one tree's files: a large part that is seldom read, and a small recent part."""

    def __init__(self, server: str, root: str, cache: Cache) -> None:
        self._cache = cache
        self._large = f"digests:{server}:{root}"
        self._small = f"recent digests:{server}:{root}"
        self._recent = load(cache.get(self._small))
        self._all: Known | None = None

    @property
    def _known(self) -> Known:
        if self._all is None:
            self._all = load(self._cache.get(self._large)) | self._recent
        return self._all

    def of(self, path: bytes, identity: bytes) -> bytes | None:
        """Return the file's digest if it is still the same file."""
        one = self._recent.get(path) or self._known.get(path)
        return one[-DIGEST:] if one is not None and one[:-DIGEST] == identity else None

    def add(self, more: Known) -> None:
        if not more:
            return
        self._recent |= more
        if len(self._recent) > MOST_RECENT:
            self.only(self._known | more)
        else:
            self._cache.put(self._small, dump(self._recent))

    def only(self, known: Known) -> None:
        """Replace the cache with these entries."""
        if known != load(self._cache.get(self._large)):
            self._cache.put(self._large, dump(known))
        if self._recent:
            self._cache.put(self._small, dump({}))


def digests(
    session: Session,
    root: str,
    entries: Mapping[str, FileItem],
    paths: Sequence[str],
    now: float,
    cache: Cache,
    *,
    all_of_it: bool = True,
    identity: RootIdentity | None = None,
    fresh: int = FRESH,
) -> dict[str, str]:
    """Return path → sha256 of each file; a file that changes while it is read has none.

    A cached digest is valid as long as the identity (size, times, inode) is the same. Files that changed within the
    last two seconds by the server's own clock are not cached, because they could change again within one clock tick.
    `all_of_it`: the paths are all whose digest can be of use, so other cached digests are dropped. `identity`: that of
    the root. `fresh`: replaces FRESH.
    """
    if not paths and not all_of_it:
        return {}
    memory = DigestCache(session.server.name, root, cache)
    identities = {path: packed_identity(entries[path].found.identity) for path in paths}
    known = {path: memory.of(as_bytes(path), identity) for path, identity in identities.items()}
    told = read(session, root, entries, [path for path, digest in known.items() if digest is None], identity)
    found = {path: digest for path, digest in known.items() if digest is not None}
    settled = {path: digest for path, digest in told.items() if is_settled(entries[path], now, fresh)}
    if all_of_it:
        memory.only({as_bytes(path): identities[path] + digest for path, digest in (found | settled).items()})
    else:
        memory.add({as_bytes(path): identities[path] + digest for path, digest in settled.items()})
    return {path: digest.hex() for path, digest in (found | told).items()}


def remember(
    server: str, root: str, written: Mapping[str, tuple[Identity, bytes]], cache: Cache, fresh: int = FRESH
) -> None:
    """Cache the digests of files that we put in place and whose content was checked on its way. They need no new read.

    Only files whose time we set well in the past: any later write changes their time, even within one tick.
    """
    dated = {
        as_bytes(path): packed_identity(identity) + digest
        for path, (identity, digest) in written.items()
        if identity[1] < identity[2] - fresh
    }
    if dated:
        DigestCache(server, root, cache).add(dated)


def read(
    session: Session,
    root: str,
    entries: Mapping[str, FileItem],
    paths: Sequence[str],
    identity: RootIdentity | None,
) -> dict[str, bytes]:
    """Read each file now and return path → sha256; a file that changes meanwhile, or cannot be read, has none."""
    if not paths:
        return {}
    lines = (json.dumps([path, entries[path].found.identity]) + "\n" for path in paths)
    reply = session.call("digest", json_lines(lines), root=root, identity=None if identity is None else list(identity))
    told = read_bounded(session.server.name, "digest", reply, 33 * len(paths))
    reply.value()
    if len(told) != 33 * len(paths):
        server = session.server.name
        raise MemberFault(
            server, "its answer to 'digest' is garbage: of the wrong length", f"see `multiall doctor {server}`"
        )
    return {path: told[33 * at + 1 : 33 * at + 33] for at, path in enumerate(paths) if told[33 * at] == 1}


def is_settled(item: FileItem, now: float, fresh: int = FRESH) -> bool:
    """Return whether its last change was so long before the read that a later change cannot hide in the same tick.

    Only files have content beyond their records.
    """
    return item.kind not in (FileKind.FILE, FileKind.HARDLINK) or item.found.identity[2] < now * 1e9 - fresh
