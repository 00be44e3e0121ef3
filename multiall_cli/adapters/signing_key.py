"""The site's own key (Ed25519), which signs the topology that it publishes."""

import base64
import os
import threading
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from multiall_cli.domain.errors import UsageError


class SigningKey:
    """The key in a file that only its owner can read; a missing file is made."""

    def __init__(self, file: Path) -> None:
        """Raises UsageError if the file holds no key."""
        self._key = _key(file)

    @property
    def public(self) -> str:
        """Base64 of the 32 bytes of the public key."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode("ascii")

    def sign(self, content: bytes) -> str:
        """Return the base64 of a signature's 64 bytes (RFC 8032)."""
        return base64.b64encode(self._key.sign(content)).decode("ascii")


def _key(file: Path) -> Ed25519PrivateKey:
    try:
        if not file.exists():
            _make(file)
        return Ed25519PrivateKey.from_private_bytes(file.read_bytes())
    except OSError as fault:
        raise UsageError(str(file), f"cannot use the site's key: {fault.strerror}", "fix its permissions") from None
    except ValueError:
        todo = "move it away: the next publication makes a new one, and its readers need the new public key"
        raise UsageError(str(file), "not an Ed25519 key", todo) from None


def _make(file: Path) -> None:
    """Make a key atomically: readers see a whole file, and of two concurrent makers the first wins."""
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
    """Return whether `signature` is valid for `content`; `key` (public) and `signature` are base64."""
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), content)
    except (ValueError, InvalidSignature):
        return False
    return True
