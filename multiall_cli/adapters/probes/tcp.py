"""Probes the SSH ports of many servers at once, with TCP connections that are reset after the first answer.

One thread and one selector: a thread or task per server costs several times as much. A connection that is opened and
reset leaves no line in sshd's log; one whose banner is read leaves two.
"""

import errno
import ipaddress
import os
import resource
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.topology import Evidence, ProbeLevel

AT_ONCE = 512  # connections open or being opened
NO_SAMPLE = float("inf")  # lag that marks a local failure: nothing is known about the server
SPARE = 64  # descriptors left for the rest of the program
NAMES_AT_ONCE = 32  # concurrent name look-ups
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds
_SSH = b"SSH-"
_LONGEST = 255  # bytes of a banner, RFC 4253 section 4.2
_RUNG_OF = {
    errno.ECONNREFUSED: ProbeLevel.REFUSED,
    errno.ECONNRESET: ProbeLevel.REFUSED,
    errno.ETIMEDOUT: ProbeLevel.TIMEOUT,
    errno.EHOSTUNREACH: ProbeLevel.NO_ROUTE,
    errno.ENETUNREACH: ProbeLevel.NO_ROUTE,
}
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
"""Errors of this host, not of the server."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's SSH port. `address`: a name, or a numeric IPv4 or IPv6 address."""

    server: str
    address: str
    port: int


@dataclass(slots=True)
class _Connection:
    endpoint: Endpoint
    socket: socket.socket
    began: float
    until: float
    listens: bool
    opened: float | None = None


class TcpProbe:
    """Takes samples as `observer`. `timeout`: seconds per sample; `network`: context in which sockets are made."""

    def __init__(
        self,
        observer: str,
        timeout: float,
        *,
        network: Callable[[], AbstractContextManager[None]] = nullcontext,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._observer = observer
        self._timeout = timeout
        self._network = network
        self._now = now

    def __call__(self, endpoints: Iterable[Endpoint], listen: Set[str] = frozenset()) -> list[Evidence]:
        """Return a sample of each endpoint; `listen`: servers whose SSH banner is read as well."""
        with self._network():
            found, numbered = self._look_up(list(endpoints))
            return found + list(self._probe(numbered, listen))

    def _look_up(self, endpoints: list[Endpoint]) -> tuple[list[Evidence], list[Endpoint]]:
        """Return evidence for names without an address, and endpoints with numeric addresses for the rest."""
        names = sorted({endpoint.address for endpoint in endpoints if not _is_number(endpoint.address)})
        numbers: dict[str, str] = {}
        if names:
            with ThreadPoolExecutor(NAMES_AT_ONCE) as threads:
                numbers = dict(zip(names, threads.map(self._number_of, names), strict=True))
        lost = [endpoint for endpoint in endpoints if numbers.get(endpoint.address) == ""]
        found = [
            self._evidence(endpoint, ProbeLevel.NO_ROUTE, trouble=f"{endpoint.address} has no address")
            for endpoint in lost
        ]
        rest = [endpoint for endpoint in endpoints if numbers.get(endpoint.address) != ""]
        return found, [
            Endpoint(endpoint.server, numbers.get(endpoint.address, endpoint.address), endpoint.port)
            for endpoint in rest
        ]

    def _number_of(self, name: str) -> str:
        """Return the first address of a name; '' if it has none."""
        try:
            with self._network():
                return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError):
            return ""

    def _probe(self, endpoints: list[Endpoint], listen: Set[str]) -> Iterator[Evidence]:
        todo, waiting = deque(endpoints), deque[_Connection]()
        most = max(1, min(AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE))
        with selectors.DefaultSelector() as selector:
            while todo or waiting:
                while todo and len(selector.get_map()) < most:
                    endpoint = todo.popleft()
                    started = self._start(endpoint, listens=endpoint.server in listen)
                    if isinstance(started, Evidence):
                        yield started
                    else:
                        selector.register(started.socket, selectors.EVENT_WRITE, started)
                        waiting.append(started)
                left = waiting[0].until - time.monotonic() if waiting else 0.0
                for key, _ in selector.select(max(0.0, left)) if selector.get_map() else ():
                    yield from self._on_event(selector, key.data)
                while waiting and (waiting[0].socket.fileno() < 0 or waiting[0].until <= time.monotonic()):
                    late = waiting.popleft()
                    if late.socket.fileno() >= 0:
                        yield self._time_out(selector, late)

    def _start(self, endpoint: Endpoint, *, listens: bool) -> "_Connection | Evidence":
        began = time.monotonic()
        if not 0 < endpoint.port < 1 << 16:
            words = f"port {endpoint.port} is out of range; fix it in the ssh config or the inventory"
            return self._evidence(endpoint, ProbeLevel.NO_ROUTE, trouble=words)
        try:
            family, _, _, _, place = socket.getaddrinfo(endpoint.address, endpoint.port, flags=socket.AI_NUMERICHOST)[0]
            opened_socket = socket.socket(family, socket.SOCK_STREAM)
        except OSError as failed:
            lag = NO_SAMPLE if failed.errno in _OURS else 0.0
            return self._evidence(
                endpoint, ProbeLevel.NO_ROUTE, trouble=f"cannot be probed from here ({failed})", lag=lag
            )
        opened_socket.setblocking(False)
        opened_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        try:
            fault = opened_socket.connect_ex(place)
        except OSError as failed:
            fault = failed.errno or errno.EHOSTUNREACH
        if fault in (0, errno.EINPROGRESS):
            return _Connection(endpoint, opened_socket, began, began + self._timeout, listens)
        opened_socket.close()
        return self._failure(endpoint, fault, None)

    def _on_event(self, selector: selectors.BaseSelector, connection: _Connection) -> Iterator[Evidence]:
        """Handle an event: connected, refused, or a banner."""
        now = time.monotonic()
        if connection.opened is None:
            fault = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if fault:
                _end(selector, connection)
                yield self._failure(connection.endpoint, fault, now - connection.began)
                return
            connection.opened = now
            if connection.listens:
                selector.modify(connection.socket, selectors.EVENT_READ, connection)
                return
            _end(selector, connection)
            yield self._evidence(connection.endpoint, ProbeLevel.TCP, now - connection.began)
            return
        try:
            banner = connection.socket.recv(_LONGEST)
        except OSError:
            banner = b""
        _end(selector, connection)
        took = connection.opened - connection.began
        if banner.startswith(_SSH):
            yield self._evidence(connection.endpoint, ProbeLevel.BANNER, took)
        else:
            words = "not an SSH server" if banner else "its sshd closes the connection at once"
            yield self._evidence(connection.endpoint, ProbeLevel.TCP, took, words)

    def _time_out(self, selector: selectors.BaseSelector, connection: _Connection) -> Evidence:
        late = time.monotonic() - connection.until
        _end(selector, connection)
        if connection.opened is not None:
            words = f"its sshd sends no banner within {self._timeout:g} s"
            return self._evidence(
                connection.endpoint, ProbeLevel.TCP, connection.opened - connection.began, words, late
            )
        # Its silence began when the probe started, not at the timeout.
        asked = self._now() - (time.monotonic() - connection.began)
        return Evidence(self._observer, connection.endpoint.server, ProbeLevel.TIMEOUT, asked, lag=late)

    def _failure(self, endpoint: Endpoint, fault: int, rtt: float | None) -> Evidence:
        rung = _RUNG_OF.get(fault)
        if rung is None:
            lag = NO_SAMPLE if fault in _OURS else 0.0
            return self._evidence(endpoint, ProbeLevel.NO_ROUTE, rtt, os.strerror(fault), lag)
        return self._evidence(endpoint, rung, rtt)

    def _evidence(
        self, endpoint: Endpoint, rung: ProbeLevel, rtt: float | None = None, trouble: str = "", lag: float = 0.0
    ) -> Evidence:
        return Evidence(self._observer, endpoint.server, rung, self._now(), rtt, trouble, lag)


def _end(selector: selectors.BaseSelector, connection: _Connection) -> None:
    selector.unregister(connection.socket)
    connection.socket.close()


def _is_number(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
