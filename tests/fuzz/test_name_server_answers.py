"""The line between us and a name server: any message is an answer or that server's fault, soon."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from queue import SimpleQueue

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.dns.queries import Queries, SignedQueries
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.records import RRset
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.remote.formats.dns_message import TYPES, encode_query, read_answer, read_records
from tests.fuzz.cases import cases
from tests.fuzz.verdict import controls
from tests.limits import HANG

NAME = "a.test."
Told = Callable[[bytes], bytes]

pointers = st.builds(lambda at: struct.pack("!H", 0xC000 | at), st.sampled_from([0, 12, 13, 14, 20, 16383]))
labels = st.binary(min_size=1, max_size=63).map(lambda label: struct.pack("!B", len(label)) + label)
names = st.builds(lambda some, end: b"".join(some) + end, st.lists(labels, max_size=5), pointers | st.just(b"\0"))
bodies = st.binary(max_size=24) | st.builds(lambda *parts: b"".join(parts), names, names, st.binary(max_size=20))


def _record(name: bytes, kind: int, ttl: int, body: bytes, wrong: int) -> bytes:
    return name + struct.pack("!2HIH", kind, 1, ttl, max(0, len(body) + wrong)) + body


kinds = st.sampled_from([*TYPES.values(), 99])
lengths = st.sampled_from([0, 0, 0, 0, 1, -1, 9000])
records = st.builds(_record, names, kinds, st.integers(0, 2**32 - 1), bodies, lengths)
flags = st.sampled_from([0x8400, 0x8400, 0x8400, 0x8600, 0x8403, 0x8405, 0x0400, 0])
counts = st.integers(0, 3) | st.just(65535)


def _message(flags: int, asks: int, count: int, told: list[bytes], cut: int) -> Told:
    """What is told of a question, from behind its number on; `cut`: letters of it that do not come."""

    def of(asked: bytes) -> bytes:
        whole = struct.pack("!5H", flags, asks, count, 0, 0) + (asked[12:] if asks == 1 else b"") + b"".join(told)
        return whole[: max(0, len(whole) - cut)]

    return of


asks = st.sampled_from([1, 1, 1, 0, 2])
messages = st.builds(_message, flags, asks, counts, st.lists(records, max_size=3), st.sampled_from([0, 0, 0, 1, 9, 99]))
noise = st.binary(max_size=40).map(lambda told: lambda asked: told)


SOUND = _message(0x8400, 1, 1, [_record(b"\xc0\x0c", TYPES["SOA"], 1, b"\0\0" + bytes(20), 0)], 0)


class Says:
    """A name server on loopback that answers as it is told to, over UDP alone, and then as it should."""

    def __init__(self, port: int) -> None:
        self.server = NameServer("ns1", "127.0.0.1", port)
        self.told: SimpleQueue[Told] = SimpleQueue()

    def serve(self, bound: socket.socket) -> None:
        while True:
            asked, whom = bound.recvfrom(4096)
            if not asked:
                return
            bound.sendto(asked[:2] + self.told.get()(asked), whom)
            bound.sendto(asked[:2] + SOUND(asked), whom)


@pytest.fixture(scope="module")
def says() -> Iterator[Says]:
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        made = Says(bound.getsockname()[1])
        thread = threading.Thread(target=made.serve, args=(bound,), daemon=True)
        thread.start()
        yield made
        with socket.socket(type=socket.SOCK_DGRAM) as last:
            last.sendto(b"", bound.getsockname())
        thread.join(HANG)


def _no_key() -> SignedQueries:
    raise AssertionError("no key is known")


@cases(400)
@given(messages | noise)
@example(lambda asked: b"")
@example(lambda asked: b"\x84")
@example(lambda asked: b"\x86\0")
@example(_message(0x8400, 1, 1, [_record(b"\xc0\x0c", TYPES["SOA"], 1, b"\x05a b c\0\0" + bytes(20), 0)], 0))
def test_any_message_is_an_answer_or_a_fault_of_the_server(says: Says, told: Told) -> None:
    queries, zone = Queries(10.0, nullcontext, _no_key), Zone(NAME, says.server)
    for ask in (
        lambda: queries.serial(zone, says.server),
        lambda: queries.answers(zone, says.server, [(NAME, "SOA")])[NAME, "SOA"],
    ):
        says.told.put(told)
        try:
            assert isinstance(ask(), int | RRset | None)
        except (MemberFault, Unreachable) as fault:
            assert controls(str(fault)) == set()


@cases(2000)
@given(messages | noise, st.sampled_from(list(TYPES.values())))
def test_any_message_is_read_or_makes_no_sense(told: Told, kind: int) -> None:
    asked = encode_query(7, NAME, kind)
    for read in (read_answer, read_records):
        with contextlib.suppress(ValueError):
            assert len(read(asked[:2] + told(asked), asked, kind)) == 2
