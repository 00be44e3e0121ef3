"""Frequent DNS queries, without dnspython: all that a run without changes needs.

dnspython is used for the rest: it starts slowly and takes four times as long to read an answer.
"""

import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector
from typing import Protocol

from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.records import RRset, RRsetKey
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.remote.formats.dns_message import (
    TYPES,
    encode_query,
    from_stream,
    is_answer,
    rcode_name,
    read_answer,
    read_records,
    to_stream,
)

AGAIN = 0.4  # seconds after which an unanswered query is repeated
STREAM = 1.0  # seconds for an answer over TCP
AT_ONCE = 100  # concurrent queries to one server
REFUSED = 5  # a response code
AUTHORITATIVE, CUT = 4, 2  # bits of the third byte of an answer (RFC 1035, 4.1.1)
Network = Callable[[], AbstractContextManager[None]]
"""Context in which sockets are made."""


class SignedQueries(Protocol):
    """Queries signed with the zone's key. They raise the errors of `Queries`."""

    def signed_serial(self, zone: Zone, server: NameServer) -> int: ...

    def signed_answers(
        self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]
    ) -> Mapping[RRsetKey, RRset | None]: ...


class _QueryRefused(MemberFault):
    """The server answers other clients, but not this one."""


class Queries:
    """Queries to servers. `timeout`: seconds to wait for a silent server; `by_key`: makes signed queries.

    Views need these (the key selects the view), and so do servers with `allow-query { key ...; }`.
    """

    def __init__(self, timeout: float, network: Network, by_key: Callable[[], SignedQueries]) -> None:
        self._timeout = timeout
        self._network = network
        self._by_key = by_key
        self._key_required: set[tuple[str, str]] = set()
        """(zone, server) pairs that answer only signed queries."""

    def serial(self, zone: Zone, server: NameServer) -> int:
        """Return the zone's serial there. Raises Unreachable, MemberFault (it does not have the zone)."""
        if not self.needs_key(zone, server):
            try:
                return self._serial(zone, server)
            except _QueryRefused:
                if zone.key is None:
                    raise
        found = self._by_key().signed_serial(zone, server)
        self._key_required.add((zone.id, server.name))
        return found

    def answers(self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        """Return the authoritative answers of a server; None: no records. Raises as `serial`."""
        if self.needs_key(zone, server):
            return self._by_key().signed_answers(zone, server, places)
        return self._answers(server, places)

    def needs_key(self, zone: Zone, server: NameServer) -> bool:
        """Return whether the server is known to answer for this zone only with a key."""
        return bool(zone.label) or (zone.id, server.name) in self._key_required

    def _serial(self, zone: Zone, server: NameServer) -> int:
        query = encode_query(secrets.randbits(16), zone.name, TYPES["SOA"])
        with self._connect(server) as address:
            answer = exchange(address, server.port, query, self._timeout)
            code, found = read_answer(answer, query, TYPES["SOA"])
        if found and answer[2] & AUTHORITATIVE:
            return int(found[0].split()[-5])  # counted from the end, because the names before it may contain blanks
        why = f" ({rcode_name(code)})" if code else ""
        todo = "add the zone there, or take the server out of `zones:`"
        raise (_QueryRefused if code == REFUSED else MemberFault)(
            server.name, f"does not have the zone {zone.shown}{why}", todo
        )

    def _answers(self, server: NameServer, places: Sequence[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        with (
            self._connect(server) as address,
            connect_udp(address, server.port) as opened,
            DefaultSelector() as selector,
        ):
            opened.setblocking(False)
            selector.register(opened, EVENT_READ)
            parts = (places[start : start + AT_ONCE] for start in range(0, len(places), AT_ONCE))
            return {place: found for part in parts for place, found in self._ask_batch(opened, selector, part)}

    @contextmanager
    def _connect(self, server: NameServer) -> Iterator[str]:
        with resolve_server(server, self._timeout, self._network) as address:
            try:
                yield address
            except ValueError as fault:
                raise MemberFault(server.name, str(fault), "check that it is a name server") from None

    def _ask_batch(
        self, opened: socket.socket, selector: DefaultSelector, places: Sequence[RRsetKey]
    ) -> Iterator[tuple[RRsetKey, RRset | None]]:
        """Send all queries at once over one socket. Raises OSError, ValueError."""
        first = secrets.randbits(15)
        waiting = {
            struct.pack("!H", first + at): (place, encode_query(first + at, place[0], TYPES[place[1]]))
            for at, place in enumerate(places)
        }
        until, again, is_mismatch = time.monotonic() + self._timeout, 0.0, False
        while waiting:
            if time.monotonic() >= again:
                for _, query in waiting.values():
                    opened.send(query)
                again = time.monotonic() + AGAIN
            if time.monotonic() >= until:
                raise _silence(is_mismatch=is_mismatch)
            for _ in selector.select(max(0.0, min(again, until) - time.monotonic())):
                answer = opened.recv(65535)
                known = waiting.get(answer[:2])
                if known is None or not is_answer(answer, known[1]):
                    is_mismatch = is_mismatch or known is not None
                    continue
                del waiting[answer[:2]]
                yield known[0], _read(answer, known[1], known[0][1], opened.getpeername())


def _read(answer: bytes, query: bytes, kind: str, server: tuple[str, int]) -> RRset | None:
    if len(answer) > 2 and answer[2] & CUT:
        answer = _over_tcp(server, query)
    ttls, values = read_records(answer, query, TYPES[kind])
    if not answer[2] & AUTHORITATIVE or not values:
        return None
    return RRset(min(ttls), tuple(sorted(values)))


def _over_tcp(server: tuple[str, int], query: bytes) -> bytes:
    """Return the answer over TCP, if the one over UDP was truncated. Raises OSError, ValueError."""
    until, received = time.monotonic() + STREAM, b""
    with socket.create_connection(server[:2], STREAM) as opened:
        opened.sendall(to_stream(query))
        while (answer := from_stream(received)) is None:
            opened.settimeout(max(0.001, until - time.monotonic()))
            piece = opened.recv(1 << 16)
            if not piece:
                raise ValueError("its answer is truncated")
            received += piece
    return bytes(answer)


def exchange(address: str, port: int, query: bytes, timeout: float) -> bytes:
    """Return the answer to a question over UDP; other messages before it are skipped.

    Raises TimeoutError, OSError, and ValueError if only other messages arrived.
    """
    until, again, is_mismatch = time.monotonic() + timeout, 0.0, False
    with connect_udp(address, port) as opened:
        while (now := time.monotonic()) < until:
            if now >= again:
                opened.send(query)
                again = now + AGAIN
            opened.settimeout(max(0.001, min(again, until) - now))
            with suppress(TimeoutError):
                answer = opened.recv(65535)
                if is_answer(answer, query):
                    return answer
                is_mismatch = is_mismatch or answer[:2] == query[:2]
    raise _silence(is_mismatch=is_mismatch)


def _silence(*, is_mismatch: bool) -> Exception:
    return ValueError("its answers do not match the query") if is_mismatch else TimeoutError()


def connect_udp(address: str, port: int) -> socket.socket:
    """Return a socket for queries to one server; it is connected, so that a refusal is noticed at once."""
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.connect((address, port))
    except OSError:
        opened.close()
        raise
    return opened


@contextmanager
def resolve_server(server: NameServer, timeout: float, network: Network) -> Iterator[str]:
    """Yield a server's address, in the network that leads to it; raises Unreachable for errors in the block too."""
    try:
        with network():
            yield str(socket.getaddrinfo(server.address, server.port, type=socket.SOCK_DGRAM)[0][4][0])
    except socket.gaierror as fault:
        raise Unreachable(server.name, f"has no address ({fault.strerror})", "fix its address", "name") from None
    except TimeoutError:
        what = f"did not answer within {timeout:g} s on port {server.port}"
        raise Unreachable(server.name, what, "check that named runs there", "timeout") from None
    except ConnectionRefusedError:
        what = f"nothing answers on port {server.port}"
        raise Unreachable(server.name, what, "start named there, or fix its port", "refused") from None
    except (OSError, EOFError) as fault:
        raise Unreachable(server.name, f"the connection broke ({fault})", "run again", "away") from None
