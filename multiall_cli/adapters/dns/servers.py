"""Zones on real name servers: transfers, updates with prerequisites, notifications and queries (dnspython)."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from functools import partial

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr
import dns.zone

from multiall_cli.adapters.dns.queries import CUT, Network, Queries, exchange, resolve_server
from multiall_cli.adapters.dns.transfers import LIMITS, TransferLimits, ZoneTransfer
from multiall_cli.adapters.dns.tsig import tsig_of
from multiall_cli.adapters.dns.updates import (
    MOST,
    LeaseUpdate,
    Marked,
    UpdateBuilder,
    as_name,
    as_rdata,
    count_names,
    fill,
    split_in_halves,
    split_into_messages,
)
from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.records import Leasing, RRset, RRsetKey, UpdateResult, ZoneContent, key_of
from multiall_cli.domain.values import Secret
from multiall_cli.domain.zones import Key, NameServer, Zone
from multiall_cli.planning.zones.ownership import marker_name

MOST_REFUSED = 5  # refused names after which the whole update counts as refused, not single names
WHOLE_AGAIN = 600.0  # seconds after which a zone is read in full: a restored zone may reuse its old serial
NEVER = {
    "A": "255.255.255.254",
    "AAAA": "100::ffff:ffff:ffff:fffe",
    "CNAME": "multiall-doctor.invalid.",
    "PTR": "multiall-doctor.invalid.",
    "SRV": "0 0 0 multiall-doctor.invalid.",
    "TXT": '"multiall-doctor: never"',
}
"""type → data that no zone has."""
_STALE = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)
_REFUSALS = {
    dns.rcode.REFUSED: ("refuses this host", "`multiall dns doctor` shows the lines that its named.conf needs"),
    dns.rcode.NOTAUTH: ("does not have this zone, or not with this key", "`multiall dns doctor` shows what it needs"),
    dns.rcode.SERVFAIL: ("failed (SERVFAIL)", "check its log: perhaps it cannot write its journal"),
    dns.rcode.NOTZONE: ("says that a name is not in its zone", "check `zone:` and `name:`"),
    dns.rcode.NOTIMP: ("does not implement this request", "check that it is BIND 9"),
}


class MessageTooLarge(Exception):
    """The message would exceed the size limit of DNS."""


class DnsServers:
    """The name servers of a site.

    `reveal`: returns the value of a secret; `timeout`: seconds to wait for a silent server; `network`: context in which
    sockets are made; `monotonic`: a monotonic clock; `limits`: those of one transfer.
    """

    def __init__(
        self,
        reveal: Callable[[Secret], str],
        timeout: float,
        network: Network,
        monotonic: Callable[[], float] = time.monotonic,
        limits: TransferLimits = LIMITS,
    ) -> None:
        self._reveal = reveal
        self._timeout = timeout
        self._network = network
        self._monotonic = monotonic
        self._limits = limits
        self._queries = Queries(timeout, network, lambda: self)
        self._keys: dict[Key, dns.tsig.Key] = {}
        self._zones: dict[str, tuple[dns.zone.Zone, float]] = {}
        """Zones in memory, each with the time of its last full read."""

    # --- reading ------------------------------------------------------------------------------------------------

    def serial(self, zone: Zone, server: NameServer) -> int:
        return self._queries.serial(zone, server)

    def answers(self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        return self._queries.answers(zone, server, places)

    def signed_serial(self, zone: Zone, server: NameServer) -> int:
        found = self._signed_answer(zone, server, (zone.name, "SOA"))
        if found is None and zone.label:
            todo = "add the view there, with `match-clients { key ...; }`"
            raise MemberFault(server.name, f"does not have the view {zone.shown}", todo)
        if found is None:
            todo = "allow queries with this key (`allow-query`), or take the server out of `zones:`"
            what = f"does not have the zone {zone.shown}, or refuses queries for it even with the key"
            raise MemberFault(server.name, what, todo)
        return int(found.values[0].split()[2])

    def signed_answers(
        self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]
    ) -> Mapping[RRsetKey, RRset | None]:
        return {place: self._signed_answer(zone, server, place) for place in places}

    def _signed_answer(self, zone: Zone, server: NameServer, place: RRsetKey) -> RRset | None:
        query = dns.message.make_query(place[0], place[1], flags=0)
        if zone.key is not None:
            query.use_tsig(self._key(zone.key))
        answer = self._ask(zone, server, query)
        name, kind = dns.name.from_text(place[0]), dns.rdatatype.from_text(place[1])
        found = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, kind)
        return _rrset(found) if found is not None and answer.flags & dns.flags.AA else None

    def serial_over_tcp(self, zone: Zone, server: NameServer) -> int:
        """Return the serial as clients get it whose answers are too long for UDP. Raises as `serial`."""
        query = dns.message.make_query(zone.name, "SOA")
        if zone.key is not None and self._queries.needs_key(zone, server):
            query.use_tsig(self._key(zone.key))
        answer = self._ask(zone, server, query, tcp=True)
        found = answer.get_rrset(answer.answer, dns.name.from_text(zone.name), dns.rdataclass.IN, dns.rdatatype.SOA)
        if found is None:
            raise MemberFault(server.name, f"sends no SOA of {zone.shown} over TCP", "check its log")
        return int(found[0].serial)

    def read(self, zone: Zone) -> ZoneContent:
        """Read the changes since this process last read the zone (IXFR); all of it first, and every ten minutes."""
        known, whole = self._zones.pop(zone.id, (None, 0.0))
        now, until = self._monotonic(), time.monotonic() + self._limits.seconds
        if known is not None and now - whole < WHOLE_AGAIN:
            with suppress(MemberFault):  # the primary may not go back that far: then read all of it
                return self._transfer(zone, known, whole, until)
        return self._transfer(zone, dns.zone.Zone(zone.name, relativize=False), now, until)

    def _transfer(self, zone: Zone, cached: dns.zone.Zone, whole: float, until: float) -> ZoneContent:
        """Transfer a zone; a broken transfer changes nothing. `whole`: time of the last full read; `until`: deadline.

        Raises Unreachable, MemberFault.
        """
        query, _ = dns.xfr.make_query(cached, keyring=self._tsig(zone.reading_key))
        with self._explained_errors(zone, zone.primary, zone.reading_key) as address:
            ZoneTransfer(zone, self._limits, self._timeout, until).run(address, cached, query)
        content = content_of(zone, cached)
        self._zones[zone.id] = cached, whole
        return content

    # --- changing -----------------------------------------------------------------------------------------------

    def write(
        self, zone: Zone, changes: Sequence[tuple[Change[RRset], str]], soa: str, lease: Leasing | None = None
    ) -> UpdateResult:
        lease_update = LeaseUpdate(lease)
        leaving = {each.key for each, _ in changes if each.after is None}
        done: set[str] = set()
        refused: dict[str, tuple[str, str]] = {}
        todo = list(reversed(list(split_into_messages(changes, leaving))))
        while todo:
            part = todo.pop()
            send = partial(self._send, zone, part, soa, leaving, lease_update)
            code = send() if not done else self._send_next(todo, send)
            if code == dns.rcode.NOERROR:
                done |= {each.key for each, _ in part}
            elif code is None or (code not in _STALE and count_names(part) > 1):
                todo += split_in_halves(part)  # too large, or one of its names is refused: find out which
            elif code not in _STALE:
                refused |= {each.key: _refusal(code) for each, _ in part}
                if len(refused) >= MOST_REFUSED and not done:
                    self._accepted(zone.primary, code)
        if refused and not done:
            self._accepted(zone.primary, code or dns.rcode.SERVFAIL)
        return UpdateResult(frozenset(done), refused, lease_update.is_taken)

    def _send_next(
        self, todo: list[list[Marked]], send: Callable[[], dns.rcode.Rcode | None]
    ) -> dns.rcode.Rcode | None:
        """Send a further message. An error does not discard the messages done before; nothing more is sent after one.

        The next read of the zone shows the error.
        """
        try:
            return send()
        except (Unreachable, MemberFault):
            todo.clear()
            return dns.rcode.NXRRSET

    def _send(
        self, zone: Zone, part: Sequence[Marked], soa: str, leaving: Set[str], lease_update: LeaseUpdate
    ) -> dns.rcode.Rcode | None:
        """Return a message's response code; None: too large. If the key may not write the lease, send without it."""
        code = self._send_once(zone, part, soa, leaving, lease_update)
        if code == dns.rcode.REFUSED and lease_update.is_wanted and not lease_update.is_taken:
            lease_update.is_wanted = False
            code = self._send_once(zone, part, soa, leaving, lease_update)
            lease_update.is_wanted = (
                code == dns.rcode.REFUSED
            )  # refused without the lease too: the lease is not the reason
        elif code == dns.rcode.NOERROR and lease_update.is_wanted:
            lease_update.is_taken = True
        return code

    def _send_once(
        self, zone: Zone, part: Sequence[Marked], soa: str, leaving: Set[str], lease_update: LeaseUpdate
    ) -> dns.rcode.Rcode | None:
        update = UpdateBuilder(dns.update.UpdateMessage(zone.name, keyring=self._tsig(zone.key)))
        fill(update, part, soa, zone, leaving)
        lease_update.fill(update)
        try:
            return self._ask(zone, zone.primary, update.message, tcp=True).rcode()
        except MessageTooLarge:
            return None

    def release(self, zone: Zone, lease: Leasing) -> None:
        update = UpdateBuilder(dns.update.UpdateMessage(zone.name, keyring=self._tsig(zone.key)))
        update.present(lease.name, "TXT", lease.after)
        update.delete(lease.name, "TXT")
        self._ask(zone, zone.primary, update.message, tcp=True)

    def notify(self, zone: Zone, server: NameServer) -> None:
        message = dns.message.make_query(zone.name, "SOA")
        if zone.key is not None:
            message.use_tsig(self._key(zone.key))
        message.set_opcode(dns.opcode.NOTIFY)
        message.flags |= dns.flags.AA
        message.flags &= ~dns.flags.RD
        self._accepted(server, self._ask(zone, server, message).rcode())

    def may_update(self, zone: Zone, places: Sequence[RRsetKey]) -> None:
        """Check that the key may update these names and their ownership records, without changing anything.

        Deletes a record that no zone has from each. Without declared names, a name of ours is tried.
        """
        tried = [(name, kind) for place in places for name, kind in (place, (marker_name(place), "TXT"))]
        tried = tried or [(f"_multiall-doctor.{zone.name}", "TXT")]
        for start in range(0, len(tried), MOST):
            code = self._may(zone, part := tried[start : start + MOST])
            if code == dns.rcode.REFUSED:
                self._find_refused_name(zone, part)
            self._accepted(zone.primary, code)

    def may_lease(self, zone: Zone, place: RRsetKey) -> None:
        """Check that the key may write the lease. Raises MemberFault."""
        self._accepted(zone.primary, self._may(zone, [place]))

    def _may(self, zone: Zone, places: Sequence[RRsetKey]) -> dns.rcode.Rcode:
        message = dns.update.UpdateMessage(zone.name, keyring=self._tsig(zone.key))
        for name, kind in places:
            message.delete(as_name(name), as_rdata(kind, NEVER[kind]))
        return self._ask(zone, zone.primary, message, tcp=True).rcode()

    def _find_refused_name(self, zone: Zone, places: Sequence[RRsetKey]) -> None:
        """Find the first refused name, if others are not refused. Raises MemberFault."""
        refused = [each for each in places if self._may(zone, [each]) == dns.rcode.REFUSED]
        if refused and len(refused) < len(places):
            what = f"refuses {key_of(refused[0])}" + (f" (and {len(refused) - 1} more)" if refused[1:] else "")
            raise MemberFault(zone.primary.name, what, "grant it in `update-policy`, with its ownership record")

    # --- messages -----------------------------------------------------------------------------------------------

    def _ask(
        self, zone: Zone, server: NameServer, message: dns.message.Message, *, tcp: bool = False
    ) -> dns.message.Message:
        with self._explained_errors(zone, server) as address:
            if tcp:
                return dns.query.tcp(message, address, port=server.port, timeout=self._timeout)
            try:
                wire = exchange(address, server.port, message.to_wire(), self._timeout)
            except ValueError as fault:
                raise MemberFault(server.name, str(fault), "check that it is a name server") from None
            if wire[2] & CUT:
                return dns.query.tcp(message, address, port=server.port, timeout=self._timeout)
            return dns.message.from_wire(wire, keyring=message.keyring, request_mac=message.mac)

    @contextmanager
    def _explained_errors(self, zone: Zone, server: NameServer, key: Key | None = None) -> Iterator[str]:
        """Yield the server's address; turn protocol errors in the block into errors with a next step."""
        with resolve_server(server, self._timeout, self._network) as address:
            try:
                yield address
            except dns.exception.Timeout:
                raise TimeoutError from None
            except dns.tsig.PeerBadTime:
                what = "its clock and this host's differ by more than five minutes (BADTIME)"
                raise MemberFault(server.name, what, "synchronize both by NTP, and compare `date` on both") from None
            except (dns.tsig.PeerBadKey, dns.tsig.PeerBadSignature, dns.tsig.BadSignature, dns.message.UnknownTSIGKey):
                used = key or zone.key
                what = f"rejected the TSIG key {used.name if used else ''} (BADKEY or BADSIG)"
                raise MemberFault(server.name, what, "compare name, algorithm and secret with its named.conf") from None
            except dns.tsig.BadTime:
                raise MemberFault(server.name, "its clock and this host's differ", "synchronize both by NTP") from None
            except dns.xfr.TransferError as fault:
                what, todo = _REFUSALS.get(fault.rcode, (f"sends no zone: {fault}", "check its log"))
                raise MemberFault(server.name, f"{what} (asked for {zone.shown})", todo) from None
            except dns.exception.TooBig:
                raise MessageTooLarge from None
            except dns.exception.DNSException as fault:
                what = f"sent an invalid answer ({type(fault).__name__}: {fault})"
                raise MemberFault(server.name, what, "check its log") from None

    def _accepted(self, server: NameServer, code: dns.rcode.Rcode) -> None:
        if code != dns.rcode.NOERROR:
            raise MemberFault(server.name, *_refusal(code))

    def _tsig(self, key: Key | None) -> dns.tsig.Key | None:
        return None if key is None else self._key(key)

    def _key(self, key: Key) -> dns.tsig.Key:
        if key not in self._keys:
            self._keys[key] = tsig_of(key, self._reveal(key.secret))
        return self._keys[key]


# --- zones as values ------------------------------------------------------------------------------------------------


def content_of(zone: Zone, found: dns.zone.Zone) -> ZoneContent:
    """Convert a zone of dnspython. Raises MemberFault if it has no SOA."""
    rrsets: dict[RRsetKey, RRset] = {}
    serial, soa = 0, ""
    for name, rdataset in found.iterate_rdatasets():
        if rdataset.rdtype == dns.rdatatype.SOA:
            serial, soa = int(rdataset[0].serial), rdataset[0].to_text()
        place = (name.to_text().lower(), dns.rdatatype.to_text(rdataset.rdtype))
        rrsets[place] = _rrset(rdataset)
    if not soa:
        raise MemberFault(zone.primary.name, f"sent the zone {zone.shown} without its SOA", "check its log")
    return ZoneContent(serial, soa, rrsets)


def _rrset(rdataset: dns.rdataset.Rdataset) -> RRset:
    exact = rdataset.rdtype == dns.rdatatype.TXT  # all other managed types contain names, which ignore case
    values = (each.to_text() if exact else each.to_text().lower() for each in rdataset)
    return RRset(rdataset.ttl, tuple(sorted(values)))


def _refusal(code: dns.rcode.Rcode) -> tuple[str, str]:
    return _REFUSALS.get(code, (f"answered {dns.rcode.to_text(code)}", "check its log"))
