"""Converts validated site files to domain values: zones, and the names of pools in them."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set

from multiall_cli.adapters.site.convert import ReportError, items, origin_of, seconds_in, secret, text_of, value_at
from multiall_cli.adapters.site.pools import amount_of
from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.values import ONE
from multiall_cli.domain.zones import DNS_PORT, Key, NameDeclaration, NameServer, OnFloor, Zone
from multiall_cli.planning.addresses import shared_in_name
from multiall_cli.planning.nearest import did_you_mean
from multiall_cli.planning.targets import select, world_of
from multiall_cli.planning.targets.ranges import shown
from multiall_cli.planning.zones.claims import addresses_of, domain_of, host_of
from multiall_cli.planning.zones.names import absolute, address_type, fault_of, is_below, is_ip, reverse, zone_of

_SERVER = re.compile(r"\[(?P<v6>[^\]]+)\](?::(?P<v6port>[0-9]{1,5}))?|(?P<name>[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
TTL, MOST_TTL = 60, 7 * 86400  # seconds
TYPES = ("A", "AAAA")


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


def names_in(
    entry: YamlValue, pool: Pool, inventory: Inventory, broken: Set[str], report: ReportError
) -> tuple[NameDeclaration, ...]:
    """Return the `dns:` of a pool with resolved members. `broken`: invalid zones, already reported; their names are
    skipped.
    """
    found: dict[tuple[str, str, str], NameDeclaration] = {}
    for item in items(value_at(entry, "dns")):
        if zone_id(text_of(item, "zone") or "") in broken:
            continue
        declared = _NameReader(item, pool, inventory, report).read()
        if declared is None:
            continue
        key = (declared.zone, declared.name, declared.service)
        if key in found:
            what = f"the name {shown(declared.name.rstrip('.'))} is declared twice (first at {found[key].origin})"
            report(item.origin, what, "keep one of them")
        else:
            found[key] = declared
    return tuple(found.values())


class _NameReader:
    """Reads one entry of a pool's `dns:`."""

    def __init__(self, item: YamlValue, pool: Pool, inventory: Inventory, report: ReportError) -> None:
        self._item, self._pool, self._inventory, self._report = item, pool, inventory, report
        self._well = True

    def read(self) -> NameDeclaration | None:
        """Return the declaration; None, reported, if it is invalid."""
        zone, name = self._zone_and_name()
        members = self._members()
        declared = NameDeclaration(
            zone,
            name,
            members,
            self._ttl(),
            tuple(self._texts("types")) or TYPES,
            amount_of(amount, self._report) or ONE if (amount := value_at(self._item, "at_least")) else ONE,
            OnFloor(text_of(self._item, "below_minimum") or OnFloor.KEEP),
            self._sorry(),
            self._is_true("ptr"),
            (text_of(self._item, "service") or "").lower(),
            int(text_of(self._item, "port") or 0),
            self._weights(members),
            self._is_true("cname"),
            domain if (domain := self._domain(zone)) != zone else "",
            self._is_true("inside"),
            origin=self._item.origin,
        )
        if self._well:
            self._check(declared)
        return declared if self._well else None

    def _domain(self, zone: str) -> str:
        return self._inventory.zones[zone].name if zone in self._inventory.zones else zone

    def _is_true(self, key: str) -> bool:
        return (text_of(self._item, key) or "").lower() == "true"

    def _texts(self, key: str) -> list[str]:
        return [each.text for each in items(value_at(self._item, key)) if isinstance(each, YamlScalar)]

    def _fault(self, key: str, what: str, todo: str) -> None:
        self._well = False
        self._report(origin_of(self._item, key), what, todo)

    def _zone_and_name(self) -> tuple[str, str]:
        zones = self._inventory.zones
        written = text_of(self._item, "zone") or ""
        zone = zone_id(written)
        domain = zones[zone].name if zone in zones else zone
        name = absolute(text_of(self._item, "name") or "@", domain)
        if zone not in zones:
            known = [each.rstrip(".") for each in zones]
            self._fault(
                "zone", f"{shown(written)} is not in `zones:`", f"{did_you_mean(written, known)}declare it there"
            )
        elif fault := fault_of(name):
            self._fault("name", f"the name {shown(name)} {fault}", "write such as www, or @ for the zone itself")
        elif not is_below(name, domain):
            self._fault("name", f"{shown(name)} is not in the zone {shown(written)}", "write it without its last dot")
        elif (nearer := zone_of(name, [each.name for each in zones.values()])) != domain:
            what = f"{shown(name)} is in the zone {shown(nearer.rstrip('.'))}, which is below {shown(written)}"
            self._fault("name", what, "use that zone: its names are never looked up in the zone above")
        return zone, name

    def _members(self) -> tuple[str, ...]:
        written = value_at(self._item, "members")
        expressions = written.items if isinstance(written, YamlList) else (written,)
        texts = [each.text for each in expressions if isinstance(each, YamlScalar)]
        if not texts:
            return self._pool.members
        try:
            chosen = select(", ".join(texts), world_of(self._inventory))
        except UsageError as error:
            self._fault("members", error.what, error.todo)
            return ()
        strangers = [name for name in chosen if name not in self._pool.members]
        if strangers:
            what = f"{shown(strangers[0])} is not a member of pool {self._pool.name}"
            self._fault("members", what, "use members of this pool")
        return chosen

    def _ttl(self) -> int:
        text = text_of(self._item, "ttl")
        seconds = seconds_in(text) if text else TTL
        if not 1 <= seconds <= MOST_TTL:
            self._fault("ttl", f"'ttl' is {shown(text or '')}", "write 1 second to a week, such as 30s or 5m")
            return 1
        return int(seconds)

    def _sorry(self) -> tuple[str, ...]:
        found = self._texts("fallback")
        for each in found:
            if not is_ip(each):
                self._fault("fallback", f"{shown(each)} is not an IP address", "write such as 192.0.2.99")
        if text_of(self._item, "below_minimum") == OnFloor.SORRY and not found:
            self._fault("below_minimum", "there is no `fallback:` to send clients to", "write its addresses")
        return tuple(each for each in found if is_ip(each))

    def _weights(self, members: Sequence[str]) -> dict[str, int]:
        written = value_at(self._item, "weights")
        table = written.entries if isinstance(written, YamlMapping) else {}
        for name in table:
            if name not in members:
                self._fault("weights", f"{shown(name)} is not a member of this name", "use such members only")
        return {name: int(text_of(value) or 0) for name, value in table.items()}

    def _check(self, declared: NameDeclaration) -> None:
        """Check combinations of values."""
        if bool(declared.service) != bool(declared.port):
            self._fault("service", "`service` and `port` go together", "write both, such as _https._tcp and 443")
        if declared.service and (fault := fault_of(f"{declared.service}.{declared.name}")):
            self._fault("service", f"the name of the service {fault}", "write a shorter or another one")
        if not declared.cname and "_" in declared.name:
            todo = "write it without: name servers refuse it for addresses (`check-names`)"
            self._fault("name", f"{shown(declared.name.rstrip('.'))} has an underscore", todo)
        if declared.cname and declared.name == domain_of(declared):
            self._fault("cname", "the zone itself cannot be an alias", "use a name in it, or remove `cname`")
        servers = [self._inventory.servers[name] for name in declared.members]
        troubles = (
            *_unreachable(servers, declared),
            *_unnamed(servers, declared, self._inventory.zones),
            *shared_in_name(servers, declared.types, inside=declared.inside),
        )
        for words, todo in troubles:
            self._fault("name", words, todo)


def _unreachable(servers: Sequence[Server], declared: NameDeclaration) -> Iterator[tuple[str, str]]:
    """Yield errors for members that no client could reach."""
    for server in servers:
        addresses = addresses_of(server, inside=declared.inside)
        if not any(address_type(each) in declared.types for each in addresses):
            what = f"{shown(server.name)} has no IP address that clients could use"
            yield what, "set `public:` at the server, or leave it out by `members:`"


def _unnamed(
    servers: Sequence[Server], declared: NameDeclaration, zones: Mapping[str, Zone]
) -> Iterator[tuple[str, str]]:
    """Yield errors for members with invalid names, or with addresses in no declared zone."""
    for server in servers:
        fault = fault_of(host_of(server, domain_of(declared))) or ("has an underscore" if "_" in server.name else "")
        if (declared.cname or declared.service) and fault:
            yield f"{shown(server.name)} is not a valid name in the zone: it {fault}", "rename the server"
        for address in addresses_of(server, inside=declared.inside) if declared.ptr else ():
            known = [each.name for each in zones.values()]
            if address_type(address) in declared.types and not zone_of(reverse(address), known):
                yield f"no zone of `zones:` contains {reverse(address)}", "declare it there, or remove `ptr`"
