"""A lab's traces on its machine, and which of them are left."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from multiall_cli.lab.real.lab import RealLab

KINDS = ("net", "pid", "mnt", "uts", "ipc")


def spaces_of(pid: int | str) -> set[str]:
    found = set()
    for kind in KINDS:
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
        except OSError:
            continue  # it has just ended
    return found


@dataclass(frozen=True)
class Traces:
    """The lab's folder, and the namespaces of its supervisor and hosts that this process is not in."""

    folder: Path
    spaces: frozenset[str]

    def left(self) -> list[str]:
        """Return the processes in those namespaces, mounts and files that are left."""
        processes = [pid for pid in os.listdir("/proc") if pid.isdigit() and spaces_of(pid) & self.spaces]
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.folder) in line]
        files = [str(self.folder)] if self.folder.exists() else []
        return [f"process {pid}" for pid in processes] + mounts + files


@contextmanager
def traces(lab: RealLab) -> Iterator[Traces]:
    """Yield the traces of a running lab; holds its namespaces, so that the kernel does not reuse their numbers."""
    processes = [int(lab.argv_beside([])[2]), *(lab.pid(name) for name in lab.names)]
    held = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for pid in processes for kind in KINDS]
    try:
        yield Traces(lab.folder, frozenset().union(*map(spaces_of, processes)) - spaces_of("self"))
    finally:
        for handle in held:
            os.close(handle)
