"""The demo lab's interface: up, kill, start, freeze, thaw, down, and a site for it."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from multiall_cli.domain.errors import UsageError
from multiall_cli.lab import folder as folders
from multiall_cli.lab.demo import layout
from multiall_cli.lab.errors import LabError

PREFIX = "multiall-lab-"
MOST = 250  # servers of one lab: each is a process
LIMIT = 30.0  # seconds that the supervisor may take for one order


class DemoLab:
    """A running lab. As a context manager it ends with the block, unless it is persistent.

    Below `folder`: `site` (inventory and known_hosts), `homes/NAME` (a server's disk; programs in `homes/NAME/bin` come
    first in its PATH), `key` (the only key that logs in), `lab.json` (its pids).
    """

    def __init__(
        self, folder: Path, alive: int | None = None, supervisor: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        """Use `DemoLab.up` to start a lab, `DemoLab.attach` to find a running one."""
        self.folder = folder
        self._alive = alive
        self._supervisor = supervisor
        self._control = socket.socket(socket.AF_UNIX)
        self._control.settimeout(LIMIT)
        with layout.control(folder) as path:
            self._control.connect(path)
        self._answers = self._control.makefile("rb")

    @classmethod
    def up(cls, count: int, folder: Path | None = None, *, name: str = "web", keep: bool = False) -> Self:
        """Start servers `web1` … `webN`. `folder`: a new or empty one; None: a temporary one.

        The lab ends with this process, however that ends, unless `keep`. Raises UsageError, LabError.
        """
        if not 1 <= count <= MOST:
            raise UsageError("lab", f"{count} servers", f"ask for 1 to {MOST}")
        remove_leftovers()
        if folder is not None and folders.is_running(folder):
            todo = f"end it with `multiall demo --end --folder {shlex.quote(str(folder))}`"
            raise UsageError(str(folder), "a lab is running here", todo)
        place = folders.claim(folder, Path(tempfile.gettempdir()), PREFIX)
        supervisor, ours = _start_supervisor(place, name, count, keep=keep)
        assert supervisor.stdout is not None  # noqa: S101  (it is a PIPE)
        assert supervisor.stderr is not None  # noqa: S101  (it is a PIPE)
        with supervisor.stdout, supervisor.stderr:
            if supervisor.stdout.readline() == b"ready\n":
                return cls(place, ours, supervisor)
            words = supervisor.stderr.read().decode("utf-8", "replace").strip().splitlines()
        os.close(ours)
        supervisor.wait()
        shutil.rmtree(place, ignore_errors=True)
        raise LabError("lab", f"it did not start ({words[-1] if words else 'no reason given'})", "run it with --debug")

    @classmethod
    def attach(cls, folder: Path) -> Self:
        """Return a lab that another process started. Raises UsageError if none runs in that folder."""
        if not folders.is_running(folder):
            raise UsageError(str(folder), "no lab is running here", "start one with `multiall demo --keep`")
        return cls(folder)

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def key(self) -> Path:
        """The private key that every server of the lab accepts, for any user name."""
        return self.folder / "key"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.addresses)

    @property
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """Return where each server listens, or will again: name → (address, port)."""
        status = json.loads((self.folder / "lab.json").read_text("utf-8"))
        return {name: (address, port) for name, (address, port) in status["servers"].items()}

    def home(self, name: str) -> Path:
        return layout.home(self.folder, name)

    def kill(self, name: str) -> None:
        """Simulate a power failure: port closed, sessions cut, commands killed; its home stays."""
        self._order("kill", name)

    def start(self, name: str) -> None:
        """Switch it on again; it listens when this returns."""
        self._order("start", name)

    def freeze(self, name: str) -> None:
        """Stop it and its commands: the kernel still accepts connections, but nothing answers."""
        self._order("freeze", name)

    def thaw(self, name: str) -> None:
        self._order("thaw", name)

    def down(self) -> None:
        """End every server and remove the folder; both are done when this returns."""
        self._order("end", "")  # the supervisor closes the connection when everything has ended
        self._disconnect()
        if self._supervisor is not None:
            self._supervisor.wait(LIMIT)

    def _order(self, verb: str, name: str) -> None:
        try:
            self._control.sendall(json.dumps([verb, name]).encode() + b"\n")
            answer = self._answers.readline()
        except OSError:
            answer = b""
        if not answer and verb != "end":
            raise LabError("lab", "its supervisor has ended", "start a new one with `multiall demo --keep`")
        if answer and (words := json.loads(answer)):
            raise UsageError(f"lab {name}", words, f"its servers are {', '.join(self.names)}")

    def _disconnect(self) -> None:
        self._answers.close()
        self._control.close()
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None

    def leave(self) -> None:
        """Disconnect: a persistent lab keeps running."""
        self._disconnect()
        if self._supervisor is not None and not folders.is_persistent(self.folder):
            self._supervisor.wait(LIMIT)
        elif self._supervisor is not None:
            self._supervisor.returncode = 0  # it keeps running without us, on purpose

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


def _start_supervisor(place: Path, name: str, count: int, *, keep: bool) -> "tuple[subprocess.Popen[bytes], int]":
    """Start a lab's supervisor; return it, and the descriptor whose end tells it that its user is gone."""
    theirs, ours = os.pipe()
    package = Path(__file__).parents[3]
    search = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH", "")]))
    supervisor = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "multiall_cli.lab.demo.supervisor",
            str(place),
            name,
            str(count),
            "keep" if keep else "end",
        ],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
        start_new_session=True,
    )
    os.close(theirs)
    return supervisor, ours


def remove_leftovers(where: Path | None = None) -> list[Path]:
    """Remove the folders of labs whose supervisor was killed; return them.

    `where`: the folder they are in; None: the one for temporary files.
    """
    return folders.remove_leftovers(where or Path(tempfile.gettempdir()), PREFIX)


def persistent_labs() -> list[DemoLab]:
    """Return this user's persistent labs in the default folder."""
    found = folders.own_folders(Path(tempfile.gettempdir()), PREFIX)
    return [DemoLab.attach(each) for each in found if folders.is_persistent(each) and folders.is_running(each)]
