"""Types of values: parse, compare and format them."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from multiall_cli.planning.durations import parse_duration
from multiall_cli.planning.idn import to_ascii


class Measure(StrEnum):
    """Type of a value: how it is written and compared."""

    FLAG = "true or false"
    TEXT = "text"
    WORDS = "a list of words"
    MODE = "an octal mode such as '0644'"
    COUNT = "a whole number"
    NUMBER = "a number"
    SHARE = "a share such as 90%"
    BYTES = "an amount such as 500MB or 2GiB"
    SECONDS = "a time such as 500ms, 5m or 30d"
    PATTERN = "a regular expression"
    PORT = "a port from 1 to 65535"
    PROTOCOL = "tcp or udp"
    RECORDS = "a type of records: A, AAAA, CNAME, MX, NS, PTR, SOA, SRV or TXT"
    HOST = "a name or an address such as db1.example.net or 192.0.2.1"
    URL = "an address such as https://host:8443/path"


LARGEST = 1e300  # numbers beyond this are shown without units
LONGEST = 500  # letters shown of a value without a unit
_BYTES = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}  # fmt: skip
_LABEL = "[A-Za-z0-9_-]{1,63}"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]"
_URL = rf'https?://(?:{_HOST})(?::[0-9]*)?(?:/[!"$-~]*)?'
"""URLs that a check can request: it sends no user name, password or fragment."""
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z%]*)")


def read(measure: Measure, text: str) -> object:
    """Return the value of a text. Raises ValueError if the text is not of this type."""
    if measure not in _READERS:
        raise ValueError(text)
    return _READERS[measure](text)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _mode(text: str) -> str:
    return f"{int(_like('0?[0-7]{3,4}', text), 8):04o}"


def _count(text: str) -> int:
    return int(_like("[0-9]{1,15}", text))


def _port(text: str) -> int:
    if not 1 <= _count(text) <= 65535:
        raise ValueError(text)
    return _count(text)


def _url(text: str) -> str:
    head, mark, rest = text.partition("://")
    place, slash, path = rest.partition("/")
    if not place.isascii():
        host, colon, port = place.partition(":")
        text = f"{head}{mark}{to_ascii(host)}{colon}{port}{slash}{path}"
    found = urlsplit(_like(_URL, text))
    if found.port == 0:  # `port` itself raises ValueError if it is not a port
        raise ValueError(text)
    if "[" in found.netloc:
        IPv6Address(found.hostname)  # raises ValueError if it is not an address
    return text


def _like(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(text)
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise ValueError(text) from None
    return text


def _amount(text: str, units: Mapping[str, float]) -> float:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2] not in units:
        raise ValueError(text)
    return round(float(found[1]) * units[found[2]], 12)  # 70% must be exactly 0.7


_READERS: Mapping[Measure, Callable[[str], object]] = {
    Measure.FLAG: _flag,
    Measure.TEXT: str,
    Measure.PATTERN: _pattern,
    Measure.MODE: _mode,
    Measure.COUNT: _count,
    Measure.NUMBER: partial(_amount, units={"": 1.0}),
    Measure.SHARE: partial(_amount, units={"%": 0.01}),
    Measure.BYTES: partial(_amount, units=_BYTES),
    Measure.SECONDS: lambda text: parse_duration(text.strip()),
    Measure.PORT: _port,
    Measure.PROTOCOL: partial(_like, "tcp|udp"),
    Measure.RECORDS: partial(_like, "(?i:A|AAAA|CNAME|MX|NS|PTR|SOA|SRV|TXT)"),
    Measure.HOST: to_ascii,
    Measure.URL: _url,
}


def shown(measure: Measure, value: object) -> str:
    """Format a value for people."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return str(value)[:LONGEST]  # a server may return anything
    match measure:
        case Measure.SHARE:
            return f"{_rounded(100 * value)} %"
        case Measure.BYTES:
            return _largest(value, {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1})
        case Measure.SECONDS:
            return _largest(value, {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001})
        case _:
            return f"{value:.4g}" if isinstance(value, float) else str(value)


def _largest(value: float, units: Mapping[str, float]) -> str:
    unit, size = next(((unit, size) for unit, size in units.items() if abs(value) >= size), (list(units)[-1], 1.0))
    return f"{_rounded(value / size)} {unit}"


def _rounded(value: float) -> str:
    """Round to three digits; keep all digits before the point."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
