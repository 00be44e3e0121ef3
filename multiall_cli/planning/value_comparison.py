"""Comparison of values that have several spellings. Pure."""

import posixpath
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from multiall_cli.planning.idn import to_ascii

Subject = Mapping[str, object]
"""The arguments of the check whose values are compared."""
Others = Collection[str]
"""All observed words of a list."""
IPV6_ONLY = " (IPv6 only)"  # suffix that a member adds to an address that takes no IPv4
EVERY4, EVERY6 = "0.0.0.0", "::"  # noqa: S104  (addresses that are compared, nothing is bound)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*')
_NUMBERS = {"MX": 1, "SRV": 3}
"""How many numbers precede the name in a record."""


def covers(_: Subject, wanted: str, has: str, __: Others = ()) -> bool:
    """Return whether a certificate's name covers a wanted one (RFC 6125).

    A `*` is the whole leftmost label and covers one label. Addresses match addresses only. A wanted name with `*` must
    be there literally.
    """
    if (address := address_of(wanted)) is not None:
        return address_of(has) == address
    one, other = name_of(wanted).split("."), name_of(has).split(".")
    if one == other:
        return True
    return other[0] == "*" and len(other) > 2 and one[0] not in ("", "*") and one[1:] == other[1:]


def name_of(text: str) -> str:
    """Return a DNS name in lower case without its final dot, each label in its DNS form."""
    with suppress(ValueError):  # a text that is not a DNS name equals no other
        text = to_ascii(text.strip())
    return text.strip().removesuffix(".").lower()


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in a text, or None. Without the interface; IPv4-mapped IPv6 as IPv4."""
    try:
        found = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def same_address(_: Subject, wanted: str, has: str, __: Others = ()) -> bool:
    address = address_of(wanted)
    return wanted.strip() == has.strip() if address is None else address == address_of(has)


def same_listener(subject: Subject, wanted: str, has: str, others: Others) -> bool:
    """Return whether a port listens on the wanted address.

    `::` takes IPv4 too, but not beside `0.0.0.0`, and not if the member reports IPv6 only.
    """
    if name_of(has) == EVERY6 and address_of(wanted) == ip_address(EVERY4):
        return EVERY4 not in others
    return same_address(subject, wanted, has.removesuffix(IPV6_ONLY))


def same_word(_: Subject, wanted: str, has: str, __: Others = ()) -> bool:
    return wanted.split() == has.split() or wanted.strip().casefold() == has.strip().casefold()


def same_spaces(_: Subject, wanted: str, has: str, __: Others = ()) -> bool:
    """Compare numbers in a row, however they are separated."""
    return wanted.split() == has.split()


def same_path(_: Subject, wanted: str, has: str, __: Others = ()) -> bool:
    return posixpath.normpath(wanted.strip()) == posixpath.normpath(has.strip())


def same_record(subject: Subject, wanted: str, has: str, _: Others = ()) -> bool:
    """Return whether the DNS treats two records as equal, by their type."""
    kind = str(subject.get("type", "A")).upper()
    return _record(kind, wanted) == _record(kind, has)


def _record(kind: str, text: str) -> object:
    """Return a key that is equal for equal records."""
    if kind in ("A", "AAAA"):
        return address_of(text) or text.strip()
    if kind == "TXT":
        return _unquoted(text)
    words = text.split()
    return tuple(int(each) if each.isascii() and each.isdigit() else name_of(each) for each in words)


def _unquoted(text: str) -> str:
    """Join strings in quotes that follow each other, as zone files do."""
    found = _QUOTED.findall(text.strip())
    if found and not _QUOTED.sub("", text.strip()):
        return "".join(re.sub(r"\\(.)", r"\1", each) for each in found)
    return text.strip()


def never_listens(_: Subject, wanted: str) -> str:
    """Return what to write instead of an address that no port can listen on, or ''."""
    return "" if address_of(wanted) is not None else "write an IP address such as 127.0.0.1 or ::1"


def never_answers(subject: Subject, wanted: str) -> str:
    """Return what to write instead of a record that can never answer this type of query, or ''."""
    kind = str(subject.get("type", "A")).upper()
    address, words = address_of(wanted), wanted.split()
    if kind in ("A", "AAAA"):
        meant = IPv4Address if kind == "A" else IPv6Address
        family, other = ("IPv4", "AAAA") if kind == "A" else ("IPv6", "A")
        todo = f"write an address of {family}, or `type: {other if address else 'CNAME'}`"
        return "" if isinstance(address, meant) else todo
    before = _NUMBERS.get(kind, 0)
    if kind in _NUMBERS and not (len(words) == before + 1 and all(each.isdigit() for each in words[:-1])):
        return "write such as '10 mail.example.net'" if kind == "MX" else "write such as '0 5 443 www.example.net'"
    if kind in ("CNAME", "NS", "PTR") and (address is not None or len(words) != 1):
        return "write a name"
    return ""
