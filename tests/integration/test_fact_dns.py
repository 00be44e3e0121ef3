"""DNS as a gauge asks it, of servers that dnspython's answers are given by."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.remote.facts import dns as dns_fact
from multiall_cli.remote.facts.sources import CollectError
from multiall_cli.remote.formats.dns_message import TYPES, encode_query, read_answer
from tests.limits import HANG

Answer = Callable[[dns.message.Message], bytes | None]

ZONE = [
    ("A", "300 IN A", ["192.0.2.2", "192.0.2.1"], ["192.0.2.1", "192.0.2.2"]),
    ("AAAA", "300 IN AAAA", ["2001:db8::1"], ["2001:db8::1"]),
    ("CNAME", "300 IN CNAME", ["Other.example."], ["other.example"]),
    ("NS", "300 IN NS", ["a.ns.example."], ["a.ns.example"]),
    ("MX", "300 IN MX", ["20 b.example.", "10 www.example."], ["10 www.example", "20 b.example"]),
    ("TXT", "300 IN TXT", ['"v=spf1 " "-all"', '"x"'], ["v=spf1 -all", "x"]),
]


def with_records(kind: str, records: list[str]) -> Answer:
    def answer(asked: dns.message.Message) -> bytes:
        made = dns.message.make_response(asked)
        made.answer.append(dns.rrset.from_text(asked.question[0].name, 300, "IN", kind, *records))
        return made.to_wire()

    return answer


def with_code(code: dns.rcode.Rcode) -> Answer:
    def answer(asked: dns.message.Message) -> bytes:
        made = dns.message.make_response(asked)
        made.set_rcode(code)
        return made.to_wire()

    return answer


def over_udp(bound: socket.socket, ended: threading.Event, answer: Answer) -> None:
    while not ended.is_set():
        try:
            asked, whom = bound.recvfrom(4096)
        except TimeoutError:
            continue
        told = answer(dns.message.from_wire(asked))
        if told is not None:
            bound.sendto(told, whom)


def over_tcp(listening: socket.socket, ended: threading.Event, answer: Answer) -> None:
    while not ended.is_set():
        try:
            opened, _ = listening.accept()
        except TimeoutError:
            continue
        with opened:
            opened.settimeout(5)
            asked = opened.recv(struct.unpack("!H", opened.recv(2))[0])
            told = answer(dns.message.from_wire(asked))
            if told is not None:
                whole = struct.pack("!H", len(told)) + told
                opened.sendall(whole[:5])  # in two pieces
                opened.sendall(whole[5:])


@contextmanager
def serving(udp: Answer, tcp: Answer = lambda asked: None) -> Iterator[int]:
    """The port of a name server that answers so."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(type=socket.SOCK_DGRAM) as bound:
        port = listening.getsockname()[1]
        bound.bind(("127.0.0.1", port))
        bound.settimeout(0.2)
        listening.settimeout(0.2)
        ended = threading.Event()
        threads = [
            threading.Thread(target=over_udp, args=(bound, ended, udp), daemon=True),
            threading.Thread(target=over_tcp, args=(listening, ended, tcp), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield port
        finally:
            ended.set()
            for thread in threads:
                thread.join(HANG)


def ask(port: int, kind: str = "A", name: str = "www.example") -> dict[str, object]:
    told = dict(dns_fact.dns(name, kind, "127.0.0.1", port))
    took = told.pop("took", 0.0)
    assert isinstance(took, float)
    assert 0 <= took < 5
    return told


@pytest.mark.parametrize(("kind", "line", "records", "answers"), ZONE)
def test_every_kind(kind: str, line: str, records: list[str], answers: list[str]) -> None:
    with serving(with_records(kind, records)) as port:
        assert ask(port, kind) == {"present": True, "answers": answers}
        assert ask(port, kind.lower(), "www.example.")["answers"] == answers


def test_an_alias_is_followed_as_far_as_the_answer_goes() -> None:
    def answer(asked: dns.message.Message) -> bytes:
        made = dns.message.make_response(asked)
        made.answer.append(dns.rrset.from_text(asked.question[0].name, 300, "IN", "CNAME", "other.example."))
        made.answer.append(dns.rrset.from_text("other.example.", 300, "IN", "A", "192.0.2.9"))
        return made.to_wire()

    with serving(answer) as port:
        assert ask(port)["answers"] == ["192.0.2.9"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (dns.rcode.NXDOMAIN, "127.0.0.1 answers NXDOMAIN"),
        (dns.rcode.SERVFAIL, "127.0.0.1 answers SERVFAIL"),
        (dns.rcode.NOERROR, "127.0.0.1 answers that there are none"),
    ],
)
def test_what_has_no_answer(code: dns.rcode.Rcode, why: str) -> None:
    with serving(with_code(code)) as port:
        assert ask(port) == {"present": False, "answers": [], "why": why}


def test_an_answer_that_is_cut_short_is_asked_for_over_tcp() -> None:
    many = [f"192.0.2.{each}" for each in range(1, 200)]

    def cut(asked: dns.message.Message) -> bytes:
        made = dns.message.make_response(asked)
        made.flags |= dns.flags.TC
        return made.to_wire()

    with serving(cut, with_records("A", many)) as port:
        assert ask(port)["answers"] == sorted(many)
    with serving(cut) as port:
        assert ask(port) == {"present": False, "why": "127.0.0.1: the answer is cut short"}


def test_answers_to_something_else_are_passed_over_or_refused() -> None:
    def other(asked: dns.message.Message) -> bytes:
        made = dns.message.make_response(dns.message.make_query("evil.example.", "A", id=asked.id))
        return made.to_wire()

    with serving(other) as port:
        assert ask(port) == {"present": False, "why": "127.0.0.1: the answer is to another question"}
    with serving(lambda asked: b"\0\0" + with_records("A", ["192.0.2.1"])(asked)[2:]) as port:  # type: ignore[index]
        assert ask(port)["present"] is False


def test_one_question_may_be_lost() -> None:
    heard = []

    def second(asked: dns.message.Message) -> bytes | None:
        heard.append(asked.id)
        return with_records("A", ["192.0.2.1"])(asked) if len(heard) > 1 else None

    with serving(second) as port:
        assert ask(port)["present"] is True


def test_nobody_answers() -> None:
    with serving(lambda asked: None) as port:
        assert ask(port) == {"present": False, "why": "127.0.0.1: no answer within 1 s"}


def test_what_cannot_be_asked() -> None:
    for name, kind in (("www.example", "ANY"), ("a..b", "A"), ("x" * 64 + ".example", "A"), ("x." * 200, "A")):
        with pytest.raises(CollectError):
            dns_fact.dns(name, kind, "127.0.0.1", 1)


def test_the_servers_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    assert dns_fact.nameservers(str(path)) == ["127.0.0.1"]
    path.write_text("# x\nsearch example\nnameserver 192.0.2.1\nnameserver ::1 # y\nnameserver 192.0.2.3\n")
    assert dns_fact.nameservers(str(path)) == ["192.0.2.1", "::1"]


ASKED = encode_query(7, "www.example", 1)


def test_a_name_is_no_longer_than_names_are() -> None:
    """One that goes through the whole message, told by each of many records, would take half a minute."""
    long = b"".join(b"\1a" for _ in range(200))
    body = ASKED[12:] + b"\xc0\x0c" + struct.pack("!2HIH", 16, 1, 1, len(long) + 1) + long + b"\0"
    at = 12 + len(ASKED[12:]) + 12
    told = struct.pack("!6H", 7, 0x8400, 1, 2, 0, 0) + body + struct.pack("!H2HIH", 0xC000 | at, 1, 1, 1, 4) + bytes(4)
    with pytest.raises(ValueError, match="the answer is malformed"):
        read_answer(told, ASKED, 1)
    told = told.replace(struct.pack("!H", 0xC000 | at), struct.pack("!H", 0xC000 | at + 146))
    assert read_answer(told, ASKED, 1) == (0, ["0.0.0.0"])


def test_a_question_is_what_dnspython_reads() -> None:
    read = dns.message.from_wire(encode_query(7, "xn--bcher-kva.example", 28))
    assert read.question[0].to_text() == "xn--bcher-kva.example. IN AAAA"
    assert read.flags == dns.flags.RD


@given(st.binary(max_size=80), st.sampled_from(sorted(TYPES.values())))
def test_no_answer_is_a_surprise(noise: bytes, kind: int) -> None:
    head = struct.pack("!6H", 7, 0x8180, 1, 3, 0, 0)
    for answer in (noise, head + noise, head + ASKED[12:] + noise):
        try:
            code, answers = read_answer(answer, ASKED, kind)
        except ValueError:
            continue
        assert 0 <= code < 16
        assert all(isinstance(each, str) for each in answers)
