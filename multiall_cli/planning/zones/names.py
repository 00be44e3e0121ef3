"""DNS names as text: fully qualified, in lower case, and without characters that are special in a zone file."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from ipaddress import ip_address

from multiall_cli.planning.idn import to_ascii

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
MOST = 253 - len("_multiall-cname.")
"""Maximum length of a name, so that the name of its mark fits too (RFC 1035, 2.3.4)."""


def absolute(name: str, zone: str) -> str:
    """Return the fully qualified name, each label in its DNS form. `@` is the zone itself.

    A name that ends in a dot or in the zone is already complete.
    """
    with suppress(ValueError):  # `fault_of` reports the reason
        name = to_ascii(name)
    name = name.lower() if name.isascii() else name  # otherwise the Kelvin sign silently becomes a k
    if name == "@":
        return zone
    if name.endswith("."):
        return name
    if zone == "." or f".{name}.".endswith(f".{zone}"):
        return f"{name}."
    return f"{name}.{zone}"


def fault_of(name: str) -> str:
    """Return why a fully qualified name is invalid, or ''. The first label may be `*`."""
    bare = name.removesuffix(".").lower()
    if not name.isascii():
        try:
            return f"has letters beyond ASCII; as the DNS has it, it is {to_ascii(bare)}"
        except ValueError:
            return "has letters beyond ASCII, and no spelling in the DNS"
    if len(bare) > MOST:
        return f"has {len(bare)} signs, more than {MOST}"
    labels = bare.split(".")
    for at, label in enumerate(labels):
        if not _LABEL.fullmatch(label) and not (at == 0 and label == "*" and len(labels) > 1):
            return f"has the label {label!r}; a label has 1 to 63 letters, digits, '-' and '_'"
    return ""


def is_below(name: str, zone: str) -> bool:
    return zone in (name, ".") or name.endswith(f".{zone}")


def zone_of(name: str, zones: Iterable[str]) -> str:
    """Return the nearest zone that contains a name, or ''."""
    return max((zone for zone in zones if is_below(name, zone)), key=len, default="")


def reverse(address: str) -> str:
    """Return the name of an address's PTR record."""
    return ip_address(address).reverse_pointer + "."


def address_type(address: str) -> str:
    """Return the record type of an IP address."""
    return "AAAA" if ":" in address else "A"


@cache
def canonical(address: str) -> str:
    """Return an address as name servers write it (RFC 5952), however it is written here."""
    return str(ip_address(address)) if ":" in address else address


def is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
