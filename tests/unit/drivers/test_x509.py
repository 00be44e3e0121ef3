"""Certificates: how long they hold, since when and for whom; and texts that are none."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.drivers.x509 import values
from tests.fixtures.certified import made, pem

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
DAY = 86400.0
OWN = made("own", "intermediate", (-1, 200), ("a.example", "*.b.example", "192.0.2.1", "2001:db8::1"), now=NOW)


def test_how_long_and_for_whom() -> None:
    told = values({"present": True, "pem": [pem(OWN)]}, NOW)
    names = ["a.example", "*.b.example", "192.0.2.1", "2001:db8::1"]
    assert told == {"present": True, "left": 200 * DAY, "started": True, "names": names}
    assert values({"pem": pem(made("own", "own", now=NOW))}, NOW)["names"] == [], "no name by its subject"
    assert values({"present": False}, NOW) == {"present": False}


def test_a_dns_name_that_looks_like_an_address_stands_for_none() -> None:
    """OpenSSL refuses it for 192.0.2.1: it compares an address with addresses only."""
    alike = x509.SubjectAlternativeName([x509.DNSName("192.0.2.1"), x509.DNSName("a.example")])
    moment, key = datetime.fromtimestamp(NOW, UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, moment, moment + timedelta(9))
    signed = built.add_extension(alike, critical=False).sign(key, hashes.SHA256())
    assert values({"pem": [pem(signed)]}, NOW)["names"] == ["a.example"]


def test_every_certificate_of_a_chain_counts() -> None:
    ends_soon = made("intermediate", "root", (-400, 3), signs=True, now=NOW)
    told = values({"pem": [pem(OWN), pem(ends_soon)]}, NOW)
    assert (told["left"], told["why"]) == (3 * DAY, {"left": "certificate 2 of 2, CN=intermediate"})
    assert told["names"] == values({"pem": [pem(OWN)]}, NOW)["names"], "clients go by the names of the first one"


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ([made("own", "own", (2, 9), now=NOW)], "is valid from 2026-01-03 00:00 UTC"),
        ([OWN, made("x", "y", (0.25, 9), now=NOW)], "certificate 2 of 2, CN=x is valid from 2026-01-01 06:00 UTC"),
    ],
)
def test_one_that_is_not_valid_yet(chain: list[object], words: str) -> None:
    told = values({"pem": [pem(each) for each in chain]}, NOW)  # type: ignore[arg-type]
    assert told["started"] is False
    assert isinstance(told["why"], dict)
    assert told["why"]["started"] == words


def test_what_openssl_adds_to_a_trusted_certificate_is_passed_over() -> None:
    der = OWN.public_bytes(serialization.Encoding.DER) + b"\x30\x03\x0c\x01x"
    text = base64.encodebytes(der).decode("ascii")
    trusted = f"-----BEGIN TRUSTED CERTIFICATE-----\n{text}-----END TRUSTED CERTIFICATE-----\n"
    assert values({"pem": [trusted]}, NOW)["left"] == 200 * DAY


@given(st.text() | st.just(pem(OWN).replace("M", "N")) | st.lists(st.text() | st.none() | st.integers(), max_size=3))
def test_what_is_none(text: object) -> None:
    with pytest.raises(ValueError, match=r"the certificate is invalid|there is no certificate in the answer"):
        values({"pem": text}, NOW)


def test_the_one_that_is_garbled_is_named() -> None:
    with pytest.raises(ValueError, match="certificate 2 of 3: the certificate is invalid"):
        values({"pem": [pem(OWN), pem(OWN).replace("M", "N"), pem(OWN)]}, NOW)
