"""Names of the DNS as text: fully qualified, in lower case, and nothing in them that a zone's file would obey."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from ipaddress import ip_address

from multiall_cli.planning.idn import to_ascii

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
MOST = 253 - len("_multiall-cname.")
"""Signs of a name, so that its mark fits too (RFC 1035, 2.3.4)."""


def absolute(name: str, zone: str) -> str:
    """The fully qualified name, each label as the DNS has it; `@` is the zone itself. A name that ends in a dot, or in
    the zone, is whole already.
    """
    with suppress(ValueError):  # `fault_of` says why
        name = to_ascii(name)
    name = name.lower() if name.isascii() else name  # else the Kelvin sign became a k before anyone saw it
    if name == "@":
        return zone
    if name.endswith("."):
        return name
    if zone == "." or f".{name}.".endswith(f".{zone}"):
        return f"{name}."
    return f"{name}.{zone}"


def fault_of(name: str) -> str:
    """Why a fully qualified name cannot stand, or ''. A first label of `*` may."""
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
    """The nearest zone that holds a name; '' where none does."""
    return max((zone for zone in zones if is_below(name, zone)), key=len, default="")


def reverse(address: str) -> str:
    """The name whose PTR record is an address's."""
    return ip_address(address).reverse_pointer + "."


def address_type(address: str) -> str:
    """The type of an address's record; it is one already."""
    return "AAAA" if ":" in address else "A"


@cache
def canonical(address: str) -> str:
    """An address as name servers write it (RFC 5952), whatever way it was written here."""
    return str(ip_address(address)) if ":" in address else address


def is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
