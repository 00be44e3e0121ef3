"""BIND 9: the lines that named.conf needs."""

from collections.abc import Iterator

from multiall_cli.domain.zones import Key, NameServer, Zone


def primary_lines(zone: Zone) -> tuple[str, ...]:
    """Return the lines for the primary: the key may transfer the zone and update the types we manage, nothing else."""
    key = _key_name(zone.key)
    return (
        *_key_lines(zone.key),
        *(_key_lines(zone.transfer_key) if zone.transfer_key else ()),
        f'zone "{zone.shown}" {{',
        "    type primary;",
        f'    file "/var/lib/bind/{zone.shown}.zone";',
        f'    allow-transfer {{ key "{_key_name(zone.reading_key)}"; {_addresses(zone.secondaries)}}};',
        f'    update-policy {{ grant "{key}" zonesub A AAAA CNAME SRV PTR TXT; }};',
        f"    also-notify {{ {_addresses(zone.secondaries)}}};",
        "    notify yes;",
        "};",
    )


def secondary_lines(zone: Zone) -> tuple[str, ...]:
    """Return the lines for a secondary. It accepts our NOTIFY, because BIND delays its own by up to five seconds."""
    key = _key_name(zone.key)
    return (
        *_key_lines(zone.key),
        f'zone "{zone.shown}" {{',
        "    type secondary;",
        f'    file "/var/cache/bind/{zone.shown}.zone";',
        f"    primaries {{ {_addresses((zone.primary,))}}};",
        f'    allow-notify {{ key "{key}"; {_addresses((zone.primary,), ports=False)}}};',
        f'    allow-transfer {{ key "{key}"; }};',
        "};",
    )


def _key_name(key: Key | None) -> str:
    return key.name.rstrip(".") if key else "multiall"


def _key_lines(key: Key | None) -> Iterator[str]:
    """Yield the key without its secret, which is never printed."""
    yield f'key "{_key_name(key)}" {{'
    yield f"    algorithm {key.algorithm if key else 'hmac-sha256'};"
    yield '    secret "...";  // as in the site; `tsig-keygen` makes one'
    yield "};"


def _addresses(servers: tuple[NameServer, ...], *, ports: bool = True) -> str:
    return "".join(f"{each.address}{f' port {each.port}' if ports and each.port != 53 else ''}; " for each in servers)
