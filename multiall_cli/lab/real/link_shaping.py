"""A slow, lossy link to a host: by the kernel's netem, or by a relay process of ours if it has none."""

import array
import contextlib
import fcntl
import heapq
import os
import random
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import field
from typing import NoReturn

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.lab.real import syscalls
from multiall_cli.lab.real.network import BRIDGE, ip

_OFFLOADS = (0x17, 0x19, 0x1F, 0x24, 0x2C)  # of linux/ethtool.h: transmit checksum, scatter, TSO, GSO, GRO
_SIOCETHTOOL = 0x8946
_OUTGOING = 4  # PACKET_OUTGOING: sent by ourselves
LONGEST_QUEUE = 0.5  # seconds of queued frames; more are dropped
BURST = 64  # frames read at once before due ones are sent


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """In each direction: delay and jitter in seconds, loss from 0 to 1, rate in bytes a second (0: no limit)."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: float = 0.0

    def netem(self) -> list[str]:
        words = ["delay", f"{self.delay * 1e6:.0f}us", f"{self.jitter * 1e6:.0f}us", "loss", f"{self.loss:.4%}"]
        return words + (["rate", f"{self.rate * 8:.0f}bit"] if self.rate else [])


def has_netem() -> bool:
    """Return whether the kernel has netem. Called once, in the lab's own network."""
    told = subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem"], capture_output=True, check=False)
    if told.returncode == 0:
        subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], capture_output=True, check=True)
    return told.returncode == 0


def shape_link(port: str, pid: int, line: LinkQuality) -> None:
    """Use netem on both ends of a host's link. `pid`: of its PID 1."""
    _tc(port, line)
    syscalls.in_network_of(pid, lambda: _tc("eth0", line))


def _tc(device: str, line: LinkQuality) -> None:
    argv = ["tc", "qdisc", "replace", "dev", device, "root", "netem", "limit", "100000", *line.netem()]
    subprocess.run(argv, check=True, capture_output=True)


def restore_link(port: str, pid: int) -> None:
    def clear(device: str) -> None:
        subprocess.run(["tc", "qdisc", "del", "dev", device, "root"], check=False, capture_output=True)

    clear(port)
    syscalls.in_network_of(pid, lambda: clear("eth0"))


def start_relay(port: str, pid: int, line: LinkQuality, seed: int) -> int:
    """Put a relay process between a host's link and the bridge; return its pid. It ends with our PID namespace."""
    syscalls.in_network_of(pid, lambda: _whole_frames("eth0"))
    far, near = f"w{port}", f"n{port}"
    ip(
        f"link add {far} type veth peer name {near}",
        f"link set {port} nomaster",
        f"link set {port} promisc on",
        f"link set {near} up promisc on",
        f"link set {far} master {BRIDGE} up",
    )
    _whole_frames(port, far, near)
    ends = (_raw(near), _raw(port))
    child = syscalls.child(lambda: _become_relay(ends, line, seed))
    for end in ends:
        end.close()
    return child


def end_relay(port: str, pid: int, *, plugged: bool) -> None:
    """`plugged`: the host's link still exists, and returns to the bridge."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    ip(f"link del w{port}")
    if plugged:
        ip(f"link set {port} promisc off", f"link set {port} master {BRIDGE}")


def _become_relay(ends: tuple[socket.socket, socket.socket], line: LinkQuality, seed: int) -> NoReturn:
    """Close the supervisor's descriptors, then relay frames."""
    low, high = sorted(end.fileno() for end in ends)
    for first, last in ((3, low), (low + 1, high), (high + 1, 4096)):
        os.closerange(first, last)
    _Relay(ends, line, random.Random(seed)).carry()  # noqa: S311  (a line's luck is no secret)


@dataclass(slots=True)
class _Relay:
    """Sends frames received at one end from the other, when they are due."""

    ends: Sequence[socket.socket]
    line: LinkQuality
    luck: random.Random
    free: list[float] = field(default_factory=lambda: [0.0, 0.0])  # when the link is idle again, each direction
    last: list[float] = field(default_factory=lambda: [0.0, 0.0])  # arrival of its latest frame: jitter keeps order
    due: list[tuple[float, int, int, bytes]] = field(default_factory=list)  # (time, number, sending end, frame)
    number: int = 0

    def carry(self) -> NoReturn:
        poll = select.poll()
        for end in self.ends:
            poll.register(end, select.POLLIN)
        out = {self.ends[0].fileno(): 1, self.ends[1].fileno(): 0}
        while True:
            self._send()
            wait = max(0.0, (self.due[0][0] - time.monotonic()) * 1000) if self.due else None
            for handle, _ in poll.poll(wait):
                self._take(self.ends[1 - out[handle]], out[handle])

    def _send(self) -> None:
        now = time.monotonic()
        while self.due and self.due[0][0] <= now:
            _, _, way, frame = heapq.heappop(self.due)
            with contextlib.suppress(OSError):  # the link is down: the frame is lost
                self.ends[way].send(frame)

    def _take(self, end: socket.socket, way: int) -> None:
        for _ in range(BURST):
            try:
                frame, origin = end.recvfrom(70000)
            except OSError:
                return
            if origin[2] != _OUTGOING:
                self._schedule(way, frame)

    def _schedule(self, way: int, frame: bytes) -> None:
        if self.line.loss and self.luck.random() < self.line.loss:
            return
        now = time.monotonic()
        start = max(now, self.free[way])
        if self.line.rate:
            if start - now > LONGEST_QUEUE:
                return
            start += len(frame) / self.line.rate
            self.free[way] = start
        jitter = self.luck.uniform(-self.line.jitter, self.line.jitter) if self.line.jitter else 0.0
        self.last[way] = max(self.last[way], start + self.line.delay + jitter)
        self.number += 1
        heapq.heappush(self.due, (self.last[way], self.number, way, frame))


def _raw(device: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.bind((device, 3))
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    end.setblocking(False)
    return end


def _whole_frames(*devices: str) -> None:
    """Disable offloads: frames must have checksums, and be no larger than the link allows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for device in devices:
            for command in _OFFLOADS:
                value = array.array("B", struct.pack("II", command, 0))
                request = struct.pack("16sP8x", device.encode(), value.buffer_info()[0])
                with contextlib.suppress(OSError):  # this kernel does not know the offload
                    fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
