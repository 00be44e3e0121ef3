"""Byte streams below an SSH connection: tries every address, is tuned for small messages, wakes when closed."""

import errno
import ipaddress
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from multiall_cli.adapters.ssh.route import Route
from multiall_cli.domain.errors import Unreachable

READ = 1 << 16
MOST_WORDS = 4096  # bytes of a ProxyCommand's messages that are stored
LAST_WORDS = 1.0  # seconds to wait for its last messages after its end
AWAKE = struct.pack("@ll", 1, 0)  # seconds between checks of a waiting read whether the connection is still used
IMPATIENT = struct.pack("@ll", 0, 200_000)  # seconds and microseconds between such checks of a waiting write
DEAD_AFTER = 30
"""Seconds without an answer of the other kernel after which the connection counts as cut.

Behind a jump host this covers only the first hop; there a command's own `timeout` is the limit.
"""

_OPTIONS = (
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPALIVE", 10),  # its name on macOS
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 4),
)
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class SocketStream:
    """A connected socket with paramiko's interface.

    Reads large pieces, since paramiko asks for each packet's head and body separately. The kernel's own time limit
    (SO_RCVTIMEO) avoids Python's poll before each read of a socket with a timeout.
    """

    def __init__(
        self, connected: socket.socket, proxy: "ProxyProcess | None" = None, dead_after: float = DEAD_AFTER
    ) -> None:
        self._socket = connected
        self._proxy = proxy
        self._ahead = b""
        self._closed = False
        self._tcp = connected.family in (socket.AF_INET, socket.AF_INET6)
        connected.settimeout(None)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, AWAKE)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, IMPATIENT)
        if self._tcp:
            for level, name, value in (*_OPTIONS, (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", int(dead_after * 1000))):
                _set(connected, level, getattr(socket, name, None), value)

    def recv(self, size: int) -> bytes:
        if not self._ahead:
            try:
                self._ahead = self._socket.recv(READ)
            except BlockingIOError:
                raise TimeoutError from None
            # The kernel reverts to delayed acknowledgements; a server that uses Nagle's algorithm would wait for them.
            if self._tcp:
                _set(self._socket, socket.IPPROTO_TCP, _QUICKACK, 1)
        if len(self._ahead) <= size:
            piece, self._ahead = self._ahead, b""
        else:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
        return piece

    def send(self, piece: bytes) -> int:
        """Raises TimeoutError if the send buffer is full, OSError."""
        try:
            return self._socket.send(piece)
        except BlockingIOError:
            raise TimeoutError from None

    def settimeout(self, seconds: float | None) -> None:
        """Does nothing: `close` wakes a waiting read."""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError as fault:
            if fault.errno not in (errno.ENOTCONN, errno.EBADF, errno.EINVAL):
                raise
        self._socket.close()
        if self._proxy is not None:
            self._proxy.end()

    def last_messages(self) -> str:
        """Return the last messages of a ProxyCommand that has ended, '' if there are none."""
        return self._proxy.last_messages() if self._proxy is not None else ""


class ProxyProcess:
    """A running ProxyCommand; its standard error is read, so that it never blocks, and the end is stored."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._messages = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._child.stderr is not None  # noqa: S101  (it was started with a pipe)
        while piece := os.read(self._child.stderr.fileno(), READ):
            self._messages = (self._messages + piece)[-MOST_WORDS:]

    def last_messages(self) -> str:
        self._reader.join(LAST_WORDS)
        lines = [line.strip() for line in self._messages.decode("utf-8", "replace").splitlines() if line.strip()]
        return "; ".join(lines[-3:])

    def end(self) -> None:
        self._child.terminate()
        self._child.wait()
        self._reader.join(LAST_WORDS)
        if not self._reader.is_alive() and self._child.stderr is not None:
            self._child.stderr.close()


class ByteStream(Protocol):
    """The interface that paramiko needs: a SocketStream, or a channel of a jump host's connection."""

    def recv(self, size: int, /) -> bytes: ...

    def send(self, piece: bytes, /) -> int: ...

    def settimeout(self, seconds: float | None, /) -> None: ...

    def close(self) -> None: ...


class RetryingStream:
    """A stream that is closed once nothing could be sent for `patience` seconds; paramiko itself retries for ever.

    `timeout_reason` has the reason if it ended so, else ''; `on_close` is called when either side closes it.
    """

    def __init__(self, stream: ByteStream, patience: float) -> None:
        self._stream = stream
        self._patience = patience
        self._closed = False  # read by paramiko
        self.timeout_reason = ""
        self.on_close: Callable[[], None] = lambda: None
        self.recv = stream.recv
        self.last_messages: Callable[[], str] = getattr(stream, "last_messages", lambda: "")
        self.settimeout = stream.settimeout

    def send(self, piece: bytes) -> int:
        """Raises OSError."""
        try:
            return self._stream.send(piece)
        except TimeoutError:
            return self._send_within(piece, time.monotonic() + self._patience)

    def _send_within(self, piece: bytes, deadline: float) -> int:
        while time.monotonic() < deadline:
            try:
                return self._stream.send(piece)
            except TimeoutError:
                continue
        self.timeout_reason = f"nothing could be sent for {self._patience:g} s"
        self.close()
        raise OSError(errno.ETIMEDOUT, self.timeout_reason)

    def close(self) -> None:
        self._closed = True
        self._stream.close()
        self.on_close()


def _set(to: socket.socket, level: int, option: int | None, value: int) -> None:
    if option is None:
        return
    try:
        to.setsockopt(level, option, value)
    except OSError:
        return  # this kernel lacks the option, or the connection is gone: the next read reports that


def connect(route: Route, dead_after: float = DEAD_AFTER) -> SocketStream:
    """Connect to the route's address: each of its addresses gets a share of `connect_timeout`. Raises Unreachable."""
    deadline = time.monotonic() + route.connect_timeout
    addresses = resolve(route, deadline)
    fault: OSError = TimeoutError()
    for place, (family, address) in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - place)
        if share <= 0:
            break
        one = socket.socket(family, socket.SOCK_STREAM)
        try:
            one.settimeout(share)
            if route.bind_address:
                one.bind(_own(route.bind_address, family))
            one.connect(address)
            return SocketStream(one, dead_after=dead_after)
        except OSError as failed:
            one.close()
            fault = failed
    raise _unreachable(route, fault, len(addresses))


def _own(address: str, family: int) -> tuple[object, ...]:
    """Return BindAddress as a socket address. Raises OSError."""
    found = socket.getaddrinfo(address, 0, family=family, type=socket.SOCK_STREAM)
    return found[0][4]


_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def resolve(route: Route, deadline: float) -> Sequence[tuple[int, tuple[object, ...]]]:
    """Return the addresses of a route, each with its family. `deadline`: monotonic. Raises Unreachable."""
    try:
        ipaddress.ip_address(route.address)
    except ValueError:
        found = _look_up(route, deadline)
    else:
        found = _numeric(route)
    family = _FAMILIES.get(route.family)
    chosen = [each for each in found if family in (None, each[0])]
    if not chosen:
        what = f"{route.address} has no address of AddressFamily {route.family}"
        raise Unreachable(route.name, what, "fix AddressFamily in ~/.ssh/config", "name")
    return chosen


def _numeric(route: Route) -> Sequence[tuple[int, tuple[object, ...]]]:
    """Return a numeric address, with the interface (`%eth0`) of a link-local one. Raises Unreachable."""
    try:
        found = socket.getaddrinfo(
            route.address, route.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except OSError as fault:
        what = f"{route.address} cannot be used ({fault.strerror})"
        raise Unreachable(route.name, what, "check that this host has that interface", "name") from None
    return [(family, address) for family, _, _, _, address in found]


def _look_up(route: Route, deadline: float) -> Sequence[tuple[int, tuple[object, ...]]]:
    """Ask the system resolver, in a thread, because it has no time limit."""
    found: list[tuple[int, tuple[object, ...]]] = []
    faults: list[str] = []

    def ask() -> None:
        try:
            for family, _, _, _, address in socket.getaddrinfo(route.address, route.port, type=socket.SOCK_STREAM):
                found.append((family, address))
        except (OSError, UnicodeError) as fault:
            faults.append(getattr(fault, "strerror", None) or str(fault))

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    asker.join(max(0.0, deadline - time.monotonic()))
    if not found:
        why = faults[0] if faults else f"no answer for {route.connect_timeout:g} s"
        raise Unreachable(
            route.name,
            f"{route.address} has no address ({why})",
            "set its `address` in the inventory, or fix its name",
            "name",
        )
    return found


def _unreachable(route: Route, fault: OSError, tried: int) -> Unreachable:
    where = f"{route.address} port {route.port}" + (f" ({tried} addresses tried)" if tried > 1 else "")
    if isinstance(fault, TimeoutError):
        what = f"{where}: no answer within {route.connect_timeout:g} s"
        return Unreachable(route.name, what, "check that it is up and that no firewall blocks it", "timeout")
    if isinstance(fault, ConnectionRefusedError):
        return Unreachable(route.name, f"nothing listens on {where}", "start its sshd, or set `ssh.port`", "refused")
    words = fault.strerror or type(fault).__name__
    return Unreachable(route.name, f"{where} cannot be reached: {words}", "check the network path and retry", "away")


def connect_through(command: str, name: str) -> SocketStream:
    """Open a stream over the standard input and output of a ProxyCommand. Raises Unreachable."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            child = subprocess.Popen(
                [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],  # as ssh does
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as fault:
            ours.close()
            words = f"its ProxyCommand did not start: {fault.strerror}"
            raise Unreachable(name, words, "fix ProxyCommand in ~/.ssh/config", "away") from None
    return SocketStream(ours, ProxyProcess(child))
