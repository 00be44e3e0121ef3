"""Whether a certificate is trusted, by the authorities that a machine knows and for the name that is asked for."""

import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from multiall_cli.drivers.x509 import values
from multiall_cli.remote.gauge_network import certificate, http

NAME = "www.example"


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certified(folder: Path) -> None:
    """ca.pem, and own.pem with own.key that it signed."""
    now = datetime.fromtimestamp(time.time(), UTC)
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    signs = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage)
    above = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    root = (
        x509.CertificateBuilder(named("authority"), named("authority"), authority.public_key(), 1)
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(signs, critical=True)
        .add_extension(above, critical=False)
        .sign(authority, hashes.SHA256())
    )
    leaf = (
        x509.CertificateBuilder(named("authority"), named(NAME), own.public_key(), 2)
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "own.pem").write_bytes(leaf.public_bytes(pem))
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "own.key").write_bytes(own.private_bytes(pem, kind, plain))


@contextmanager
def secured(folder: Path) -> Iterator[int]:
    """A port that speaks TLS with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    opened, _ = listening.accept()
                    opened.settimeout(5)
                    with context.wrap_socket(opened, server_side=True):
                        continue
                except OSError:  # who trusts it not goes away
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            thread.join(10)


def test_of_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certified(tmp_path)
    with secured(tmp_path) as port:
        unknown = certificate(address="127.0.0.1", port=port, name=NAME, trusted=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        known = certificate(address="127.0.0.1", port=port, name=NAME, trusted=True)
        another = certificate(address="127.0.0.1", port=port, name="other.example", trusted=True)
        assert "trusted" not in certificate(address="127.0.0.1", port=port, name=NAME)
    assert (unknown["trusted"], known["trusted"], another["trusted"]) == (False, True, False)
    assert "verify failed" in unknown["why"]
    assert "other.example" in another["why"]
    told = values(known, time.time())
    assert (told["trusted"], told["names"]) == (True, [NAME])
    assert values(unknown, 0.0)["trusted"] is False
    assert certificate(address="127.0.0.1", port=port, trusted=True)["present"] is False


def test_https_is_spoken_with_who_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs up without a word of HTTP, once it is spoken with."""
    certified(tmp_path)
    with secured(tmp_path) as port:
        unknown = http(f"https://127.0.0.1:{port}")["why"]
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        another = http(f"https://127.0.0.1:{port}")["why"]
        insecure = http(f"https://127.0.0.1:{port}", insecure=True)["why"]
    assert "unable to get local issuer" in unknown
    assert "not valid for '127.0.0.1'" in another
    assert "closed connection" in insecure or "reset" in insecure


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certified(tmp_path)
    path = str(tmp_path / "own.pem")
    unknown = certificate(path=path, trusted=True)
    assert (unknown["trusted"], "unable to get local issuer" in unknown["why"]) == (False, True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert certificate(path=path, trusted=True)["trusted"] is True
    assert certificate(path=path, name=NAME, trusted=True)["trusted"] is True
    assert certificate(path=path, name="other.example", trusted=True)["trusted"] is False
    assert certificate(path=str(tmp_path / "none.pem"), trusted=True) == {"present": False}
