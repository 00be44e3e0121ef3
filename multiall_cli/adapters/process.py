"""A running command, local or remote: bytes in, two streams out, an exit code."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.ports.session import HEAD, TAIL, Captured, Completed, OnOutput


class Process(Protocol):
    """One running command. One thread may use `send` while another uses `receive`."""

    def send(self, piece: bytes) -> None:
        """Send input; waits while the other side does not read. Raises Unreachable, BrokenPipeError."""
        ...

    def finish(self) -> None:
        """Close the input."""
        ...

    def receive(self, timeout: float) -> tuple[str, bytes] | None:
        """Return the next output, ("stdout" | "stderr", bytes); None when both streams have ended.

        Raises TimeoutError after `timeout` seconds without output, Unreachable if the connection was cut.
        """
        ...

    def ready(self) -> bool:
        """Return whether `receive` would return at once."""
        ...

    def exit_code(self) -> int:
        """Return the exit code, once `receive` returned None; 128 + n for signal n."""
        ...

    def close(self) -> None:
        """Close the streams; a command that still runs loses them."""
        ...


StartProcess = Callable[[Sequence[str]], Process]
"""Starts an argv on a server. Raises Unreachable."""


class Capture:
    """Stores the head and the tail of a stream, and counts the bytes between."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._limits = head, tail
        self._dropped = 0

    def add(self, piece: bytes) -> None:
        head, tail = self._limits
        room = head - len(self._head)
        self._head += piece[:room] if room > 0 else b""
        self._tail += piece[max(room, 0) :]
        if len(self._tail) > 2 * tail:  # trimmed rarely, so that a flood is not copied for each piece
            self._trim()

    def __len__(self) -> int:
        """Return how many bytes are in memory now."""
        return len(self._head) + len(self._tail)

    def _trim(self) -> None:
        over = len(self._tail) - self._limits[1]
        if over > 0:
            self._dropped += over
            del self._tail[:over]

    def result(self) -> Captured:
        self._trim()
        return Captured(bytes(self._head), bytes(self._tail), self._dropped)


def _feed(process: Process, stdin: bytes) -> None:
    try:
        for start in range(0, len(stdin), 1 << 16):
            process.send(stdin[start : start + (1 << 16)])
        process.finish()
    except (OSError, Unreachable):
        return  # the command closed its input, or the connection was cut: its end shows why


def _so_far(captures: Mapping[str, Capture]) -> tuple[bytes, bytes]:
    return captures["stdout"].result().whole(), captures["stderr"].result().whole()


def communicate(
    process: Process, argv: Sequence[str], stdin: bytes, timeout: float, on_output: OnOutput | None, server: str
) -> Completed:
    """Send the command its input and read its output until it ends.

    Raises MemberFault after `timeout` seconds without output, Unreachable; both carry the output so far in `so_far`.
    """
    feeder = threading.Thread(target=_feed, args=(process, stdin), daemon=True)
    if len(stdin) > 1 << 16:
        feeder.start()
    else:
        _feed(process, stdin)
    captures = {"stdout": Capture(), "stderr": Capture()}
    try:
        while (output := process.receive(timeout)) is not None:
            stream, piece = output
            captures[stream].add(piece)
            if on_output is not None:
                on_output(stream, piece)
        code = process.exit_code()
    except TimeoutError:
        fault = MemberFault(
            server,
            f"`{argv[0]}` printed nothing for {timeout:g} s and was abandoned; it may still run there",
            "raise the limit with --timeout SECONDS",
        )
        fault.so_far = _so_far(captures)
        raise fault from None
    except (MemberFault, Unreachable) as fault:
        fault.so_far = _so_far(captures)
        raise
    finally:
        process.close()
    return Completed(tuple(argv), code, captures["stdout"].result(), captures["stderr"].result())
