"""TSIG keys from the value of a secret: base64 alone, or a file as `tsig-keygen` writes it."""

import base64
import re

import dns.name
import dns.tsig

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.zones import Key

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|#[^\n]*", re.DOTALL)
_BLOCK = re.compile(r'\bkey\s+"?(?P<name>[^\s"{};]+)"?\s*\{(?P<body>[^{}]*)\}')
_ALGORITHM = re.compile(r'\balgorithm\s+"?([A-Za-z0-9.-]+)"?\s*;')
_SECRET = re.compile(r'\bsecret\s+"?([A-Za-z0-9+/=]+)"?\s*;')


def tsig_of(key: Key, text: str) -> dns.tsig.Key:
    """Return the key; in a file, the file names the algorithm. Raises MultiAllError, without any part of the secret."""
    algorithm, secret = (key.algorithm, text) if "{" not in text else _from_file(key, text)
    try:
        return dns.tsig.Key(key.name, base64.b64decode("".join(secret.split()), validate=True), algorithm)
    except ValueError:
        what = "not base64, as a TSIG key must be"
        raise MultiAllError(str(key.secret), what, "`tsig-keygen` makes one") from None


def _from_file(key: Key, text: str) -> tuple[str, str]:
    blocks = {_plain(each["name"]): each["body"] for each in _BLOCK.finditer(_COMMENT.sub(" ", text))}
    body = blocks.get(_plain(key.name))
    if body is None:
        names = ", ".join(blocks) or "none"
        what = f"has no key {_plain(key.name)} (its keys: {names})"
        raise MultiAllError(str(key.secret), what, "use the same `name:` as there; the server compares it")
    algorithm, secret = _ALGORITHM.search(body), _SECRET.search(body)
    if algorithm is None or secret is None:
        missing = "algorithm" if algorithm is None else "secret"
        raise MultiAllError(str(key.secret), f"its key {_plain(key.name)} has no {missing}", "`tsig-keygen` makes one")
    return algorithm[1], secret[1]


def _plain(name: str) -> str:
    return name.lower().rstrip(".")
