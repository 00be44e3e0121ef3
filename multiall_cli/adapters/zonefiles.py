"""Zones' files as text (RFC 1035, section 5), read by dnspython."""

from pathlib import Path

import dns.exception
import dns.rdatatype
import dns.zone

from multiall_cli.adapters.nameservers import content_of
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.zones import Content, Zone


def read_zone_file(file: Path, zone: Zone) -> Content:
    """The content of a zone's file. Errors: UsageError, with the line where it is no such file."""
    try:
        found = dns.zone.from_file(str(file), zone.name, relativize=False, allow_include=False)
    except OSError as fault:
        raise UsageError(str(file), f"it cannot be read: {fault.strerror}", "look at its path") from None
    except (dns.exception.DNSException, UnicodeDecodeError, ValueError) as fault:
        raise UsageError(
            str(file), f"it is no file of the zone {zone.shown}: {fault}", "mend it, or its name"
        ) from None
    return content_of(zone, found)
