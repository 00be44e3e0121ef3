"""Check of the name servers: whether they let us do what syncs of zones need."""

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial

from multiall_cli.agents.zones.import_suggestions import unlisted
from multiall_cli.agents.zones.leases import place_of_lease
from multiall_cli.domain.answer import Finding
from multiall_cli.domain.answer import Severity as Well
from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.records import ZoneContent
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.drivers import bind9
from multiall_cli.engine.context import Context
from multiall_cli.fleet.name_servers import NameServersOfSite
from multiall_cli.fleet.topology import informed
from multiall_cli.planning.zones.claims import claims_of
from multiall_cli.ports.dns import DynamicNameServers


def examine(context: Context, zones: Iterable[Zone]) -> Iterator[Finding]:
    """Yield problems between us and the name servers."""
    dns = context.adapters.name_servers
    for zone in zones:
        yield from _of_primary(context, dns, zone)
        for server in zone.secondaries:
            yield from _of_secondary(dns, zone, server)


def _of_secondary(dns: DynamicNameServers, zone: Zone, server: NameServer) -> Iterator[Finding]:
    name = f"{zone.shown} at {server.name}"
    if (yield from _tried(name, lambda: dns.serial(zone, server), "answers for the zone")):
        yield from _tried(name, lambda: dns.serial_over_tcp(zone, server), "answers over TCP too")
        yield from _tried(name, lambda: dns.notify(zone, server), "takes our notifications")


def _of_primary(context: Context, dns: DynamicNameServers, zone: Zone) -> Iterator[Finding]:
    name, read = f"{zone.shown} at {zone.primary.name}", NameServersOfSite(informed(context)).read
    held: list[ZoneContent] = []
    if zone.file:
        yield from _of_files(context, zone)
    if (yield from _tried(name, lambda: dns.serial(zone, zone.primary), "answers for the zone")):
        yield from _tried(name, lambda: dns.serial_over_tcp(zone, zone.primary), "answers over TCP too")
        yield from _tried(name, lambda: held.append(read(zone)), "hands over the zone")
        if not zone.file:
            places = [each.place for each in claims_of(context.inventory, zone.id)[0]]
            if (yield from _tried(name, lambda: dns.may_update(zone, places), "takes our updates")):
                yield from _of_lease(dns, zone, name)
    for server in unlisted(zone, held[0]) if held else ():
        what = f"{server} is a name server of the zone, and none of `zones:`: no one looks what it answers"
        yield Finding(name, Well.ODD, what, "add it to `secondaries:`")
    if zone.key is None and not zone.file:
        what = "there is no `key:`: who can send from our address could do what we do"
        yield Finding(name, Well.ODD, what, "make one with `tsig-keygen multiall`")


def _of_lease(dns: DynamicNameServers, zone: Zone, subject: str) -> Iterator[Finding]:
    place = place_of_lease(zone)
    try:
        dns.may_lease(zone, place)
    except (Unreachable, MemberFault):
        what = "a run does not keep a second admin host out: our key may not write the TXT record of its lease"
        yield Finding(subject, Well.ODD, what, f"let `update-policy` grant {place[0].rstrip('.')} TXT too")


def _of_files(context: Context, zone: Zone) -> Iterator[Finding]:
    files = NameServersOfSite(context).files
    subject = f"{zone.shown} at {zone.primary.name}"
    yield from _tried(subject, lambda: files.may_write(zone), "has a file that our part fits into")
    for server in (zone.primary, *zone.mirrors):
        name = f"{zone.shown} at {server.name}"
        yield from _tried(name, partial(files.may_reload, zone, server), "would reload the zone for us (rndc)")


def _tried(subject: str, work: Callable[[], object], words: str) -> Generator[Finding, None, bool]:
    """Yield a finding about an attempt; return whether it succeeded."""
    try:
        work()
    except (Unreachable, MemberFault) as fault:
        yield Finding(subject, Well.ILL, fault.what, fault.todo)
        return False
    yield Finding(subject, Well.WELL, words)
    return True


def needed(zones: Iterable[Zone]) -> dict[str, tuple[str, ...]]:
    """Return name server and zone → the lines that its named.conf needs."""
    found = {}
    for zone in zones:
        if zone.file:
            continue  # needs no grant in named.conf
        found[f"{zone.primary.name}, for {zone.shown}"] = bind9.primary_lines(zone)
        for server in zone.secondaries:
            found[f"{server.name}, for {zone.shown}"] = bind9.secondary_lines(zone)
    return found
