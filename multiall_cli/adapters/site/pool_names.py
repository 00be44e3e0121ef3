"""Converts validated site files to domain values: the DNS names of pools."""

from collections.abc import Iterator, Mapping, Sequence, Set

from multiall_cli.adapters.site.convert import ReportError, items, origin_of, seconds_in, text_of, value_at
from multiall_cli.adapters.site.pools import amount_of
from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue
from multiall_cli.adapters.site.zones import zone_id
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Inventory, Pool, Server
from multiall_cli.domain.values import ONE
from multiall_cli.domain.zones import BelowMinimum, NameDeclaration, Zone
from multiall_cli.planning.addresses import shared_in_name
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets import select, world_of
from multiall_cli.planning.targets.ranges import shown
from multiall_cli.planning.zones.claims import addresses_of, domain_of, host_of
from multiall_cli.planning.zones.names import absolute, address_type, fault_of, is_below, is_ip, reverse, zone_of

TTL, MOST_TTL = 60, 7 * 86400  # seconds

TYPES = ("A", "AAAA")


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
            BelowMinimum(text_of(self._item, "below_minimum") or BelowMinimum.KEEP),
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
        if text_of(self._item, "below_minimum") == BelowMinimum.SORRY and not found:
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
            *_unnameable(servers, declared, self._inventory.zones),
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


def _unnameable(
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
