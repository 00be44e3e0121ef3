"""Whether a certificate is trusted, by the authorities that a machine knows and for the name that is asked for."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
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

from multiall_cli.domain.baseline import Code
from multiall_cli.drivers.x509 import values
from multiall_cli.remote.facts.certificate import certificate, openssl_chain
from multiall_cli.remote.facts.http import http
from tests.fixtures.certified import Chain, chain, key_pem, made, pem
from tests.fixtures.judging import judged
from tests.limits import HANG

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
    with serving(context) as port:
        yield port


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    """A port that speaks TLS so, and hangs up."""
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
            thread.join(HANG)


def test_of_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certified(tmp_path)
    with secured(tmp_path) as port:
        unknown = certificate(address="127.0.0.1", port=port, name=NAME, trusted=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        known = certificate(address="127.0.0.1", port=port, name=NAME, trusted=True)
        another = certificate(address="127.0.0.1", port=port, name="other.example", trusted=True)
        assert "trusted" not in certificate(address="127.0.0.1", port=port, name=NAME)
    assert (unknown["trusted"], known["trusted"], another["trusted"]) == (False, True, False)
    assert "verify failed" in unknown["why"]["trusted"]
    assert "other.example" in another["why"]["trusted"]
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
    assert (unknown["trusted"], "unable to get local issuer" in unknown["why"]["trusted"]) == (False, True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert certificate(path=path, trusted=True)["trusted"] is True
    assert certificate(path=path, name=NAME, trusted=True)["trusted"] is True
    assert certificate(path=path, name="other.example", trusted=True)["trusted"] is False
    assert certificate(path=str(tmp_path / "none.pem"), trusted=True) == {"present": False}


# --- every certificate counts --------------------------------------------------------------------------------------


CHAINS = {
    "well": (chain(), Code.OK),
    "an intermediate that ends soon": (chain(intermediate=(-400, 3)), Code.CRIT_LIMIT),
    "an intermediate that ended": (chain(intermediate=(-400, -1)), Code.EXPIRED),
    "one of its own that is not valid yet": (chain(own=(2, 200)), Code.WRONG_STATE),
    "an intermediate that is not valid yet": (chain(intermediate=(2, 200)), Code.WRONG_STATE),
}


@pytest.mark.parametrize("which", CHAINS)
def test_every_certificate_counts_of_files_and_of_places(which: str, tmp_path: Path) -> None:
    sent, code = CHAINS[which]
    (tmp_path / "chain.pem").write_text(f"{key_pem('own')}Bag Attributes\n  friendlyName: x-\n{sent.pem}")
    of_file = judged("certificate", path=tmp_path / "chain.pem")
    with serving(sent.context(tmp_path)) as port:
        of_place = judged("certificate", address="127.0.0.1", port=port, name="www.example")
        assert openssl_chain("127.0.0.1", port, "www.example") == certificate(address="127.0.0.1", port=port)["pem"]
    assert (of_file.code, of_place.code) == (code, code), (of_file, of_place)
    assert ("certificate 2 of 2, CN=intermediate" in of_place.shows) is which.startswith("an intermediate")


def test_nothing_else_of_a_file_leaves_the_server(tmp_path: Path) -> None:
    """A key beside the certificates, as HAProxy has it, is nobody's business."""
    path = tmp_path / "haproxy.pem"
    sent = chain()
    path.write_text(key_pem("own") + sent.pem + key_pem("root"))
    told = certificate(path=str(path))
    assert told["pem"] == [pem(each).strip() for each in (sent.own, sent.intermediate)]
    assert "PRIVATE" not in str(told)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("der", made("own", "own").public_bytes(serialization.Encoding.DER), "the file is binary (DER or PKCS #12)"),
        ("empty", b"", "the file has no certificate"),
        ("key", key_pem("own").encode("ascii"), "the file has no certificate"),
        ("cut", (pem(made("own", "own")) + pem(made("own", "own"))[:200]).encode("ascii"), "1 of 2 certificates"),
        ("large", bytes(1 << 20) + pem(made("own", "own")).encode("ascii"), "is larger than 1048576 bytes"),
    ],
)
def test_files_that_are_no_certificates_are_unknown_and_never_well(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = judged("certificate", path=tmp_path / name)
    assert found.code is Code.COLLECT_ERROR
    assert words in found.shows


def test_a_folder_is_no_certificate(tmp_path: Path) -> None:
    assert "is not a regular file; name a file" in judged("certificate", path=tmp_path).shows


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_name_of_a_file_may_be_an_address(tmp_path: Path) -> None:
    sent: Chain = chain(names=("192.0.2.1", "2001:db8::1"))
    (tmp_path / "own.pem").write_text(sent.pem)
    (tmp_path / "root.pem").write_text(pem(sent.root))
    program = (
        "import sys; from multiall_cli.remote.facts.certificate import certificate;"
        "print(*(certificate(path=sys.argv[1], name=each, trusted=True)['trusted'] for each in sys.argv[2:]))"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "own.pem"), "192.0.2.1", "2001:db8::1", "192.0.2.2", NAME]
    knows = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "root.pem")}
    told = subprocess.run(argv, env=knows, capture_output=True, text=True, check=True, timeout=HANG).stdout
    assert told.split() == ["True", "True", "False", "False"]
