"""Source tree in the form that members should have: read once, unpacked only on access."""

import json
from collections.abc import Callable, ItemsView, Iterator, Mapping, Set
from functools import partial
from threading import Lock
from zlib import crc32

from multiall_cli.agents.files import comparison
from multiall_cli.agents.files.content import Content
from multiall_cli.agents.files.digests import DIGEST, FRESH, Known, dump, is_settled, load, read
from multiall_cli.agents.files.item import TOP, FileItem, as_bytes, as_text
from multiall_cli.agents.files.scan_client import keep, look, options_of
from multiall_cli.agents.files.scanned_tree import ScannedTree, TreeRecords
from multiall_cli.agents.files.wire import json_lines
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.inventory import ADMIN, FilesDeclaration
from multiall_cli.ports.session import Session
from multiall_cli.ports.store import Cache
from multiall_cli.remote.formats.transfer import FAILED, PIECE_HEAD, unpack_piece
from multiall_cli.remote.formats.tree_records import FILE, HARDLINK, IDENTITY

_MAY_CHANGE = bytes(32)  # in place of a tree's digest: some of its files may change again unseen


class WantedTree(Mapping[str, FileItem]):
    """Desired tree of all members. Each entry is created on first access."""

    def __init__(
        self, top: FileItem, records: TreeRecords, declared: FilesDeclaration, digests: Callable[[], Known]
    ) -> None:
        self._records = records
        self._declared = declared
        self._digests = digests
        self._known: Known | None = None
        self._made = {TOP: comparison.wanted_top(top, declared)}
        self._whole = False
        self._lock = Lock()

    def __getitem__(self, path: str) -> FileItem:
        item = self._made.get(path)
        if item is None:
            if self._whole or not self._has(path):
                raise KeyError(path)
            item = self._made[path] = self._wanted(path, self._records.items([path])[path])
        return item

    def __contains__(self, path: object) -> bool:
        return path in self._made or (not self._whole and isinstance(path, str) and self._has(path))

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._records.by_path) + 1

    def items(self) -> ItemsView[str, FileItem]:
        return self._all().items()

    def _has(self, path: str) -> bool:
        return as_bytes(path) in self._records.by_path

    def _all(self) -> Mapping[str, FileItem]:
        with self._lock:
            if not self._whole:
                items = self._records.items()
                self._made |= {path: self._made.get(path) or self._wanted(path, item) for path, item in items.items()}
                self._whole = True
            return self._made

    def _wanted(self, path: str, item: FileItem) -> FileItem:
        if self._known is None:
            self._known = self._digests()
        content = as_bytes(comparison.content_of(path, item))
        return comparison.wanted(item, self._declared, self._known.get(content, b"")[-DIGEST:].hex())


@dataclass(frozen=True, slots=True)
class Source:
    """Source that was read. `unsettled`: files that changed so shortly before that they may change again unseen."""

    scan: ScannedTree
    tree: Mapping[str, FileItem]
    unsettled: Set[str]
    content: Content


def read_source(
    session: Session, agent: str, root: str, declared: FilesDeclaration, cache: Cache, fresh: int = FRESH
) -> Source:
    """Scan a source and get each file's digest. Raises Refused if it is missing, empty or not fully readable."""
    found = look(session, root, declared, cache)
    if found.missing or not found.size:
        where = "" if session.server == ADMIN else f" on {session.server.name}"
        what = f"the source {root}{where} {'does not exist' if found.missing else 'is empty'}"
        raise Refused(agent, f"{what}; nothing was changed", "fill it, or name another `source:`")
    if found.ours:
        more = f" and {len(found.ours) - 1} more" if len(found.ours) > 1 else ""
        what = f"the source has {found.ours[0]!r}{more}, but names that begin with .multiall- are MultiAll's own"
        raise Refused(agent, f"{what}; nothing was changed", "rename it, or exclude it")
    key = f"source:{session.server.name}:{root}:{options_of(declared)}"
    kept = _unbroken(cache.get(key))
    known: Callable[[], Known] = partial(load, kept[32:])
    unsettled: Set[str] = frozenset()
    if kept[:32].hex() != found.records.digest:
        told, unsettled = _contents(session, agent, root, found, load(kept[32:]), fresh)
        keep(found, root, declared, cache)
        _remember(cache, key, found, told, unsettled)
        known = told.copy
    return Source(
        found, WantedTree(found.top, found.records, declared, known), unsettled, Content(session, root, found.identity)
    )


def _remember(cache: Cache, key: str, found: ScannedTree, known: Known, unsettled: Set[str]) -> None:
    mark = _MAY_CHANGE if unsettled else bytes.fromhex(found.records.digest)
    lost = {as_bytes(path) for path in unsettled}
    value = mark + dump({path: one for path, one in known.items() if path not in lost})
    cache.put(key, value + crc32(value).to_bytes(4, "big"))


def _unbroken(value: bytes | None) -> bytes:
    """Return the cached data without its checksum; empty if it is missing or damaged, then all is read again."""
    if value is None or crc32(value[:-4]).to_bytes(4, "big") != value[-4:]:
        return b""
    return value[:-4]


def _contents(
    session: Session, agent: str, root: str, found: ScannedTree, remembered: Known, fresh: int
) -> tuple[Known, Set[str]]:
    """Return the digest of every file of a source, and the files that are not settled.

    Raises Refused if a file cannot be read or changes meanwhile.
    """
    files = {path: record[IDENTITY] for path, record in found.records.by_path.items() if record[:1] == FILE}
    known = {
        path: remembered[path]
        for path, identity in files.items()
        if path in remembered and remembered[path][:-DIGEST] == identity
    }
    items = found.records.items(as_text(path) for path in files if path not in known)
    told = read(session, root, items, list(items), found.identity)
    if lost := [path for path in items if path not in told]:
        why = _why_lost(session, root, lost[0], items[lost[0]])
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        what = f"the source {root} on {session.server.name} cannot be read whole ({lost[0]!r}: {why}{more})"
        raise Refused(agent, f"{what}; nothing was changed", "mend that or exclude it, and run again")
    known |= {as_bytes(path): files[as_bytes(path)] + digest for path, digest in told.items()}
    unsettled = {path for path, item in items.items() if not is_settled(item, found.now, fresh)}
    return known, unsettled | _names_of(unsettled, found.records)


def _why_lost(session: Session, root: str, path: str, item: FileItem) -> str:
    """Return why a file gave no digest, as the source reports it."""
    request = json.dumps([path, item.found.identity, []]) + "\n"
    reply = session.call("read_blocks", json_lines([request]), root=root)
    why = ""
    for piece in reply.pieces():
        if not why and len(piece) >= PIECE_HEAD and piece[:1] == FAILED:
            why = unpack_piece(piece)[3][:200].decode("utf-8", "replace")
    reply.value()
    return why or "it changed while it was read"


def _names_of(files: Set[str], records: TreeRecords) -> Set[str]:
    """Return the other names of these files."""
    if not files:
        return frozenset()
    links = [as_text(path) for path, record in records.by_path.items() if record[:1] == HARDLINK]
    return {path for path, item in records.items(links).items() if item.target in files}
