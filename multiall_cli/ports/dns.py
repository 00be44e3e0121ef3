"""Access to zones on their name servers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from multiall_cli.domain.change import Change
from multiall_cli.domain.records import Leasing, RRset, RRsetKey, UpdateResult, ZoneContent
from multiall_cli.domain.zones import NameServer, Zone


class NameServers(Protocol):
    """Reads and changes of zones on their name servers. Safe to use from many threads.

    Every method raises Unreachable (no answer) and MemberFault (a wrong answer).
    """

    def serial(self, zone: Zone, server: NameServer) -> int:
        """Return the zone's serial on a server, with one query."""
        ...

    def read(self, zone: Zone) -> ZoneContent:
        """Return the whole zone from its primary."""
        ...

    def write(
        self,
        zone: Zone,
        changes: Sequence[tuple[Change[RRset], str]],
        soa: str,
        lease: Leasing | None = None,
    ) -> UpdateResult:
        """Make changes, each with its marker ('': none).

        Sends atomic messages, so that an error in one name does not affect the others. `soa`: the data of the SOA
        record as it was read, which must be unchanged if an alias replaces other records; `lease`: taken in the same
        messages.
        """
        ...

    def release(self, zone: Zone, lease: Leasing) -> None:
        """Release a lease, if it is still ours."""
        ...

    def notify(self, zone: Zone, server: NameServer) -> None:
        """Notify a secondary that the zone has changed."""
        ...

    def answers(self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        """Return the answers that clients get from this server; None: no record."""
        ...


class DynamicNameServers(NameServers, Protocol):
    """Name servers of zones that take dynamic updates, asked with the zone's key if they need it."""

    def signed_serial(self, zone: Zone, server: NameServer) -> int:
        """Return the zone's serial on a server, asked with the zone's key."""
        ...

    def signed_answers(
        self, zone: Zone, server: NameServer, places: Sequence[RRsetKey]
    ) -> Mapping[RRsetKey, RRset | None]:
        """Return answers like `answers`, asked with the zone's key."""
        ...

    def serial_over_tcp(self, zone: Zone, server: NameServer) -> int:
        """Return the zone's serial over TCP, which clients use if an answer is too long for UDP."""
        ...

    def may_update(self, zone: Zone, places: Sequence[RRsetKey]) -> None:
        """Check whether our key may change these names. Changes nothing. Raises MemberFault if it may not."""
        ...

    def may_lease(self, zone: Zone, place: RRsetKey) -> None:
        """Check whether our key may write the lease. Raises MemberFault if it may not."""
        ...
