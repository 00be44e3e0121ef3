"""Values with several spellings, against the programs and libraries that go by them."""

import ssl
from functools import cache

import pytest

from multiall_cli.planning.likeness import covers
from tests.fixtures.certified import key_pem, made, pem

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
