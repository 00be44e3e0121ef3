"""Zone transfers from servers that never end, drip, or lie: bounded in time, bytes and records."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.rrset
import dns.tsig
import pytest

from multiall_cli.adapters.dns.servers import DnsServers
from multiall_cli.adapters.dns.transfers import TransferLimits
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.values import Secret
from multiall_cli.domain.zones import Key, NameServer, Zone
from tests.fixtures.bind9 import SECRET
from tests.limits import HANG

ZONE = "a.test."
SOA = "ns1.a.test. h.a.test. {} 3600 600 86400 60"
Talk = Callable[[dns.message.Message], Iterator[bytes]]


@dataclass
class Speaker:
    """A name server on loopback that sends what it likes over TCP."""

    talk: Talk
    bound: socket.socket

    def serve(self) -> None:
        while True:
            try:
                peer, _ = self.bound.accept()
            except OSError:
                return
            with peer, suppress(OSError):
                size = struct.unpack("!H", peer.recv(2))[0]
                keyring = dns.tsig.Key("multiall.", SECRET, "hmac-sha256")
                for piece in self.talk(dns.message.from_wire(peer.recv(size), keyring=keyring)):
                    peer.sendall(piece)


@contextmanager
def speaking(talk: Talk) -> Iterator[NameServer]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        thread = threading.Thread(target=Speaker(talk, bound).serve, daemon=True)
        thread.start()
        yield NameServer("ns1", "127.0.0.1", bound.getsockname()[1])
        bound.shutdown(socket.SHUT_RDWR)
    thread.join(HANG)


def _framed(message: dns.message.Message) -> bytes:
    wire = message.to_wire(max_size=65535)
    return struct.pack("!H", len(wire)) + wire


def _message(query: dns.message.Message, *rrsets: dns.rrset.RRset) -> bytes:
    answer = dns.message.QueryMessage(query.id)
    answer.flags |= dns.flags.QR | dns.flags.AA
    answer.question = list(query.question)
    answer.answer = list(rrsets)
    return _framed(answer)


def _soa(serial: int) -> dns.rrset.RRset:
    return dns.rrset.from_text(ZONE, 60, "IN", "SOA", SOA.format(serial))


def _endless(query: dns.message.Message) -> Iterator[bytes]:
    """Names without end, quicker than they are read."""
    yield _message(query, _soa(1))
    for number in range(1 << 30):
        yield _message(
            query, *(dns.rrset.from_text(f"h{number}-{at}.{ZONE}", 60, "IN", "A", "192.0.2.1") for at in range(50))
        )


def _dripping(query: dns.message.Message) -> Iterator[bytes]:
    """A byte at a time, each well before the limit of silence."""
    for byte in _message(query, _soa(1)) + _message(query, _soa(2)) * 100:
        threading.Event().wait(0.02)
        yield bytes([byte])


def _whole(query: dns.message.Message) -> Iterator[bytes]:
    yield _message(query, _soa(1), dns.rrset.from_text(ZONE, 60, "IN", "NS", "ns1.a.test."), _soa(1))


def _then_endless(query: dns.message.Message) -> Iterator[bytes]:
    """A zone at first, and a list of changes without end for who has it."""
    if query.question[0].rdtype == dns.rdatatype.AXFR:
        yield from _whole(query)
        return
    yield _message(query, _soa(1 << 30), _soa(1), _soa(2))
    for serial in range(2, 1 << 29):
        added = dns.rrset.from_text(f"h{serial}.{ZONE}", 60, "IN", "A", "192.0.2.1")
        yield _message(query, added, _soa(serial), _soa(serial + 1))


def _read(server: NameServer, *, limits: TransferLimits, key: Key | None = None, times: int = 1) -> DnsServers:
    made = DnsServers(lambda secret: SECRET, 3.0, nullcontext, limits=limits)
    for _ in range(times):
        made.read(Zone(ZONE, server, key=key))
    return made


@pytest.mark.parametrize("talk", [_endless, _dripping])
def test_a_transfer_has_an_end_in_time(talk: Talk) -> None:
    began = time.monotonic()
    with (
        speaking(talk) as server,
        pytest.raises(Unreachable, match=r"the transfer of a\.test was not complete after 0\.5 s"),
    ):
        _read(server, limits=TransferLimits(seconds=0.5))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (TransferLimits(bytes=20_000), r"sent more than 20000 bytes of a\.test"),
        (TransferLimits(records=500), r"sent more than 500 records of a\.test"),
    ],
)
def test_a_transfer_has_an_end_in_size(limits: TransferLimits, words: str) -> None:
    with speaking(_endless) as server, pytest.raises(MemberFault, match=words):
        _read(server, limits=limits)


def test_changes_without_end_end_too_and_the_whole_zone_is_read() -> None:
    with speaking(_then_endless) as server:
        _read(server, limits=TransferLimits(records=500), times=2)
    with speaking(_then_endless) as server, pytest.raises(Unreachable, match="was not complete"):
        _read(server, limits=TransferLimits(seconds=0.5), times=2)


def test_a_transfer_that_is_not_signed_is_none_where_there_is_a_key() -> None:
    key = Key("multiall.", "hmac-sha256", Secret("env", "X"))
    with speaking(_whole) as server:
        _read(server, limits=TransferLimits())
        with pytest.raises(MemberFault, match=r"missing TSIG|not signed"):
            _read(server, limits=TransferLimits(), key=key)
