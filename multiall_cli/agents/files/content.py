"""Content of the source: each block is read once, however many members need it.

One thread reads from the source and appends the pieces, still compressed, to an unnamed file on the admin host. Every
member's stream reads them from there at its own pace.
"""

import json
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from multiall_cli.agents.files.item import FileItem
from multiall_cli.agents.files.scanned_tree import RootIdentity
from multiall_cli.agents.files.wire import MOST_HASHES, json_lines, read_bounded
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault, MultiAllError
from multiall_cli.ports.session import Session
from multiall_cli.remote.formats.transfer import (
    BLOCK,
    BLOCK_HASH,
    DONE,
    FAILED,
    HOLE,
    PACKED,
    PIECE_HEAD,
    RAW,
    unpack_piece,
)

SIGN_OF_LIFE = 0.5  # seconds of waiting for the source, after which the member gets an empty piece


class NoContent(Exception):
    """Failure to read a file's content from the source; the text gives the reason."""


@dataclass(slots=True)
class _Wanted:
    """One file of the source: the requested blocks, the place of each received block, and the final result."""

    item: FileItem
    asked: set[int] = field(default_factory=set)
    queued: set[int] = field(default_factory=set)
    there: dict[int, tuple[int, int]] = field(default_factory=dict)
    failed: str = ""


def _is_due(file: _Wanted, what: bytes, number: int, body: bytes) -> bool:
    """Return whether this piece is expected: the end of a file, or a requested block that has not arrived yet.

    Pieces go on to the members unchanged, so no other piece may pass. This also keeps a source from filling our disk.
    """
    if what in (DONE, FAILED):
        return True
    return what in (RAW, PACKED, HOLE) and number in file.asked and number not in file.there and len(body) <= BLOCK


def block_count(size: int) -> int:
    return -(-size // BLOCK)


def inflate_piece(piece: bytes, size: int) -> bytes:
    """Return the bytes of a block from its piece, for a file of this size: never more than one block."""
    what, _, number, body = unpack_piece(piece)
    if what == HOLE:
        return bytes(max(0, min(BLOCK, size - number * BLOCK)))
    if what != PACKED:
        return bytes(body)
    try:
        return zlib.decompressobj().decompress(body, BLOCK)
    except zlib.error:
        raise NoContent("a block that does not unpack") from None


def split_hashes(told: bytes, count: int, server: str) -> list[list[bytes]]:
    """Return the block hashes of `count` files, from an answer of `blocks` or `prepare`."""
    out, place = [], 0
    for _ in range(count):
        if place + 4 > len(told):
            raise MemberFault(server, "its block hashes are cut off", f"look at it with `multiall doctor {server}`")
        (blocks,) = struct.unpack_from(">I", told, place)
        place += 4
        end = place + blocks * BLOCK_HASH
        out.append([told[at : at + BLOCK_HASH] for at in range(place, min(end, len(told)), BLOCK_HASH)])
        place = end
    return out


class Content:
    """Blocks of the source, for all members. Safe to use from many threads; owns its session."""

    def __init__(
        self,
        session: Session,
        root: str,
        identity: RootIdentity | None = None,
        sign_of_life: float = SIGN_OF_LIFE,
    ) -> None:
        """`identity`: the expected identity of the root, None: any. `sign_of_life`: seconds, default SIGN_OF_LIFE."""
        self._session = session
        self._root = root
        self._identity = None if identity is None else list(identity)
        self._sign_of_life = sign_of_life
        self._spool = tempfile.TemporaryFile(prefix="multiall-")  # noqa: SIM115  (closed by close)
        self._end = 0
        self._files: dict[str, _Wanted] = {}
        self._hashes: dict[str, list[bytes]] = {}
        self._closed = False
        self._changed = threading.Condition()
        self._reading = threading.Lock()
        self._broken = ""

    def hashes(self, paths: Sequence[str]) -> Mapping[str, list[bytes]]:
        """Return the block hashes of the source's files."""
        with self._reading:
            if self._broken:
                raise MemberFault(self._session.server.name, self._broken, "mend that and run again")
            missing = [path for path in paths if path not in self._hashes]
            if missing:
                reply = self._session.call(
                    "block_hashes",
                    json_lines(json.dumps(path) + "\n" for path in missing),
                    root=self._root,
                    identity=self._identity,
                )
                server = self._session.server.name
                told = read_bounded(server, "block_hashes", reply, MOST_HASHES)
                reply.value()
                split = split_hashes(told, len(missing), server)
                self._hashes.update(zip(missing, split, strict=True))
        return {path: self._hashes[path] for path in paths}

    def want(self, needs: Mapping[str, tuple[FileItem, Sequence[int]]]) -> None:
        """Request blocks of files. They are read in this order, each at most once."""
        with self._changed:
            fresh = False
            for path, (item, blocks) in needs.items():
                wanted = self._files.setdefault(path, _Wanted(item))
                new = set(blocks) - wanted.asked
                wanted.asked |= new
                wanted.queued |= new
                fresh = fresh or bool(new)
        if fresh:
            threading.Thread(target=self._read, name=f"content of {self._root}", daemon=True).start()

    def pieces(self, path: str, blocks: Sequence[int]) -> Iterator[bytes]:
        """Yield the requested blocks of one file, in order, as `read` sent them. Raises NoContent.

        Yields an empty piece now and then while the source is slow, so that the receiver knows that we are alive.
        """
        for number in blocks:
            while (found := self._found(path, number)) is None:
                yield b""
            place, length = found
            yield os.pread(self._spool.fileno(), length, place)

    def _found(self, path: str, number: int) -> tuple[int, int] | None:
        """Return where a block is in the spool; None if it has not arrived yet. Raises NoContent."""
        with self._changed:
            wanted = self._files[path]
            if number not in wanted.there and not wanted.failed:
                self._changed.wait(self._sign_of_life)  # at its end, the reader reports the result of each file
            if number in wanted.there:
                return wanted.there[number]
            if wanted.failed:
                raise NoContent(wanted.failed)
            return None

    def close(self) -> None:
        """Release the spool. Blocks that no member waits for are not read. The session may end in mid-answer."""
        self._closed = True
        with self._reading:
            self._spool.close()

    def _read(self) -> None:
        """Read requested blocks until none is left. One thread at a time uses the source's session."""
        with self._reading:
            while batch := self._next():
                try:
                    if not self._broken:
                        self._read_batch(batch)
                except MultiAllError as fault:
                    self._broken = f"the source failed ({fault.subject}: {fault.what})"
                except OSError as fault:
                    self._broken = f"the admin host's temporary folder failed ({fault.strerror})"
                except Exception as fault:  # noqa: BLE001  (a defect of ours; every waiting thread must see it)
                    self._broken = f"reading the source failed ({fault!r})"
                if self._broken:  # its session may contain the rest of an answer: send no more requests over it
                    self._fail(batch, self._broken)

    def _next(self) -> list[tuple[str, _Wanted, list[int]]]:
        with self._changed:
            batch = [(path, file, sorted(file.queued)) for path, file in self._files.items() if file.queued]
            for _, file, _ in batch:
                file.queued = set()
            return batch

    def _read_batch(self, batch: Sequence[tuple[str, _Wanted, list[int]]]) -> None:
        lines = []
        for path, file, blocks in batch:
            is_whole = len(blocks) == block_count(file.item.size)
            lines.append(json.dumps([path, file.item.found.identity, None if is_whole else blocks]) + "\n")
        reply = self._session.call("read_blocks", json_lines(lines), root=self._root, identity=self._identity)
        for piece in reply.pieces():
            if self._closed:
                return
            if len(piece) < PIECE_HEAD:
                raise self._garbage()
            what, index, number, body = unpack_piece(piece)
            if index >= len(batch) or not _is_due(batch[index][1], what, number, body):
                raise self._garbage()
            self._take(batch[index][1], what, number, piece, body)
        reply.value()
        self._fail(batch, "the source did not send all of it")

    def _garbage(self) -> MemberFault:
        return MemberFault(self._session.server.name, "it sent something that no one asked for", "run again")

    def _take(self, file: _Wanted, what: bytes, number: int, piece: bytes, body: bytes) -> None:
        if what == FAILED:
            with self._changed:
                file.failed = body.decode("utf-8", "replace")[:200] or "unreadable"
                self._changed.notify_all()
        elif what != DONE:
            self._write(piece)
            with self._changed:
                file.there[number] = (self._end, len(piece))
                self._changed.notify_all()
            self._end += len(piece)

    def _write(self, piece: bytes) -> None:
        """Write all of the body: on an almost full disk a single write may be short."""
        done = 0
        while done < len(piece):
            done += os.pwrite(self._spool.fileno(), piece[done:], self._end + done)

    def _fail(self, batch: Sequence[tuple[str, _Wanted, list[int]]], why: str) -> None:
        """Record the failure of each file that has not arrived in full."""
        with self._changed:
            for _, file, blocks in batch:
                if not all(number in file.there for number in blocks) and not file.failed:
                    file.failed = why
            self._changed.notify_all()
