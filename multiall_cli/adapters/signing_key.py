"""The site's own key (Ed25519), with which what it publishes is signed."""

import base64
import os
import threading
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from multiall_cli.domain.errors import UsageError


class SigningKey:
    """Signs with the key in a file, which is made when it is first needed and which only its owner reads."""

    def __init__(self, file: Path) -> None:
        """Errors: UsageError where the file holds no key."""
        self._key = _key(file)

    @property
    def public(self) -> str:
        """Base64 of its 32 bytes."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode("ascii")

    def sign(self, content: bytes) -> str:
        """Base64 of the 64 bytes of a signature (RFC 8032)."""
        return base64.b64encode(self._key.sign(content)).decode("ascii")


def _key(file: Path) -> Ed25519PrivateKey:
    try:
        if not file.exists():
            _make(file)
        return Ed25519PrivateKey.from_private_bytes(file.read_bytes())
    except OSError as fault:
        raise UsageError(str(file), f"the site's key cannot be used: {fault.strerror}", "mend its rights") from None
    except ValueError:
        todo = "move it away: the next publication makes a new one, which its readers have to be given"
        raise UsageError(str(file), "it holds no key", todo) from None


def _make(file: Path) -> None:
    """A new key, which is whole as soon as it can be seen; of two that make one at once, the first one's counts."""
    aside = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as new:
            new.write(Ed25519PrivateKey.generate().private_bytes_raw())
            new.flush()
            os.fsync(new.fileno())
        with suppress(FileExistsError):
            os.link(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def is_signed(content: bytes, key: str, signature: str) -> bool:
    """Whether the owner of a public key signed this; both are base64."""
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), content)
    except (ValueError, InvalidSignature):
        return False
    return True
