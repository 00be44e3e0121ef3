"""Values with several spellings, compared by what they mean. Pure."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

Subject = Mapping[str, object]
"""The arguments of the check whose values are compared."""


def covers(_: Subject, wanted: str, has: str) -> bool:
    """Whether a certificate's name stands for a wanted one (RFC 6125): a `*` is the whole leftmost label and one label
    of the other name; addresses match addresses only. A wanted name with `*` must be there as it is.
    """
    if (address := address_of(wanted)) is not None:
        return address_of(has) == address
    one, other = _labels(wanted), _labels(has)
    if one == other:
        return True
    return other[0] == "*" and len(other) > 2 and one[0] not in ("", "*") and one[1:] == other[1:]


def _labels(name: str) -> list[str]:
    return name.strip().removesuffix(".").lower().split(".")


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is; None where it is none."""
    try:
        return ip_address(text.strip())
    except ValueError:
        return None
