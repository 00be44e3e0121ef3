"""A command that runs somewhere, as seen from here: bytes in, two streams out, an exit code."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.ports.session import HEAD, TAIL, Captured, Completed, OnOutput


class Process(Protocol):
    """One running command. `send` and `receive` may be used by two threads, one each."""

    def send(self, piece: bytes) -> None:
        """Hand over input; waits while the other side does not read. Errors: Unreachable, BrokenPipeError."""
        ...

    def finish(self) -> None:
        """Say that no more input comes."""
        ...

    def receive(self, timeout: float) -> tuple[str, bytes] | None:
        """The next output, ("stdout" | "stderr", bytes); None when both streams have ended.

        Errors: TimeoutError after `timeout` seconds without any, Unreachable when the link was cut.
        """
        ...

    def ready(self) -> bool:
        """Whether `receive` would answer at once."""
        ...

    def exit_code(self) -> int:
        """How the command ended, once `receive` gave None; 128 + n for signal n."""
        ...

    def close(self) -> None:
        """Let go of it; a command that still runs loses its streams."""
        ...


StartProcess = Callable[[Sequence[str]], Process]
"""Starts an argv on a server. Errors: Unreachable."""


class Capture:
    """Keeps the head and the tail of a stream and counts what lies between."""

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
        if len(self._tail) > 2 * tail:  # trimmed now and then, so that a flood costs no copying per piece
            self._trim()

    def _trim(self) -> None:
        over = len(self._tail) - self._limits[1]
        if over > 0:
            self._dropped += over
            del self._tail[:over]

    def captured(self) -> Captured:
        self._trim()
        return Captured(bytes(self._head), bytes(self._tail), self._dropped)


def _feed(pipe: Process, stdin: bytes) -> None:
    try:
        for start in range(0, len(stdin), 1 << 16):
            pipe.send(stdin[start : start + (1 << 16)])
        pipe.finish()
    except (OSError, Unreachable):
        return  # the command did not want its input, or the link was cut: how it ended tells why


def _so_far(kept: Mapping[str, Capture]) -> tuple[bytes, bytes]:
    return kept["stdout"].captured().whole(), kept["stderr"].captured().whole()


def communicate(
    pipe: Process, argv: Sequence[str], stdin: bytes, timeout: float, on_output: OnOutput | None, who: str
) -> Completed:
    """Give the command its input, take its output until it ends. Errors: MemberFault after a silent `timeout`,
    Unreachable; both carry the output received until then in `so_far`.
    """
    feeder = threading.Thread(target=_feed, args=(pipe, stdin), daemon=True)
    if len(stdin) > 1 << 16:
        feeder.start()
    else:
        _feed(pipe, stdin)
    kept = {"stdout": Capture(), "stderr": Capture()}
    try:
        while (output := pipe.receive(timeout)) is not None:
            stream, piece = output
            kept[stream].add(piece)
            if on_output is not None:
                on_output(stream, piece)
        code = pipe.exit_code()
    except TimeoutError:
        fault = MemberFault(
            who,
            f"`{argv[0]}` gave no output for {timeout:g} s and was let go; it may still run there",
            "give it longer with --timeout SECONDS",
        )
        fault.so_far = _so_far(kept)
        raise fault from None
    except (MemberFault, Unreachable) as fault:
        fault.so_far = _so_far(kept)
        raise
    finally:
        pipe.close()
    return Completed(tuple(argv), code, kept["stdout"].captured(), kept["stderr"].captured())
