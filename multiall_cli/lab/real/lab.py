"""The lab of real hosts: up, reset, break, mend, down, and a site for it."""

import json
import os
import secrets
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.lab import folder as folders
from multiall_cli.lab.errors import LabError
from multiall_cli.lab.real import cgroups
from multiall_cli.lab.real import site as layout
from multiall_cli.lab.real.control import ControlClient
from multiall_cli.lab.real.faults import FaultKind, check_types
from multiall_cli.lab.real.host import INITS, argv_inside
from multiall_cli.lab.real.requirements import check_requirements, search_path

WHERE = Path("/run/multiall-lab")
MOST = 1000  # hosts of one lab
LIMIT = 120.0  # seconds that the supervisor may take for one order
LONGEST = 90  # bytes of the folder's path: a Unix socket's path below it may have 107


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A host's state; its faults in force, with their values."""

    name: str
    address: str
    runs: bool
    faults: Mapping[str, Mapping[str, object]]


class RealLab:
    """A running lab. As a context manager it ends with the block, unless it is persistent.

    Below `folder`: `site` (for `multiall --site`), `key` (the only key that logs in, as any user), `ssh_config` (for
    other programs), `network` (a socket that sends the lab's network namespace), `lab.json`.
    Safe to use from several threads.
    """

    def __init__(self, folder: Path, alive: int | None = None, parent: "subprocess.Popen[bytes] | None" = None) -> None:
        """Use `RealLab.up` to start a lab, `RealLab.attach` to find a running one."""
        self.folder = folder
        self._alive = alive
        self._parent = parent
        self._control = ControlClient(folder / "control", LIMIT)
        task = json.loads((folder / "lab.json").read_text("utf-8"))
        self._servers: dict[str, str] = task["servers"]
        self._keep = bool(task["keep"])
        self.pool: str = task["pool"]
        self.seed: int = task["seed"]

    @classmethod
    def up(
        cls,
        hosts: int = 3,
        folder: Path | None = None,
        *,
        name: str = "web",
        services: Sequence[str] = (),
        init: str = "sysv",
        disk: str = "256m",
        seed: int | None = None,
        keep: bool = False,
    ) -> Self:
        """Boot hosts `web1` … `webN`; returns when their sshd answer and their services run.

        `folder`: a new or empty one; None: a temporary one. `services`: names for `service NAME start`;
        `init`: `sysv` or `systemd`; `disk`: the most that each may write; `seed`: for lossy links.
        The lab ends with this process, however that ends, unless `keep`. Raises UsageError, LabError.
        """
        check_requirements()
        if not 1 <= hosts <= MOST:
            raise UsageError("lab", f"{hosts} hosts", f"ask for 1 to {MOST}")
        if init not in INITS:
            raise UsageError("lab", f"unknown init `{init}`", f"use one of {', '.join(INITS)}")
        WHERE.mkdir(mode=0o700, exist_ok=True)
        remove_leftovers()
        place = folders.claim(folder, WHERE, "lab-")
        if len(os.fsencode(place)) > LONGEST:
            place.rmdir()
            raise UsageError(str(place), f"the path is longer than {LONGEST} bytes", "choose a folder nearer to /")
        seed = secrets.randbelow(1 << 32) if seed is None else seed
        task = {"keep": keep, "services": list(services), "init": init, "disk": disk, "seed": seed}
        layout.make(place, name, layout.names(name, hosts), task)
        return cls._started(place, keep=keep)

    @classmethod
    def _started(cls, place: Path, *, keep: bool) -> Self:
        theirs, ours = os.pipe()
        package = Path(__file__).parents[3]
        search = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH", "")]))
        spaces = ["--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
        keeper = [sys.executable, "-m", "multiall_cli.lab.real.supervisor", str(place), "keep" if keep else "end"]
        with (place / "keeper.log").open("wb") as log:
            parent = subprocess.Popen(
                ["unshare", *spaces, *keeper],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": search, "PATH": search_path()},
                cwd="/",
                start_new_session=True,
            )
            words = log.name
        os.close(theirs)
        assert parent.stdout is not None  # noqa: S101  (it is a PIPE)
        said = os.open(words, os.O_RDONLY)
        with parent.stdout, open(said, "rb") as reading:
            if parent.stdout.readline() == b"ready\n":
                return cls(place, ours, parent)
            parent.wait()
            last = reading.read().decode("utf-8", "replace").strip().splitlines()
        os.close(ours)
        shutil.rmtree(place, ignore_errors=True)
        why = last[-1] if last else "no reason given"
        raise LabError("lab", f"it did not start ({why})", "check that the kernel has overlay, veth and bridge")

    @classmethod
    def attach(cls, folder: Path) -> Self:
        """Return a lab that another process started. Raises UsageError if none runs in that folder."""
        none = UsageError(str(folder), "no lab is running here", "start one with `multiall lab up`")
        if not folders.is_running(folder) or not (folder / "control").exists():
            raise none
        try:
            return cls(folder)
        except OSError:  # it is ending, or has just started
            raise none from None

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def key(self) -> Path:
        """The private key that every host accepts, for any of its users."""
        return self.folder / "key"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._servers)

    @property
    def addresses(self) -> Mapping[str, str]:
        return self._servers

    def status(self) -> tuple[HostStatus, ...]:
        answer: Any = self._order("status")
        return tuple(HostStatus(one["name"], self._servers[one["name"]], one["runs"], one["faults"]) for one in answer)

    def reset(self, *names: str) -> None:
        """Reset all hosts, or these: clean disk, fresh boot, no faults; returns when their sshd answer."""
        self._order("reset", [self._known(name) for name in names or self.names])

    def do(self, name: str, fault: FaultKind, **values: object) -> None:
        """Inject a fault. `values`: as `FAULTS[fault].takes`, in seconds, bytes and shares. Raises UsageError."""
        self._order("break", self._known(name), fault, check_types(fault, values), about=name)

    def undo(self, name: str, *faults: FaultKind) -> None:
        """Undo these faults, or all in force on a host."""
        self._order("mend", self._known(name), faults, about=name)

    @contextmanager
    def broken(self, name: str, fault: FaultKind, **values: object) -> Iterator[None]:
        """Inject a fault for as long as the block runs."""
        self.do(name, fault, **values)
        try:
            yield
        finally:
            self.undo(name, fault)

    def kill(self, name: str) -> None:
        self.do(name, FaultKind.KILL)

    def start(self, name: str) -> None:
        """Switch a host on again after a kill or power failure; its disk is unchanged."""
        self.undo(name, FaultKind.KILL, FaultKind.POWER_OFF, FaultKind.DIE_MID_TRANSFER)

    def run(self, name: str, argv: Sequence[str], stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a command in a host as root, without sshd and whatever its faults."""
        return subprocess.run(self.argv(name, argv), input=stdin, capture_output=True, check=False)

    def argv(self, name: str, argv: Sequence[str]) -> list[str]:
        """Return the argv for `run`."""
        return argv_inside(self.pid(name), argv)

    def pid(self, name: str) -> int:
        """Return the pid of a host's PID 1 in this process's namespace. Raises UsageError if it is not running."""
        handle: Any = self._order("reach", self._known(name), about=name)
        try:
            lines = Path(f"/proc/self/fdinfo/{handle}").read_text("ascii").splitlines()
        finally:
            os.close(handle)
        return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))

    def beside(self, argv: Sequence[str], stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a command on this machine, in the lab's network: where an admin would be."""
        return subprocess.run(self.argv_beside(argv), input=stdin, capture_output=True, check=False)

    def argv_beside(self, argv: Sequence[str]) -> list[str]:
        return ["nsenter", "--target", str(self._supervisor_pid()), "--net", *argv]

    def processes(self) -> tuple[int, int]:
        """Return the pids of the supervisor, and of `unshare`, which started it and ends after it."""
        lines = Path(f"/proc/{self._supervisor_pid()}/status").read_text("ascii").splitlines()
        return self._supervisor_pid(), next(int(line.split()[1]) for line in lines if line.startswith("PPid:"))

    def _supervisor_pid(self) -> int:
        """Return its pid in this process's namespace, as the kernel reports it for the connection."""
        return self._control.peer

    def down(self) -> None:
        """End every host and remove the folder; all is gone when this returns. Raises LabError."""
        pidfds = [os.pidfd_open(pid) for pid in self.processes()]
        try:
            self._order("end")
            for pidfd in pidfds:
                if not select.select([pidfd], [], [], LIMIT)[0]:
                    raise LabError(
                        "lab", f"its supervisor did not end within {LIMIT:g} s", f"kill -9 {self._supervisor_pid()}"
                    )
        finally:
            for pidfd in pidfds:
                os.close(pidfd)
            self._disconnect()
        if self._parent is not None:
            self._parent.wait(LIMIT)
        shutil.rmtree(self.folder, ignore_errors=True)  # its mount point, which the supervisor could not remove

    def leave(self) -> None:
        """Disconnect: a persistent lab keeps running, and so does one that another process started."""
        if self._alive is not None and not self._keep:
            self.down()
            return
        self._disconnect()
        if self._parent is not None:
            self._parent.returncode = 0  # it keeps running without us, on purpose

    def _known(self, name: str) -> str:
        if name not in self._servers:
            raise UsageError(f"lab {name}", "there is no such host", f"its hosts are {', '.join(self.names)}")
        return name

    def _order(self, verb: str, *words: object, about: str = "") -> object:
        text, handles = self._control.order(verb, words)
        if verb == "end":
            return None
        if not text:
            raise LabError("lab", "its supervisor has ended", "start a new one with `multiall lab up`")
        answer = json.loads(text)
        if "fault" in answer:
            raise UsageError(f"lab {about}".strip(), answer["fault"], "`multiall lab status` shows its hosts")
        return handles[0] if handles else answer["value"]

    def _disconnect(self) -> None:
        self._control.close()
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


def remove_leftovers() -> list[Path]:
    """Remove the folders and groups of labs whose supervisor was killed; return the folders."""
    cgroups.remove_leftovers()
    return folders.remove_leftovers(WHERE, "")


def persistent_labs() -> list[RealLab]:
    """Return the persistent labs in the default folder."""
    found = []
    for each in folders.own_folders(WHERE, ""):
        if folders.is_persistent(each) and folders.is_running(each):
            with suppress(UsageError):  # it has just ended
                found.append(RealLab.attach(each))
    return found
