"""Conversion of a member's changes into the stream that `apply` reads, and of its answer into outcomes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from multiall_cli.agents.files.content import Content, NoContent, block_count
from multiall_cli.agents.files.item import TOP, FileItem, FileKind, Identity
from multiall_cli.domain.change import Action, Change, Outcome, Result
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.remote.formats.transfer import BLOCK, BLOCK_HASH, CHANGE, SETTLE

LARGE = 2 * BLOCK  # bytes; from this size on, equal blocks of an old file are not sent again

SETTLED = 500  # directories in one piece; fits a frame even with the longest paths

FileChange = Change[FileItem]


def _parts(path: str) -> list[str]:
    return path.split("/")


def commit_order(changes: Sequence[FileChange]) -> list[FileChange]:
    """Return the changes in an order in which the tree can be changed path by path.

    First the entries below a directory that becomes another kind, deepest first; then all new and changed entries,
    directories before their content and hard links after their targets; last all other deletions, deepest first.
    """
    replaced = {change.key for change in changes if _ends_directory(change)}
    in_the_way, puts, deletes = [], [], []
    for change in changes:
        if change.action is not Action.DELETE:
            puts.append(change)
        elif replaced and any(above in replaced for above in _above(change.key)):
            in_the_way.append(change)
        else:
            deletes.append(change)
    puts.sort(key=lambda each: (each.after is not None and each.after.kind is FileKind.HARDLINK, _parts(each.key)))
    in_the_way.sort(key=lambda each: _parts(each.key), reverse=True)
    deletes.sort(key=lambda each: _parts(each.key), reverse=True)
    return in_the_way + puts + deletes


def _ends_directory(change: FileChange) -> bool:
    if change.before is None or change.after is None:
        return False
    return change.before.kind is FileKind.DIRECTORY and change.after.kind is not FileKind.DIRECTORY


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


@dataclass(frozen=True, slots=True)
class Transfer:
    """How one change travels: the blocks to send, the base for the rest, and what is already staged."""

    change: FileChange
    blocks: tuple[int, ...] = ()
    base: tuple[str, FileItem] | None = None
    staged: str = ""


def is_dress(change: FileChange) -> bool:
    """Return whether new attributes are enough. A link is made anew: it cannot be changed by a handle."""
    if change.before is None or change.after is None or change.after.kind is FileKind.LINK:
        return False
    return change.before.content == change.after.content


def needs_content(change: FileChange) -> bool:
    return change.after is not None and change.after.kind is FileKind.FILE and not is_dress(change)


def large_updates(changes: Iterable[FileChange]) -> list[FileChange]:
    """Return the changes for which a block comparison pays off."""
    return [
        change
        for change in changes
        if needs_content(change)
        and change.before is not None
        and change.before.kind is FileKind.FILE
        and change.after is not None
        and min(change.before.size, change.after.size) >= LARGE
    ]


def transfers(
    changes: Sequence[FileChange],
    staged: Sequence[str],
    there: Mapping[str, Sequence[bytes]],
    wanted: Mapping[str, Sequence[bytes]],
) -> list[Transfer]:
    """Return what to send for each change. `there`, `wanted`: hashes of large files, on the member and desired."""
    left = {name.partition("-")[0]: name for name in staged}
    moved = {
        change.before.digest: (change.key, change.before)
        for change in changes
        if change.before is not None and change.before.kind is FileKind.FILE and change.before.digest
    }
    out = []
    for change in changes:
        if not needs_content(change) or change.after is None:
            out.append(Transfer(change))
        elif name := left.pop(change.after.digest, ""):
            out.append(Transfer(change, staged=name))
        elif change.after.size >= LARGE and change.after.digest in moved:
            out.append(Transfer(change, base=moved[change.after.digest]))
        elif change.before is not None and there.get(change.key) and wanted.get(change.key):
            blocks = _differing(there[change.key], wanted[change.key])
            out.append(Transfer(change, blocks, base=(change.key, change.before)))
        else:
            out.append(Transfer(change, tuple(range(block_count(change.after.size)))))
    return out


def _differing(there: Sequence[bytes], wanted: Sequence[bytes]) -> tuple[int, ...]:
    return tuple(
        number
        for number, block in enumerate(wanted)
        if len(block) != BLOCK_HASH or number >= len(there) or there[number] != block
    )


def expect(item: FileItem) -> dict[str, object]:
    return {
        "kind": item.kind.value,
        "identity": item.found.identity,
        "target": item.target,
        "linked": item.found.linked,
    }


def attributes(item: FileItem) -> dict[str, object]:
    """Return the attributes of an entry. The time is always set, even if it is not compared."""
    plain = item.kind in (FileKind.FILE, FileKind.DIRECTORY)
    mode = item.mode if item.mode is not None else item.found.mode
    told: dict[str, object] = {"owner": item.owner, "group": item.group, "mtime": item.found.mtime}
    if plain:
        told["mode"] = mode
        told["xattrs"] = item.xattrs
    return told


def _header(index: int, transfer: Transfer) -> bytes:
    change = transfer.change
    item = change.after or change.before
    assert item is not None  # noqa: S101  (a change has at least one side)
    told: dict[str, object] = {
        "index": index,
        "path": change.key,
        "action": change.action.value,
        "kind": item.kind.value,
        "expect": expect(change.before) if change.before else None,
        "size": item.size,
        "digest": item.digest,
        "target": item.target,
    }
    if change.after is not None:
        told |= attributes(change.after)
        told["dress"] = is_dress(change)
    if transfer.base is not None:
        path, old = transfer.base
        told["base"] = {"path": path, "identity": old.found.identity}
    if transfer.staged:
        told["staged"] = transfer.staged
    return CHANGE + json.dumps(told).encode("ascii")


def settling(
    changes: Sequence[FileChange], desired: Mapping[str, FileItem], *, shares_top: bool = False
) -> list[dict[str, object]]:
    """Return the directories whose attributes are set last: changed ones, and the times of parents of changed entries.

    `shares_top`: the root's time is not set.
    """
    told: dict[str, dict[str, object]] = {}
    for change in changes:
        parent = change.key.rpartition("/")[0]
        item = None if shares_top and not parent else desired.get(parent or TOP)
        if change.key != TOP and item is not None and item.kind is FileKind.DIRECTORY:
            told.setdefault(parent, {"path": parent, "mtime": item.found.mtime})
    for index, change in enumerate(changes):
        if change.after is not None and change.after.kind is FileKind.DIRECTORY:
            path = "" if change.key == TOP else change.key
            told[path] = {"path": path, "index": index} | attributes(change.after)
            if change.before is not None and change.before.kind is FileKind.DIRECTORY:
                told[path]["mode"] = change.after.mode  # a mode that is not compared is left unchanged
    return list(told.values())


class Stream:
    """Apply stream of one member: the pieces to send, and the result of each change."""

    def __init__(
        self, sent: Sequence[Transfer], content: Content, desired: Mapping[str, FileItem], *, shares_top: bool = False
    ) -> None:
        self._sent = sent
        self._content = content
        self._desired = desired
        self._shares_top = shares_top
        self._lost: dict[int, str] = {}
        self.written: dict[str, tuple[Identity, bytes]] = {}
        """Path → identity and digest of each file that was put in place; complete once `outcomes` was read."""

    def payload(self) -> Iterator[bytes]:
        for index, transfer in enumerate(self._sent):
            if transfer.change.key == TOP:
                continue
            yield _header(index, transfer)
            try:
                yield from self._content.pieces(transfer.change.key, transfer.blocks)
            except NoContent as fault:
                self._lost[index] = str(fault)
        changes = [transfer.change for transfer in self._sent]
        settle = settling(changes, self._desired, shares_top=self._shares_top)
        for at in range(0, len(settle), SETTLED):
            yield SETTLE + json.dumps(settle[at : at + SETTLED]).encode("ascii")

    def outcomes(self, told: bytes) -> Iterator[Outcome[FileItem]]:
        """Yield exactly one outcome per change, whatever the member answered."""
        verdicts = _verdicts(told, len(self._sent))
        for index, transfer in enumerate(self._sent):
            missing = (
                (Result.DONE, "") if transfer.change.key == TOP else (Result.FAILED, "the member told nothing of it")
            )
            result, detail, identity = verdicts.get(index, (*missing, None))
            if result is Result.DONE and identity is not None and needs_content(transfer.change):
                self._note(transfer.change, identity)
            if index in self._lost and result is not Result.DONE:
                result, detail = Result.FAILED, f"the source: {self._lost[index]}"
            yield Outcome(transfer.change, result, detail)

    def _note(self, change: FileChange, identity: Identity) -> None:
        assert change.after is not None  # noqa: S101  (it needed content)
        self.written[change.key] = (identity, bytes.fromhex(change.after.digest))


Verdict = tuple[Result, str, Identity | None]


def _verdicts(told: bytes, count: int) -> dict[int, Verdict]:
    out: dict[int, Verdict] = {}
    for line in told.splitlines():
        try:
            index, result, detail, written = json.loads(line)
            if 0 <= index < count:
                out.setdefault(index, (Result(result), str(detail)[:500], _identity(written)))
        except (ValueError, TypeError, RecursionError):
            continue  # not a verdict: its change counts as one without an answer
    return out


def _identity(told: object) -> Identity | None:
    if not (isinstance(told, list) and len(told) == 4 and all(isinstance(part, int) for part in told)):
        return None
    size, mtime, ctime, inode = told
    fits = 0 <= size < 1 << 63 and 0 <= inode < 1 << 64 and all(-(1 << 63) <= part < 1 << 63 for part in (mtime, ctime))
    return (size, mtime, ctime, inode) if fits else None
