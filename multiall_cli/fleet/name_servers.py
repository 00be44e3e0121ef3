"""Name servers of a site: those that take updates, and those whose zones are in files."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from multiall_cli.adapters.dns.queries import Queries
from multiall_cli.domain.change import Change
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.records import (
    Leasing,
    RRset,
    RRsetKey,
    UpdateResult,
    ZoneContent,
)
from multiall_cli.domain.scope import site_scope
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.engine.context import Context
from multiall_cli.planning.whom import via_relays

if TYPE_CHECKING:
    from multiall_cli.adapters.dns.zone_files import ZoneFiles
    from multiall_cli.ports.dns import DynamicNameServers, NameServers

FILES = site_scope("zone files")  # scope of zone file pushes in the journal and for locks
WAIT = 3600.0  # seconds that a push waits for another one


class NameServersOfSite:
    """Name servers of a site, for zones with updates and zones in files. A query for a serial loads neither adapter."""

    def __init__(self, context: Context) -> None:
        self._context = context
        adapters = context.adapters
        self._queries = Queries(adapters.dns_timeout, adapters.in_network, lambda: self.updates)

    @property
    def updates(self) -> "DynamicNameServers":
        return self._context.adapters.name_servers

    @cached_property
    def files(self) -> "ZoneFiles":
        from multiall_cli.adapters.dns.zone_files import ZoneFiles

        context = self._context
        reached = {each.name: each for each in via_relays(context.inventory.servers.values(), context.relays)}
        return ZoneFiles(self.updates, reached, context.transport.open, lambda *what: _pushed(context, *what))

    def of(self, zone: Zone) -> "NameServers":
        return self.files if zone.file else self.updates

    def serial(self, zone: Zone, server: NameServer) -> int:
        return self._queries.serial(zone, server)

    def read(self, zone: Zone) -> ZoneContent:
        return self.of(zone).read(zone)

    def write(
        self, zone: Zone, changes: Sequence[tuple[Change[RRset], str]], soa: str, lease: Leasing | None = None
    ) -> UpdateResult:
        return self.of(zone).write(zone, changes, soa, lease)

    def release(self, zone: Zone, lease: Leasing) -> None:
        self.of(zone).release(zone, lease)

    def notify(self, zone: Zone, server: NameServer) -> None:
        self.of(zone).notify(zone, server)

    def answers(self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        return self._queries.answers(zone, server, places)


def _pushed(context: Context, servers: Sequence[Server], contents: Mapping[str, bytes]) -> Mapping[str, str]:
    """Push files to servers with the file agent; return name → reason for servers without them."""
    from multiall_cli.agents.files import file_tree
    from multiall_cli.engine.copy_declarations import push_declaration
    from multiall_cli.engine.sync import SyncOptions
    from multiall_cli.engine.sync import sync as copied

    options = SyncOptions(verb="dns files", defers=False, lock_wait=WAIT)
    absent: dict[str, str] = {}
    with TemporaryDirectory(prefix="multiall-dns-") as folder:
        for path, content in contents.items():
            source = Path(folder) / Path(path).name
            source.write_bytes(content)
            with push_declaration(source, path) as declared:
                tree = file_tree(declared, context.inventory.servers, context.store, members=servers, is_guarded=False)
                report = copied(context, FILES, [tree], servers, options)
            absent |= {each.server: each.reason for each in report.members if not each.state.is_good}
    return absent
