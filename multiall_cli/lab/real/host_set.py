"""All hosts of a lab with their disks and links: boot, kill, reset. Runs in the supervisor."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.lab.real import host, syscalls
from multiall_cli.lab.real.cgroups import Cgroups
from multiall_cli.lab.real.disk import HostDisks
from multiall_cli.lab.real.host import Host
from multiall_cli.lab.real.network import ADMIN, Network

LIMIT = 60.0  # seconds until a host's sshd must answer
LEAST_PATIENCE, MOST_PATIENCE = 0.02, 5.0  # bounds of the seconds for one attempt to connect
LOOK_AGAIN = 0.003  # seconds between two attempts


@dataclass(frozen=True, slots=True)
class HostSet:
    """The hosts by name, with their disks, network and control groups."""

    hosts: Mapping[str, Host]
    disks: HostDisks
    network: Network
    groups: Cgroups | None
    """Only if systemd is their init."""

    def pid(self, name: str) -> int:
        return self.hosts[name].pid

    def clean(self, names: Iterable[str]) -> None:
        """Renew the disks. The hosts must not be running."""
        everyone = [(self.network.address(name), name) for name in (ADMIN, *self.hosts)]
        known = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for address, name in everyone)
        for name in names:
            self.disks.renew(name, self.hosts[name].key, known)

    def boot(self, names: Sequence[str]) -> None:
        """Boot; returns when their sshd answer and their services run. Raises OSError."""
        self.network.unplug(names)  # leftovers of hosts that ended by themselves
        boots = [host.start_host(self.hosts[name], self.disks, self.network, self.groups) for name in names]
        self.network.plug({name: self.pid(name) for name in names})
        for boot in boots:
            os.write(boot.go, b".")
            os.close(boot.go)
        deadline = time.monotonic() + LIMIT
        for boot in boots:
            failed = host.wait_ready(boot)
            if failed:
                raise OSError(f"{boot.host.name}: {', '.join(failed)} did not start (see its /run/services.log)")
            self.wait_for_sshd(boot.host.name, deadline)

    def wait_for_sshd(self, name: str, deadline: float | None = None) -> None:
        """Wait for the SSH banner. Raises OSError."""
        deadline = deadline or time.monotonic() + LIMIT
        patience = LEAST_PATIENCE
        while not self._greets(name, patience):
            patience = min(patience * 1.5, MOST_PATIENCE)
            if not self.runs(name):
                raise OSError(f"{name} ended while it booted")
            if time.monotonic() > deadline:
                raise OSError(f"the sshd of {name} did not answer within {LIMIT:g} s")
            time.sleep(LOOK_AGAIN)

    def _greets(self, name: str, patience: float) -> bool:
        """Try with little patience at first: a packet sent too early is repeated only after a second."""
        try:
            with socket.create_connection((self.network.address(name), 22), timeout=patience) as visitor:
                visitor.settimeout(MOST_PATIENCE)
                return visitor.recv(4) == b"SSH-"
        except OSError:
            return False

    def runs(self, name: str) -> bool:
        one = self.hosts[name]
        if one.pid and os.waitpid(one.pid, os.WNOHANG)[0]:
            one.pid = 0
        return one.pid != 0

    def kill(self, names: Iterable[str]) -> None:
        """Kill all processes of hosts; they are gone when this returns."""
        running = [name for name in names if self.runs(name)]
        for name in running:
            os.kill(self.pid(name), signal.SIGKILL)
        for name in running:
            os.waitpid(self.pid(name), 0)  # the kernel ends a PID 1 only after all others
            self.hosts[name].pid = 0
        self.network.unplug(running)

    def reset(self, names: Sequence[str]) -> None:
        self.kill(names)
        self.clean(names)
        self.boot(names)

    def processes(self, name: str) -> list[int]:
        """Return all pids of a host, in our namespace."""
        space = os.readlink(f"/proc/{self.pid(name)}/ns/pid")
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _space(pid) == space]

    def order(self, name: str, *argv: str) -> str:
        """Run a command in a host; return its output. Raises OSError."""
        done = subprocess.run(host.argv_inside(self.pid(name), argv), capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{argv[0]} failed on {name}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def end(self) -> None:
        if self.groups:
            self.kill(self.hosts)
            self.groups.end()
        syscalls.unmount(str(self.disks.place))


def _space(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""  # it has just ended
