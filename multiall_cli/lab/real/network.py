"""The lab's network: a bridge in its own network namespace, and a link to it for each host."""

import ipaddress
import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.lab.real import syscalls

NETWORK = ipaddress.ip_network("198.18.0.0/16")
"""Reserved for network tests (RFC 2544): no real network, if a packet ever leaves the lab."""
ADMIN = "admin"
BRIDGE = "br0"
NOWHERE = "02:00:00:00:00:00"
"""An unused Ethernet address: packets to it are lost silently."""
_FIRST = 10  # number of the first host's address; lower ones are the admin's


def address(number: int) -> str:
    """Return the address of the number-th host; 0 is the admin."""
    return str(NETWORK[_FIRST + number if number else 1])


@dataclass(slots=True)
class Network:
    """The bridge and its links. Runs in the supervisor: its network namespace is the admin's side."""

    numbers: dict[str, int]
    sys: Path
    """Mount point of a sysfs that shows this network's devices, not the machine's."""
    lost: set[tuple[str, str]] = field(default_factory=set)
    """(from, to): directions in which packets are lost."""

    def make(self) -> None:
        self.sys.mkdir()
        syscalls.mount("sysfs", str(self.sys), "sysfs", syscalls.READ_ONLY)
        ip(
            "link set lo up",
            f"link add {BRIDGE} type bridge forward_delay 0",
            f"addr add {address(0)}/{NETWORK.prefixlen} dev {BRIDGE}",
            f"link set {BRIDGE} up",
        )

    def plug(self, pids: dict[str, int]) -> None:
        """Make links for hosts that have just got their namespaces. `pids`: name → PID 1."""
        lines = []
        for name, pid in pids.items():
            port = self.port(name)
            # The same Ethernet address at every boot: peers remember the old one for up to 45 s.
            lines += [
                f"link add {port} type veth peer name eth0 address {_ethernet(self.numbers[name])} netns {pid}",
                f"link set {port} master {BRIDGE} up",
            ]
        ip(*lines)

    def unplug(self, names: Iterable[str]) -> None:
        """Remove their links: open connections would keep those of dead hosts for minutes."""
        there = [name for name in names if self.is_plugged(name)]
        if there:
            # The kernel may remove one at the same time: that is fine.
            text = "".join(f"link del {self.port(name)}\n" for name in there)
            subprocess.run(["ip", "-force", "-batch", "-"], input=text.encode(), capture_output=True, check=False)

    def configure(self, name: str) -> None:
        """Configure the network inside a host: its address, and the directions in which its packets are lost."""
        ip("link set lo up", f"addr add {self.address(name)}/{NETWORK.prefixlen} dev eth0", "link set eth0 up")
        self._block([to for start, to in self.lost if start == name], "eth0")

    def is_plugged(self, name: str) -> bool:
        """Return whether it has a link."""
        return (self.sys / "class/net" / self.port(name)).exists()

    def port(self, name: str) -> str:
        return f"v{self.numbers[name]}"

    def address(self, name: str) -> str:
        return address(self.numbers.get(name, 0))

    def carrier(self, name: str, *, up: bool) -> None:
        """Plug or unplug the cable."""
        ip(f"link set {self.port(name)} {'up' if up else 'down'}")

    def lose(self, ways: Iterable[tuple[str, str]], pid_of: Callable[[str], int]) -> None:
        """Lose packets in these directions from now on."""
        for start, ends in _by_start(set(ways) - self.lost):
            self.lost |= {(start, end) for end in ends}
            self._at(start, pid_of, partial(self._block, ends, _device(start)))

    def keep(self, ways: Iterable[tuple[str, str]], pid_of: Callable[[str], int]) -> None:
        """Let packets in these directions arrive again."""
        for start, ends in _by_start(set(ways) & self.lost):
            self.lost -= {(start, end) for end in ends}
            lines = [f"neigh del {self.address(end)} dev {_device(start)}" for end in ends]
            self._at(start, pid_of, partial(ip, *lines))

    def _at(self, name: str, pid_of: Callable[[str], int], work: Callable[[], None]) -> None:
        if name == ADMIN:
            work()
        elif pid_of(name):
            syscalls.in_network_of(pid_of(name), work)

    def _block(self, ends: Sequence[str], device: str) -> None:
        if ends:
            ip(*(f"neigh replace {self.address(end)} lladdr {NOWHERE} nud permanent dev {device}" for end in ends))

    def received_bytes(self, name: str) -> int:
        """Return how many bytes were sent to a host so far."""
        return int((self.sys / "class/net" / self.port(name) / "statistics/tx_bytes").read_text())


def _by_start(ways: set[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    return [(start, sorted(end for each, end in ways if each == start)) for start in sorted({way[0] for way in ways})]


def _device(name: str) -> str:
    return BRIDGE if name == ADMIN else "eth0"


def _ethernet(number: int) -> str:
    return "02:4c:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(address(number)).packed)


def ip(*lines: str) -> None:
    """Run iproute2 commands in one process."""
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(["ip", "-batch", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip: {done.stderr.strip()}")


def namespace() -> int:
    """Return a descriptor of our network namespace."""
    return os.open("/proc/self/ns/net", os.O_RDONLY)
