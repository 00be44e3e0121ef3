"""Converts validated site files to domain values: zones and their name servers."""

import re
from collections.abc import Mapping, Sequence

from multiall_cli.adapters.site.convert import ReportError, items, origin_of, seconds_in, secret, text_of, value_at
from multiall_cli.adapters.site.positions import YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.zones import DNS_PORT, Key, NameServer, Zone
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets.ranges import shown
from multiall_cli.planning.zones.names import absolute, fault_of, is_ip

_SERVER = re.compile(r"\[(?P<v6>[^\]]+)\](?::(?P<v6port>[0-9]{1,5}))?|(?P<name>[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


def zone_in(
    written: str, section: YamlMapping, root: str, servers: Mapping[str, Server], report: ReportError
) -> Zone | None:
    """Return one entry of `zones:`; None, reported, if it is invalid."""
    place, entry = section.keys[written], section.entries[written]
    label, of = zone_id(written), text_of(entry, "zone")
    name = zone_id(of) if of else label
    for text, whole in ((written, label), (of or written, name)):
        if fault := fault_of(whole):
            report(place, f"the zone {shown(text)} {fault}", "write such as example.net")
            return None
    primary = _name_server(value_at(entry, "primary"), servers, report)
    found = [_name_server(item, servers, report) for item in items(value_at(entry, "secondaries"))]
    if primary is None:
        return None
    usual = Zone(name, primary)
    mirrors = tuple(
        each for item in items(value_at(entry, "mirrors")) if (each := _name_server(item, servers, report)) is not None
    )
    _check_files(entry, (primary, *mirrors), servers, report)
    share, owner = text_of(entry, "share"), text_of(entry, "owner")
    return Zone(
        name,
        primary,
        tuple(each for each in found if each is not None and each != primary),
        _key(entry, "key", root, report),
        owner or usual.owner,
        int(share.rstrip("%")) / 100 if share else usual.share,
        int(text_of(entry, "at_most") or usual.at_most),
        _seconds(entry, "interval", usual.interval),
        _seconds(entry, "within", usual.within),
        text_of(entry, "file") or "",
        text_of(entry, "fragment") or "",
        mirrors,
        label if label != name else "",
        _key(entry, "transfer_key", root, report),
        origin=place,
    )


def zone_id(written: str) -> str:
    """Return the inventory's name of a zone, written with or without its last dot."""
    return absolute(written if written.endswith(".") else f"{written}.", ".")


def _check_files(
    entry: YamlValue, primaries: Sequence[NameServer], servers: Mapping[str, Server], report: ReportError
) -> None:
    """Check that the primaries of a zone file are known servers: the file is written over SSH."""
    file = value_at(entry, "file")
    if file is None:
        for key in ("fragment", "mirrors"):
            if value_at(entry, key) is not None:
                report(
                    origin_of(entry, key),
                    f"{key!r} is for a zone with a `file:`",
                    "set `file:` to the path of its file",
                )
        return
    for each in primaries:
        if each.name not in servers:
            report(
                file.origin,
                f"{shown(each.name)} is not a server of this inventory",
                "declare it, and use its name here",
            )


def _seconds(entry: YamlValue, key: str, usual: float) -> float:
    text = text_of(entry, key)
    return seconds_in(text) if text else usual


def _name_server(written: YamlValue | None, servers: Mapping[str, Server], report: ReportError) -> NameServer | None:
    """Return a server of the inventory or an address, optionally with its port."""
    if not isinstance(written, YamlScalar):
        return None  # reported by the validation
    text = written.text
    if is_ip(text):
        return NameServer(text, text)
    match = _SERVER.fullmatch(text)
    name = (match["v6"] or match["name"]) if match else text
    port = int((match["v6port"] or match["port"] or DNS_PORT) if match else 0)
    if name in servers and 0 < port < 65536:
        return NameServer(name, servers[name].address, port)
    if is_ip(name) and 0 < port < 65536:
        return NameServer(text, name, port)
    todo = (
        f"{did_you_mean(name, servers)}write a server of this inventory or an IP address, such as ns1 or 192.0.2.53:53"
    )
    report(written.origin, f"{shown(text)} is not a name server", todo)
    return None


def _key(entry: YamlValue, key: str, root: str, report: ReportError) -> Key | None:
    if not isinstance(value_at(entry, key), YamlMapping):
        return None
    name, reference = text_of(entry, key, "name") or "", text_of(entry, key, "secret")
    if reference is None:
        return None  # reported by the validation
    if fault := fault_of(name):
        report(
            origin_of(entry, key, "name"),
            f"the key's name {shown(name)} {fault}",
            "write it as its named.conf has it",
        )
        return None
    algorithm = text_of(entry, key, "algorithm") or "hmac-sha256"
    return Key(absolute(name, "."), algorithm, secret(reference, root))
