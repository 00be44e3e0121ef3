"""Certificates: how long they hold and for whom; and texts that are none."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.drivers.x509 import values

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pem(*names: str, days: int = 30) -> str:
    key = Ed25519PrivateKey.generate()
    who = x509.Name([])
    built = x509.CertificateBuilder(who, who, key.public_key(), 1, NOW - timedelta(1), NOW + timedelta(days))
    if names:
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=True)
    return built.sign(key, None).public_bytes(serialization.Encoding.PEM).decode("ascii")


def test_how_long_and_for_whom() -> None:
    told = values({"present": True, "pem": pem("a.example", "b.example")}, NOW.timestamp())
    assert told == {"present": True, "left": 30 * 86400.0, "names": ["a.example", "b.example"]}
    assert values({"pem": pem()}, NOW.timestamp())["names"] == []
    assert values({"present": False}, NOW.timestamp()) == {"present": False}


@given(st.text() | st.just(pem().replace("M", "N")))
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="it is no certificate"):
        values({"pem": text}, NOW.timestamp())
