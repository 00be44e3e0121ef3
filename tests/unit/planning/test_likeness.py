"""Values with several spellings, against the programs and libraries that go by them."""

import ssl
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.baseline import Code, FactValue
from multiall_cli.planning.lint import values_that_never_are
from multiall_cli.planning.thresholds import judge
from multiall_cli.planning.value_comparison import covers, never_answers, same_listener, same_record
from tests.fixtures.certified import key_pem, made, pem
from tests.fixtures.judging import ruled

EVERY = ("0.0.0.0", "::")
ONLY6 = ":: (IPv6 only)"
NAMES = (
    "www.example.net", "WWW.Example.NET", "*.example.net", "*.net", "*.www.example.net", "w*.example.net",
    "192.0.2.1", "2001:db8::1", "example.net", "*",
)  # fmt: skip
WANTED = (
    "www.example.net", "www.example.net.", "Www.example.net", "a.www.example.net", "example.net", "192.0.2.1",
    "192.0.2.2", "2001:DB8:0::1", "2001:db8::2", "web.example.net", "xn--bcher-kva.example.net", "net",
)  # fmt: skip


@cache
def _trusting(name: str, folder: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server with a certificate for one name, and a client that trusts it."""
    certificate = pem(made("own", "own", names=(name,), signs=True))
    path = f"{folder}/{NAMES.index(name)}.pem"
    with open(path, "w") as opened:
        opened.write(certificate + key_pem("own"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=certificate)


def _is_taken(name: str, wanted: str, folder: str) -> bool:
    """Whether OpenSSL takes the certificate for a place of this name; no connection is made."""
    server, client = _trusting(name, folder)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(back, there, server_hostname=wanted)
    says = server.wrap_bio(there, back, server_side=True)
    for _ in range(5):
        for each in (asks, says):
            try:
                each.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_that_openssl_takes(name: str, folder: str) -> None:
    found = {wanted: covers({}, wanted, name) for wanted in WANTED}
    # OpenSSL wants a name without its final dot; it is the same name.
    assert found == {wanted: _is_taken(name, wanted.removesuffix("."), folder) for wanted in WANTED}


@pytest.mark.parametrize(
    ("wanted", "has", "is_so"), [("*.a.b", "*.A.b", True), ("*.a.b", "*.b", False), ("", "*.a.b", False)]
)
def test_a_name_with_a_star_may_be_wanted_itself(wanted: str, has: str, is_so: bool) -> None:
    assert covers({}, wanted, has) is is_so


@pytest.mark.parametrize(
    ("check", "asked", "values", "code"),
    [
        ("dns", {"type": "CNAME", "answers": "Web1.example.net."}, {"answers": ["web1.example.net"]}, Code.OK),
        ("dns", {"type": "cname", "answers": "web2.example.net."}, {"answers": ["web1.example.net"]}, Code.WRONG_VALUE),
        ("dns", {"type": "AAAA", "answers": "2001:DB8:0:0::1"}, {"answers": ["2001:db8::1"]}, Code.OK),
        ("dns", {"type": "MX", "answers": "10 MAIL.example.net."}, {"answers": ["10 mail.example.net"]}, Code.OK),
        ("dns", {"type": "MX", "answers": "20 mail.a.b"}, {"answers": ["10 mail.a.b"]}, Code.WRONG_VALUE),
        ("dns", {"type": "SRV", "answers": "0 05 443 A.b."}, {"answers": ["0 5 443 a.b"]}, Code.OK),
        ("dns", {"type": "TXT", "answers": '"v=spf1 " "-all"'}, {"answers": ["v=spf1 -all"]}, Code.OK),
        ("dns", {"type": "TXT", "answers": "V=spf1 -all"}, {"answers": ["v=spf1 -all"]}, Code.WRONG_VALUE),
        ("dns", {"answers": "192.0.2.1"}, {"answers": ["192.0.2.1", "192.0.2.2"]}, Code.OK),
        ("dns", {"only": "192.0.2.1"}, {"answers": ["192.0.2.1", "192.0.2.2"]}, Code.WRONG_VALUE),
        ("dns", {"only": ["192.0.2.2", "192.0.2.1"]}, {"answers": ["192.0.2.1", "192.0.2.2"]}, Code.OK),
        ("port", {"port": 80, "addresses": "0.0.0.0"}, {"open": True, "addresses": ["::"]}, Code.OK),
        ("port", {"port": 80, "addresses": ["0.0.0.0", "::"]}, {"open": True, "addresses": ["::"]}, Code.OK),
        ("port", {"port": 8, "addresses": "0.0.0.0"}, {"open": True, "addresses": [*EVERY]}, Code.WRONG_ACCESS),
        ("port", {"port": 80, "addresses": "::"}, {"open": True, "addresses": ["0.0.0.0"]}, Code.WRONG_ACCESS),
        ("port", {"port": 8, "addresses": "0.0.0.0"}, {"open": True, "addresses": [ONLY6]}, Code.WRONG_ACCESS),
        ("port", {"port": 80, "addresses": "::"}, {"open": True, "addresses": [ONLY6]}, Code.OK),
        ("port", {"port": 80, "addresses": "127.0.0.1"}, {"open": True, "addresses": ["::ffff:127.0.0.1"]}, Code.OK),
        ("port", {"port": 80, "addresses": "0:0::1"}, {"open": True, "addresses": ["::1"]}, Code.OK),
        ("sysctl", {"name": "x", "value": "4096\t1  2"}, {"value": "4096 1 2"}, Code.OK),
        ("user", {"name": "x", "home": "/home/x/"}, {"home": "/home/x"}, Code.OK),
        ("file", {"path": "/x", "sha256": "ABC"}, {"sha256": "abc"}, Code.OK),
        ("interface", {"name": "lo", "state": "UP"}, {"state": "up"}, Code.OK),
        ("certificate", {"path": "/x", "names": "www.A.example"}, {"names": ["*.a.example"], "left": 1e7}, Code.OK),
    ],
)  # fmt: skip
def test_values_are_compared_by_their_type(
    check: str, asked: dict[str, object], values: dict[str, object], code: Code
) -> None:
    found = {"present": True, **({"started": True} if check == "certificate" else {}), **values}
    assert judge(ruled(check, **({"name": "x"} if check == "dns" else {}), **asked), FactValue(found)).code is code


@pytest.mark.parametrize(
    ("check", "asked", "todo"),
    [
        ("port", {"port": 80, "addresses": ["127.0.0.1", "localhost"]}, "write an IP address"),
        ("dns", {"name": "x", "answers": "2001:db8::1"}, "write an address of IPv4, or `type: AAAA`"),
        ("dns", {"name": "x", "answers": "www.example.net"}, "or `type: CNAME`"),
        ("dns", {"name": "x", "type": "MX", "only": "mail.example.net"}, "write such as '10 mail"),
        ("dns", {"name": "x", "type": "CNAME", "answers": "192.0.2.1"}, "write a name"),
    ],
)
def test_what_can_never_be_so_is_odd(check: str, asked: dict[str, object], todo: str) -> None:
    found = list(values_that_never_are(ruled(check, **asked)))
    assert len(found) == 1
    assert todo in found[0].todo
    assert "can never be" in found[0].what


@given(st.text(), st.text(), st.sampled_from(["A", "AAAA", "MX", "SRV", "TXT", "NS", "SOA"]))
def test_no_text_is_a_surprise(one: str, other: str, kind: str) -> None:
    subject = {"type": kind}
    assert same_record(subject, one, one)
    assert same_record(subject, one, other) == same_record(subject, other, one)
    assert same_listener({}, one, one, {one})
    assert isinstance(covers({}, one, other), bool)
    assert isinstance(never_answers(subject, one), str)
