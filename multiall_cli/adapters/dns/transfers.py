"""Zone transfers over TCP (AXFR, IXFR), bounded in time, bytes and records (RFC 5936, RFC 1995)."""

import socket
import struct
import time

import dns.flags
import dns.message
import dns.rdatatype
import dns.xfr
import dns.zone

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.zones import Zone


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """Limits of one transfer. dnspython checks its own time limit only while it waits for the socket."""

    seconds: float = 60.0
    bytes: int = 128 << 20
    records: int = 1_000_000


LIMITS = TransferLimits()


class ZoneTransfer:
    """One attempt to read a zone, in full or from a known version on.

    `timeout`: seconds that the server may be silent; `until`: deadline of the transfer (monotonic clock).
    """

    def __init__(self, zone: Zone, limits: TransferLimits, timeout: float, until: float) -> None:
        self._zone = zone
        self._limits = limits
        self._timeout = timeout
        self._until = until
        self._bytes = 0
        self._records = 0

    def run(self, address: str, target: dns.zone.Zone, query: dns.message.Message) -> None:
        """Update `target`; a transfer that breaks off changes nothing.

        Raises Unreachable (too slow), MemberFault (too large), OSError and those of dnspython.
        """
        rdtype, serial = query.question[0].rdtype, dns.xfr.extract_serial_from_query(query)
        with socket.create_connection((address, self._zone.primary.port), self._seconds_left()) as connection:
            wire = query.to_wire()
            connection.sendall(struct.pack("!H", len(wire)) + wire)
            with dns.xfr.Inbound(target, rdtype, serial, False) as inbound:
                self._feed(connection, inbound, query, target)

    def _feed(
        self, connection: socket.socket, inbound: dns.xfr.Inbound, query: dns.message.Message, target: dns.zone.Zone
    ) -> None:
        done, context = False, None
        while not done:
            answer = dns.message.from_wire(
                self._message(connection),
                keyring=query.keyring,
                request_mac=query.mac,
                xfr=True,
                origin=target.from_wire_origin(),
                tsig_ctx=context,
                multi=True,
                one_rr_per_rrset=query.question[0].rdtype == dns.rdatatype.IXFR,
            )
            if answer.id != query.id or not answer.flags & dns.flags.QR:
                raise self._error("sent an answer to another question")
            self._count(answer)
            done = inbound.process_message(answer)
            context = answer.tsig_ctx
            if done and query.keyring and not answer.had_tsig:  # dnspython checks this itself from 2.7 on
                raise self._error(f"sent {self._zone.shown} without a signature of the key at its end")

    def _message(self, connection: socket.socket) -> bytes:
        (size,) = struct.unpack("!H", self._receive(connection, 2))
        self._bytes += size + 2
        if self._bytes > self._limits.bytes:
            raise self._error(f"sent more than {self._limits.bytes} bytes of {self._zone.shown}")
        return self._receive(connection, size)

    def _receive(self, connection: socket.socket, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            connection.settimeout(self._seconds_left())
            try:
                piece = connection.recv(size - len(found))
            except TimeoutError:
                self._seconds_left()  # the transfer as a whole is too slow, or the server is silent now
                raise
            if not piece:
                raise EOFError("the transfer broke off")
            found += piece
        return bytes(found)

    def _seconds_left(self) -> float:
        """Return the seconds for the next step. Raises Unreachable if none are left."""
        left = self._until - time.monotonic()
        if left <= 0:
            what = f"the transfer of {self._zone.shown} was not complete after {self._limits.seconds:g} s"
            what += f" ({self._bytes} bytes, {self._records} records)"
            raise Unreachable(self._zone.primary.name, what, "check its log, and the network to it", "timeout")
        return min(left, self._timeout)

    def _count(self, answer: dns.message.Message) -> None:
        self._records += sum(len(rrset) for rrset in answer.answer)
        if self._records > self._limits.records:
            raise self._error(f"sent more than {self._limits.records} records of {self._zone.shown}")

    def _error(self, what: str) -> MemberFault:
        return MemberFault(self._zone.primary.name, what, "check that it is the right server, and check its log")
