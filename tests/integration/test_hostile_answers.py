"""Answers to other questions, with the number of ours: a query waits for the right one."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import dns.flags
import dns.message
import dns.rrset
import dns.tsig
import pytest

from multiall_cli.adapters.dns.servers import DnsServers
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.records import RRset
from multiall_cli.domain.values import Secret
from multiall_cli.domain.zones import Key, NameServer, Zone
from multiall_cli.remote.facts.dns import dns as dns_fact
from tests.fixtures.bind9 import SECRET
from tests.limits import HANG

ZONE = "a.test."
KEY = Key("multiall.", "hmac-sha256", Secret("env", "X"))
TSIG = dns.tsig.Key("multiall.", SECRET, "hmac-sha256")
Spoof = Callable[[bytes], bytes]


def _answer(asked: bytes) -> bytes:
    """The right one, signed where the question was."""
    query = dns.message.from_wire(asked, keyring=TSIG)
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    name, kind = query.question[0].name, query.question[0].rdtype
    text = "ns1.a.test. h.a.test. 7 3600 600 86400 60" if kind == 6 else "192.0.2.7"
    answer.answer = [dns.rrset.from_text(name, 60, "IN", kind, text)]
    return answer.to_wire()


def _other_question(asked: bytes) -> bytes:
    query = dns.message.make_query("other.test.", "SOA", id=struct.unpack("!H", asked[:2])[0])
    return dns.message.make_response(query).to_wire()


def _question_itself(asked: bytes) -> bytes:
    return asked


def _two_questions(asked: bytes) -> bytes:
    return asked[:2] + struct.pack("!5H", 0x8400, 2, 0, 0, 0) + 2 * b"\1a\0\0\1\0\1"


def _number_alone(asked: bytes) -> bytes:
    return asked[:2]


SPOOFS = [_other_question, _question_itself, _two_questions, _number_alone]


@contextmanager
def _serving(spoof: Spoof, *, honest: bool = True) -> Iterator[NameServer]:
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))

        def serve() -> None:
            while asked := bound.recvfrom(4096):
                if not asked[0]:
                    return
                for _ in range(5):
                    bound.sendto(spoof(asked[0]), asked[1])
                if honest:
                    bound.sendto(_answer(asked[0]), asked[1])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield NameServer("ns1", "127.0.0.1", bound.getsockname()[1])
        with socket.socket(type=socket.SOCK_DGRAM) as last:
            last.sendto(b"", bound.getsockname())
        thread.join(HANG)


@pytest.mark.parametrize("spoof", SPOOFS)
def test_a_query_waits_for_the_answer_to_its_own_question(spoof: Spoof) -> None:
    with _serving(spoof) as server:
        made = DnsServers(lambda secret: SECRET, 5.0, nullcontext)
        zone = Zone(ZONE, server, key=KEY)
        assert made.serial(zone, server) == 7
        assert made.signed_serial(zone, server) == 7
        place = ("www.a.test.", "A")
        assert made.answers(zone, server, [place]) == {place: RRset(60, ("192.0.2.7",))}
        made.notify(zone, server)
        assert dns_fact("www.a.test", server="127.0.0.1", port=server.port)["answers"] == ["192.0.2.7"]


def test_a_server_that_only_answers_other_questions_is_at_fault_and_not_for_ever() -> None:
    began = time.monotonic()
    with _serving(_other_question, honest=False) as server:
        made = DnsServers(lambda secret: SECRET, 0.5, nullcontext)
        zone = Zone(ZONE, server, key=KEY)
        for ask in (
            lambda: made.serial(zone, server),
            lambda: made.signed_serial(zone, server),
            lambda: made.answers(zone, server, [("www.a.test.", "A")]),
        ):
            with pytest.raises(MemberFault, match="its answers do not match the query"):
                ask()
    assert time.monotonic() - began < 5
