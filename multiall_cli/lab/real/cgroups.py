"""Control groups of hosts with systemd as first process: it needs some, and must not see the machine's."""

import os
from collections.abc import Iterator
from pathlib import Path

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.lab import folder as folders
from multiall_cli.lab.real import syscalls

_PREFIX = "multiall-lab"
_SLASH = "!"  # replaces each / of the lab's folder in a group's name, which thus names the lab


@dataclass(frozen=True, slots=True)
class Cgroups:
    """A lab's groups: one per host, below one for the lab, in the supervisor's view of the hierarchy."""

    top: Path
    folder: Path

    def make(self) -> None:
        self.top.mkdir()
        syscalls.mount("cgroup2", str(self.top), "cgroup2", syscalls.NOSUID | syscalls.NODEV | syscalls.NOEXEC)

    def enter(self, name: str) -> None:
        """Move this process to a host's group, the topmost one that it and its children will see."""
        group = self._group / name
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text("0")
        syscalls.unshare(syscalls.NEWCGROUP)

    def show(self, root: str) -> None:
        """Mount the group below a host's root, where systemd expects it."""
        syscalls.mount(
            "cgroup2", f"{root}/sys/fs/cgroup", "cgroup2", syscalls.NOSUID | syscalls.NODEV | syscalls.NOEXEC
        )

    def end(self) -> None:
        """Remove the groups; no host may be running."""
        _remove(self._group)

    @property
    def _group(self) -> Path:
        return self.top / (_PREFIX + str(self.folder).replace("/", _SLASH))


def remove_leftovers() -> None:
    """Remove the empty groups of labs whose supervisor was killed."""
    for top in _mounted():
        for group in top.glob(f"{_PREFIX}{_SLASH}*"):
            if not folders.is_running(Path(group.name.removeprefix(_PREFIX).replace(_SLASH, "/"))):
                _remove(group)


def _mounted() -> Iterator[Path]:
    for line in Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            yield Path(where)


def _remove(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:
            return  # its last process is still ending: the next start removes the group
