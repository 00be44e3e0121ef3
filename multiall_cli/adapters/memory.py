"""A whole pool without a network: each server has its own home on this machine, and fails when it is told to."""

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from multiall_cli.adapters.local import LocalProcess
from multiall_cli.adapters.passwords import Reveal
from multiall_cli.adapters.process import Process
from multiall_cli.adapters.process_session import ProcessSession
from multiall_cli.adapters.secrets import reveal as reveal_secret
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.remote.frames import HELLO

PYTHON = "python3"
PATH = (str(Path(sys.executable).parent), os.environ.get("PATH") or os.defpath)
NOT_FOUND = ("sh", "-c", 'echo "sh: 1: $1: not found" >&2; exit 127', "sh")


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that a script is to answer."""

    server: str
    argv: tuple[str, ...]
    stdin: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What a scripted command answers."""

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""


Script = Callable[[Asked], Told]


@dataclass()
class _Member:
    """One server: its home, and how it fails at present. `cut_after`: bytes, both ways together, None: never."""

    home: Path
    down: bool = False
    silent: bool = False
    no_python: bool = False
    cut_after: int | None = None
    noise: bytes = b""
    endless: bool = False
    garbage: bytes = b""
    open: list["_FaultyPipe"] = field(default_factory=list)


class MemoryTransport:
    """Sessions with pretended servers; any name is one. Commands are real processes in the server's home, or scripts.

    Used as a context manager, or closed, it removes the homes.
    """

    def __init__(self, timeout: float = 60.0, reveal: Reveal = reveal_secret) -> None:
        """`timeout`: seconds of silence where a call names none."""
        self._timeout = timeout
        self._reveal = reveal
        self._folder = Path(tempfile.mkdtemp(prefix="multiall-memory-"))
        self._members: dict[str, _Member] = {}
        self._scripts: dict[str, Script] = {}
        self._lock = threading.RLock()

    def open(self, server: Server) -> ProcessSession:
        """Errors: Unreachable where the server is down."""
        member = self._member(server.name)
        if member.down:
            raise Unreachable(server.name, "nothing listens on memory", "switch it on again", "refused")
        return ProcessSession(server, partial(self._start, server.name), self._timeout, self._reveal)

    def home(self, name: str) -> Path:
        """What the server has for a disk; `~/` on it means this, and programs in its bin come first."""
        return self._member(name).home

    def script(self, program: str, answer: Script) -> None:
        """Let a callable answer for a program, on every server."""
        self._scripts[program] = answer

    def down(self, name: str) -> None:
        """As if the power failed: sessions are cut, none can be opened."""
        with self._lock:
            member = self._member(name)
            member.down = True
            for pipe in member.open:
                pipe.cut()

    def up(self, name: str) -> None:
        """Well again, in every respect."""
        with self._lock:
            self._members[name] = _Member(self._member(name).home)

    def cut(self, name: str, after: int) -> None:
        """The link breaks for good once so many bytes have gone over it, both ways together."""
        self._member(name).cut_after = after

    def silence(self, name: str) -> None:
        """Nothing more comes from it; waits end at once as if their time were over."""
        self._member(name).silent = True

    def noise(self, name: str, noise: bytes, *, endless: bool = False) -> None:
        """What its login scripts print before any command's own output."""
        member = self._member(name)
        member.noise, member.endless = noise, endless

    def garbage(self, name: str, garbage: bytes) -> None:
        """What its remote loop says behind its greeting, in place of answers."""
        self._member(name).garbage = garbage

    def no_python(self, name: str) -> None:
        self._member(name).no_python = True

    def _member(self, name: str) -> _Member:
        with self._lock:
            if name not in self._members:
                home = self._folder / name
                (home / "bin").mkdir(parents=True)
                self._members[name] = _Member(home)
            return self._members[name]

    def _start(self, name: str, argv: Sequence[str]) -> Process:
        member = self._member(name)
        if member.down:
            raise _gone(name)
        pipe = _FaultyPipe(self._pipe(name, member, argv), member, name, is_loop=argv[0] == PYTHON)
        member.open = [other for other in member.open if not other.closed] + [pipe]
        return pipe

    def _pipe(self, name: str, member: _Member, argv: Sequence[str]) -> Process:
        if argv[0] in self._scripts:
            return _ScriptedPipe(self._scripts[argv[0]], name, argv)
        if member.no_python and argv[0] == PYTHON:
            argv = [*NOT_FOUND, PYTHON]
        path = os.pathsep.join([str(member.home / "bin"), *PATH])
        environment = {**os.environ, "HOME": str(member.home), "PATH": path}
        try:
            return LocalProcess(argv, str(member.home), environment)
        except FileNotFoundError:
            return LocalProcess([*NOT_FOUND, argv[0]], str(member.home), environment)

    def close(self) -> None:
        with self._lock:
            for member in self._members.values():
                for pipe in member.open:
                    pipe.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _gone(name: str) -> Unreachable:
    return Unreachable(name, "the connection was cut: it was told to be", "run again when it is back", "away")


class _FaultyPipe:
    """A pipe over a link that may fail."""

    def __init__(self, pipe: Process, member: _Member, name: str, *, is_loop: bool) -> None:
        self._pipe = pipe
        self._member = member
        self._name = name
        self._noise = member.noise
        self._garbage = member.garbage if is_loop else b""
        self._greeted = False
        self._is_cut = False
        self.closed = False

    def cut(self) -> None:
        self._is_cut = True
        if isinstance(self._pipe, LocalProcess):
            self._pipe.kill()

    def _count(self, size: int) -> None:
        if self._member.cut_after is not None:
            self._member.cut_after -= size
            if self._member.cut_after < 0:
                self._member.down = True
                self.cut()
        if self._is_cut:
            raise _gone(self._name)

    def send(self, piece: bytes) -> None:
        self._count(len(piece))
        try:
            self._pipe.send(piece)
        except OSError:
            self._count(0)
            raise

    def finish(self) -> None:
        self._pipe.finish()

    def receive(self, timeout: float) -> tuple[str, bytes] | None:
        self._count(0)
        if self._member.silent:
            raise TimeoutError
        if self._noise:
            noise = self._noise
            self._noise = noise if self._member.endless else b""
            return "stdout", noise
        if self._garbage and self._greeted:
            return "stdout", self._garbage
        output = self._pipe.receive(timeout)
        if self._garbage and output is not None:  # the greeting may bring the first answer with it: that is withheld
            output = (output[0], output[1][: len(HELLO)])
        self._greeted = self._greeted or output is not None
        self._count(len(output[1]) if output else 0)
        return output

    def ready(self) -> bool:
        return self._is_cut or bool(self._noise) or self._pipe.ready()

    def exit_code(self) -> int:
        self._count(0)
        return self._pipe.exit_code()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._pipe.close()


class _ScriptedPipe:
    """A command that a callable answers once it has all of its input."""

    def __init__(self, script: Script, server: str, argv: Sequence[str]) -> None:
        self._script = script
        self._server = server
        self._argv = tuple(argv)
        self._stdin = bytearray()
        self._whole = threading.Event()
        self._left: list[tuple[str, bytes]] | None = None
        self._code = 0

    def send(self, piece: bytes) -> None:
        self._stdin += piece

    def finish(self) -> None:
        self._whole.set()

    def receive(self, timeout: float) -> tuple[str, bytes] | None:
        if self._left is None:
            if not self._whole.wait(timeout):
                raise TimeoutError
            told = self._script(Asked(self._server, self._argv, bytes(self._stdin)))
            self._code = told.exit_code
            self._left = [(name, text) for name, text in (("stderr", told.stderr), ("stdout", told.stdout)) if text]
        return self._left.pop() if self._left else None

    def ready(self) -> bool:
        return self._whole.is_set()

    def exit_code(self) -> int:
        return self._code

    def close(self) -> None:
        self._whole.set()
