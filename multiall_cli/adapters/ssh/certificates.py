"""Certificates of OpenSSH: their keys, and whether a host's certificate is valid."""

import base64
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.ssh import (
    SSHCertificate,
    SSHCertificateType,
    SSHCertPublicKeyTypes,
    load_ssh_public_identity,
)

from multiall_cli.adapters.ssh.config import matches
from multiall_cli.domain.dataclass import dataclass

SUFFIX = "-cert-v01@openssh.com"
_UNREADABLE = (ValueError, TypeError, KeyError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, with the blobs of its key and of the key that signed it."""

    key: bytes
    authority: bytes
    parsed: SSHCertificate


def read(line: bytes) -> Certificate | None:
    """Return a certificate from a line of a file (`type base64 comment`); None if its type is unknown."""
    try:
        found = load_ssh_public_identity(line)
    except (*_UNREADABLE, InvalidSignature):
        return None
    if not isinstance(found, SSHCertificate):
        return None
    return Certificate(_blob(found.public_key()), _blob(found.signature_key()), found)


def of_blob(kind: str, blob: bytes) -> Certificate | None:
    return read(f"{kind} ".encode() + base64.b64encode(blob))


def of_file(file: Path) -> Certificate | None:
    """Raises OSError."""
    return read(file.read_bytes().strip())


def _blob(key: SSHCertPublicKeyTypes) -> bytes:
    return base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])


def public_blob(file: Path) -> bytes:
    """Return the public half of an identity: of the file, of the `.pub` beside it, or of an encrypted key's head.

    b'' if there is none.
    """
    for each in (file, file.with_name(f"{file.name}.pub")):
        try:
            text = each.read_bytes()
        except OSError:
            continue
        if found := _public_line(text) or _openssh_head(text):
            return found
    return b""


def _public_line(text: bytes) -> bytes:
    words = text.split(None, 2)
    if len(words) < 2 or words[0].startswith(b"-"):
        return b""
    try:
        blob = base64.b64decode(words[1], validate=True)
    except ValueError:
        return b""
    return blob if blob[4 : 4 + len(words[0])] == words[0] else b""


def _openssh_head(text: bytes) -> bytes:
    """Return the public key that stands before the encrypted part of OpenSSH's private key files."""
    lines = text.split(b"\n")
    if not lines or b"BEGIN OPENSSH PRIVATE KEY" not in lines[0]:
        return b""
    try:
        head = base64.b64decode(b"".join(line for line in lines if not line.startswith(b"-")))
    except ValueError:
        return b""
    rest = head.removeprefix(b"openssh-key-v1\0")
    for _ in range(3):  # cipher, kdf, and its options
        rest = rest[4 + int.from_bytes(rest[:4], "big") :]
    rest = rest[4:]  # number of keys
    return rest[4 : 4 + int.from_bytes(rest[:4], "big")]


def fault_of(certificate: Certificate, host: str, now: float | None = None) -> str:
    """Return why a host's certificate is invalid, '' if it is valid. `host`: its name or alias, without the port."""
    found = certificate.parsed
    at = time.time() if now is None else now
    names: Sequence[str] = [name.decode("utf-8", "replace") for name in found.valid_principals]
    if found.type is not SSHCertificateType.HOST:
        return "is a user certificate, not a host certificate"
    if found.critical_options:
        return "has unknown critical options"
    if at < found.valid_after:
        return f"is valid only from {_format_time(found.valid_after)}"
    if at >= found.valid_before:
        return f"ended {_format_time(found.valid_before)}"
    if names and not any(matches(host, name) for name in names):
        return f"is for {', '.join(names)}, not for {host}"
    try:
        found.verify_cert_signature()
    except (InvalidSignature, *_UNREADABLE):
        return "has an invalid signature, or an unsafe kind of signature"
    return ""


def _format_time(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"at second {seconds}"
