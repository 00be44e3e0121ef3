"""Sends echo requests to many addresses at once, if the kernel allows this to unprivileged programs."""

import ipaddress
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext

_KINDS = {
    4: (socket.AF_INET, socket.IPPROTO_ICMP, 8, 0),
    6: (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129),
}
"""Version → family, protocol, types of request and reply (RFC 792, RFC 4443)."""
AT_ONCE = 32  # requests after which replies are read
_LONGEST = 1500
_OURS = b"multiall"


class IcmpProbe:
    """`timeout`: seconds to wait for a reply; `network`: context in which sockets are made."""

    def __init__(self, timeout: float, *, network: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._timeout = timeout
        self._network = network

    def __call__(self, addresses: Mapping[str, str]) -> dict[str, float]:
        """Return name → seconds for the addresses that answered. `addresses`: numeric, or names looked up just before.

        Empty if this kernel requires privileges for it (net.ipv4.ping_group_range).
        """
        with self._network():
            numbers = {name: number for name, text in addresses.items() if (number := _number(text)) is not None}
        found: dict[str, float] = {}
        with ExitStack() as stack:
            for version in sorted({each.version for each in numbers.values()}):
                own = {name: str(each) for name, each in numbers.items() if each.version == version}
                try:
                    with self._network():
                        opened = stack.enter_context(_socket(version))
                except OSError:
                    continue
                found |= self._ping(opened, version, own)
        return found

    def _ping(self, opened: socket.socket, version: int, addresses: Mapping[str, str]) -> dict[str, float]:
        names = list(addresses)
        sent: dict[int, float] = {}
        found: dict[str, float] = {}

        def take() -> None:
            for number, place in _answers(opened, version):
                if number in sent and place == addresses[names[number]].partition("%")[0]:
                    found.setdefault(names[number], time.monotonic() - sent[number])

        for number, name in enumerate(names):
            if _send(opened, version, number, addresses[name]):
                sent[number] = time.monotonic()
            if number % AT_ONCE == AT_ONCE - 1:  # the kernel queues few replies
                take()
        until = time.monotonic() + self._timeout
        with selectors.DefaultSelector() as selector:
            selector.register(opened, selectors.EVENT_READ)
            while len(found) < len(sent) and (left := until - time.monotonic()) > 0 and selector.select(left):
                take()
        return found


def _number(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(socket.getaddrinfo(text, None)[0][4][0])
    except (OSError, UnicodeError, ValueError):
        return None


def _socket(version: int) -> socket.socket:
    """Raises OSError if not allowed."""
    family, protocol, _, _ = _KINDS[version]
    opened = socket.socket(family, socket.SOCK_DGRAM, protocol)
    opened.setblocking(False)
    return opened


def _send(opened: socket.socket, version: int, number: int, address: str) -> bool:
    """The kernel fills in the identifier and the checksum for this kind of socket."""
    packet = struct.pack("!BBHHH", _KINDS[version][2], 0, 0, 0, number & 0xFFFF) + _OURS
    try:
        opened.sendto(packet, (address, 0))
    except OSError:
        return False
    return True


def _answers(opened: socket.socket, version: int) -> Iterable[tuple[int, str]]:
    """Yield (number, address) of every reply received so far."""
    while True:
        try:
            packet, place = opened.recvfrom(_LONGEST)
        except OSError:
            return
        if len(packet) >= 8 and packet[0] == _KINDS[version][3] and packet[8:] == _OURS:
            yield struct.unpack("!H", packet[6:8])[0], str(ipaddress.ip_address(place[0].partition("%")[0]))
