"""The source's content: read once for all members, block by block, however many of them want it.

One thread reads from the source and puts the pieces, as they come and still compressed, into an unnamed file of the
admin host; every member's stream takes them from there at its own pace.
"""

import json
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from multiall_cli.agents.files.asking import MOST_HASHES, batches, whole
from multiall_cli.agents.files.item import FileItem
from multiall_cli.agents.files.scanned import RootIdentity
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

SIGN_OF_LIFE = 0.5  # seconds of waiting for the source after which a member is told that we still do


class NoContent(Exception):
    """The source could not give a file's content; the text says why."""


@dataclass(slots=True)
class _Wanted:
    """One file of the source: which blocks were asked for, where those lie that have come, and how it ended."""

    item: FileItem
    asked: set[int] = field(default_factory=set)
    queued: set[int] = field(default_factory=set)
    there: dict[int, tuple[int, int]] = field(default_factory=dict)
    failed: str = ""


def _is_due(file: _Wanted, what: bytes, number: int, body: bytes) -> bool:
    """Whether this may come now: the end of a file, or a block of it that was asked for and has not come yet.

    Pieces go on to the members as they came: nothing else may be among them, nor may a source fill our disk.
    """
    if what in (DONE, FAILED):
        return True
    return what in (RAW, PACKED, HOLE) and number in file.asked and number not in file.there and len(body) <= BLOCK


def block_count(size: int) -> int:
    return -(-size // BLOCK)


def inflate_piece(piece: bytes, size: int) -> bytes:
    """The bytes of a block of a file of this size, as `read` gave it; at most a block, whatever the source sent."""
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
    """Block hashes of `count` files, as `blocks` and `prepare` tell them."""
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
    """What members take the source's blocks from. Safe to use from many threads; the session is ours alone."""

    def __init__(
        self,
        session: Session,
        root: str,
        identity: RootIdentity | None = None,
        sign_of_life: float = SIGN_OF_LIFE,
    ) -> None:
        """`identity`: what the root must still be, None: anything. `sign_of_life`: in seconds, as the constant."""
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
        """The block hashes of the source's files."""
        with self._reading:
            if self._broken:
                raise MemberFault(self._session.server.name, self._broken, "mend that and run again")
            missing = [path for path in paths if path not in self._hashes]
            if missing:
                reply = self._session.call(
                    "block_hashes",
                    batches(json.dumps(path) + "\n" for path in missing),
                    root=self._root,
                    identity=self._identity,
                )
                server = self._session.server.name
                told = whole(server, "block_hashes", reply, MOST_HASHES)
                reply.value()
                split = split_hashes(told, len(missing), server)
                self._hashes.update(zip(missing, split, strict=True))
        return {path: self._hashes[path] for path in paths}

    def want(self, needs: Mapping[str, tuple[FileItem, Sequence[int]]]) -> None:
        """Ask for blocks of files; they are read in this order, none of them twice."""
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
        """The asked-for blocks of one file, in order, as `read` gave them. Errors: NoContent.

        While the source is waited for an empty piece comes now and then: whoever is sent them hears that we live.
        """
        for number in blocks:
            while (found := self._found(path, number)) is None:
                yield b""
            place, length = found
            yield os.pread(self._spool.fileno(), length, place)

    def _found(self, path: str, number: int) -> tuple[int, int] | None:
        """Where a block is in the spool; None where it has not come yet. Errors: NoContent."""
        with self._changed:
            wanted = self._files[path]
            if number not in wanted.there and not wanted.failed:
                self._changed.wait(self._sign_of_life)  # the reader says at its end what became of each file
            if number in wanted.there:
                return wanted.there[number]
            if wanted.failed:
                raise NoContent(wanted.failed)
            return None

    def close(self) -> None:
        """Let go of the spool; what nobody waits for any more is not read. The session may be left in mid-answer."""
        self._closed = True
        with self._reading:
            self._spool.close()

    def _read(self) -> None:
        """Read what is asked for until nothing is left; one thread at a time speaks with the source."""
        with self._reading:
            while batch := self._next():
                try:
                    if not self._broken:
                        self._read_batch(batch)
                except MultiAllError as fault:
                    self._broken = f"the source failed ({fault.subject}: {fault.what})"
                except OSError as fault:
                    self._broken = f"the admin host's temporary folder failed ({fault.strerror})"
                except Exception as fault:  # noqa: BLE001  (a fault of ours; whoever waits must hear of it)
                    self._broken = f"reading the source failed ({fault!r})"
                if self._broken:  # its session may hold the rest of an answer: nothing more is asked of it
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
            whole = len(blocks) == block_count(file.item.size)
            lines.append(json.dumps([path, file.item.found.identity, None if whole else blocks]) + "\n")
        reply = self._session.call("read_blocks", batches(lines), root=self._root, identity=self._identity)
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
        """All of it: on a disk that is getting full a write may be short."""
        done = 0
        while done < len(piece):
            done += os.pwrite(self._spool.fileno(), piece[done:], self._end + done)

    def _fail(self, batch: Sequence[tuple[str, _Wanted, list[int]]], why: str) -> None:
        """Say of each file that has not come whole why it will not."""
        with self._changed:
            for _, file, blocks in batch:
                if not all(number in file.there for number in blocks) and not file.failed:
                    file.failed = why
            self._changed.notify_all()
