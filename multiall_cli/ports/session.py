"""Session with one server: commands, and operations of `remote/`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import Server

HEAD = TAIL = 1 << 20
"""Bytes saved of the beginning and of the end of a command's output; the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Captured:
    """Output of a command: the first and the last megabyte, and the number of bytes dropped between them."""

    head: bytes = b""
    tail: bytes = b""
    dropped: int = 0

    def whole(self) -> bytes:
        if not self.dropped:
            return self.head + self.tail
        return self.head + b"\n[... %d bytes left out ...]\n" % self.dropped + self.tail


@dataclass(frozen=True, slots=True)
class Completed:
    """Command that ended. `exit_code` is 128 + n if signal n ended it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: Captured
    stderr: Captured


OnOutput = Callable[[str, bytes], None]
"""Called with each piece of output as it arrives: ("stdout" | "stderr", bytes)."""


class Reply(Protocol):
    """Answer of an operation: first every payload piece in order, then the value."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the payload as it arrives. Read it to its end before `value`."""
        ...

    def value(self) -> Mapping[str, object]:
        """Return the operation's result; unread pieces are skipped."""
        ...


class Session(Protocol):
    """Session with one server. Used by one thread at a time.

    `run` and `call` raise Unreachable (the link is gone) and MemberFault (a wrong answer, or none in time).
    """

    @property
    def server(self) -> Server: ...

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> Completed:
        """Run a command with the server's `become` rights. `timeout`: seconds without any output; None: the site's."""
        ...

    def call(
        self,
        operation: str,
        payload: Iterable[bytes] = (),
        timeout: float | None = None,
        ends: float | None = None,
        **arguments: object,
    ) -> Reply:
        """Run an operation of `remote/` in the member's python3.

        `timeout`: seconds until the next piece of the answer; `ends`: seconds until the end of the answer, however many
        pieces arrive.

        Payload pieces (at most MAX_PIECE bytes each) are sent as they are produced, then the answer is read; an
        operation that fails early ends the sending early.
        """
        ...

    def close(self) -> None: ...
