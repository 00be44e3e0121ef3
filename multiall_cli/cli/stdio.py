"""The process's own streams: what was closed, what is closed under us, and the end of all."""

import io
import os
import select
import sys
from typing import NoReturn


def prepare(*, to_runner: bool = False) -> None:
    """Streams that were closed before we began are as /dev/null; what their encoding lacks is shown as an escape.

    `to_runner`: a CI runner reads them, and nothing from outside may be a command of it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  (open to the end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # as in argv: bytes that are no text are no name that we know
    if to_runner:
        from multiall_cli.cli.render.runners import Unobeyed

        for name in ("stdout", "stderr"):
            if not isinstance(getattr(sys, name), Unobeyed):
                setattr(sys, name, Unobeyed(getattr(sys, name)))


def silence(code: int) -> int:
    """Whoever read our output has enough: that is no error. Nothing more may be written to it at exit either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return int(code)


def leave(code: int) -> NoReturn:
    """At once: threads that still wait for members are not waited for."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
    os._exit(code)


def is_gone() -> bool:
    """Whether nobody reads standard output any more, as after `| head`; without writing to it."""
    looking = select.poll()
    try:
        looking.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False  # it is no file of this system's
    return any(what & (select.POLLERR | select.POLLHUP) for _, what in looking.poll(0))
