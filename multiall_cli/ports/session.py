"""A conversation with one server: commands, and operations of `remote/`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import Server

HEAD = TAIL = 1 << 20
"""Bytes kept of the beginning and of the end of a command's output; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A command's output: the first and the last megabyte, and how many bytes between them were let go."""

    head: bytes = b""
    tail: bytes = b""
    dropped: int = 0

    def whole(self) -> bytes:
        if not self.dropped:
            return self.head + self.tail
        return self.head + b"\n[... %d bytes left out ...]\n" % self.dropped + self.tail


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended. `exit_code` is 128 + n where signal n ended it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: Captured
    stderr: Captured


OnOutput = Callable[[str, bytes], None]
"""Told each piece of output as it comes: ("stdout" | "stderr", bytes)."""


class Reply(Protocol):
    """An operation's answer: first every payload piece in order, then the value."""

    def pieces(self) -> Iterator[bytes]:
        """The payload, as it comes. Read it to its end before `value`."""
        ...

    def value(self) -> Mapping[str, object]:
        """The operation's result; pieces that were not read are passed over."""
        ...


class Session(Protocol):
    """A conversation with one server. Used by one thread at a time.

    Errors of `run` and `call`: Unreachable (the link is gone), MemberFault (it answered wrongly or not in time).
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
        """Run an operation of `remote/` in the member's python3. `timeout`: seconds without an answer's next piece;
        `ends`: in which the whole answer must have come, however much is said meanwhile.

        Payload pieces (at most MAX_PIECE bytes each) are sent as they are produced, then the answer is read; an
        operation that fails early ends the sending early.
        """
        ...

    def close(self) -> None: ...
