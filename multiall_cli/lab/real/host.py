"""One host, from its first process to its last."""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import NoReturn

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.lab.real import services, syscalls
from multiall_cli.lab.real.cgroups import Cgroups
from multiall_cli.lab.real.disk import HostDisks, mount_system
from multiall_cli.lab.real.network import Network

SPACES = syscalls.NEWNET | syscalls.NEWNS | syscalls.NEWUTS | syscalls.NEWIPC | syscalls.NEWPID
INITS = ("sysv", "systemd")


@dataclass(slots=True)
class Host:
    """The supervisor's data of a host. `pid`: of its PID 1 in the supervisor's namespace; 0: not running."""

    name: str
    key: str
    pid: int = 0
    faults: dict[str, dict[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Boot:
    """A booting host: write `go` when its link is plugged; `ready` reaches its end when its services run."""

    host: Host
    go: int
    ready: int


def start_host(host: Host, disks: HostDisks, network: Network, groups: Cgroups | None) -> Boot:
    """Start a host's PID 1, which waits for its link. Raises OSError."""
    pid_pipe, pid_end = os.pipe()
    wait, go = os.pipe()
    ready, ready_end = os.pipe()

    def between() -> None:
        """Make the namespaces in a child: its own child is PID 1 there, and becomes ours when this one ends."""
        os.close(go)
        if groups:
            groups.enter(host.name)
        syscalls.unshare(SPACES)
        if syscalls.has_time_namespaces():
            syscalls.unshare(syscalls.NEWTIME)
            up = time.clock_gettime(time.CLOCK_BOOTTIME)  # the host's uptime starts at 0
            Path("/proc/self/timens_offsets").write_text(f"boottime -{int(up)} 0\n")
        pid = syscalls.child(lambda: _run_init(host.name, disks, network, groups, wait, ready_end))
        os.write(pid_end, str(pid).encode())

    pid = syscalls.child(between)
    for ours in (pid_end, wait, ready_end):
        os.close(ours)
    os.waitpid(pid, 0)
    number = os.read(pid_pipe, 20)
    os.close(pid_pipe)
    if not number:
        os.close(go)
        os.close(ready)
        raise OSError(f"{host.name} got no namespaces")
    host.pid = int(number)
    return Boot(host, go, ready)


def _run_init(
    name: str, disks: HostDisks, network: Network, groups: Cgroups | None, wait: int, ready_end: int
) -> NoReturn:
    """Run as PID 1 of the new host: set it up, then become its init."""
    root = disks.assemble(name)
    mount_system(root, {"/proc/sys/kernel/random/boot_id": f"{uuid.uuid4()}\n"})
    if groups:
        groups.show(root)
    socket.sethostname(name)
    os.read(wait, 1)
    network.configure(name)
    syscalls.change_root(root)
    os.setsid()
    nothing = os.open("/dev/null", os.O_RDWR)
    if ready_end != 3:
        os.dup2(ready_end, 3)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.closerange(4, 4096)
    os.set_inheritable(3, not groups)  # systemd reports readiness in other ways
    syscalls.drop_machine_rights()
    program = "/sbin/init" if groups else services.INIT_PATH
    os.execve(program, [program], services.ENVIRONMENT)  # noqa: S606


def wait_ready(boot: Boot) -> tuple[str, ...]:
    """Wait until its services run; return those that failed."""
    failed = b""
    while piece := os.read(boot.ready, 4096):
        failed += piece
    os.close(boot.ready)
    return tuple(failed.decode("utf-8", "replace").split())


def argv_inside(pid: int, argv: Sequence[str]) -> list[str]:
    """Return an argv that runs a command in a host, without sshd. `pid`: of its PID 1 in the caller's namespace."""
    clock = ["--time"] if syscalls.has_time_namespaces() else []
    return ["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid", *clock, "--wdns=/", *argv]
