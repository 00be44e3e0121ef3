"""What reads and changes zones at the servers that hold them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from multiall_cli.domain.change import Change
from multiall_cli.domain.records import Content, Leasing, Place, RRset, Written
from multiall_cli.domain.zones import NameServer, Zone


class NameServers(Protocol):
    """Reads and changes zones at the servers that hold them. Safe to use from many threads.

    Errors of all: Unreachable (no answer), MemberFault (it answered, and not as it should).
    """

    def serial(self, zone: Zone, server: NameServer) -> int:
        """The zone's serial there: one query."""
        ...

    def read(self, zone: Zone) -> Content:
        """The zone as its primary has it, whole or not at all."""
        ...

    def write(
        self,
        zone: Zone,
        changes: Sequence[tuple[Change[RRset], str]],
        soa: str,
        lease: Leasing | None = None,
    ) -> Written:
        """Changes, each with the mark that is to stand beside it ('': none), in messages that are done whole or not at
        all: what is wrong with one name is not the others' trouble. `soa`: the data of the SOA record as it was read,
        which must still hold where an alias takes the place of others; `lease`: to be taken in the same messages.
        """
        ...

    def release(self, zone: Zone, lease: Leasing) -> None:
        """Give a lease back, if it is still ours."""
        ...

    def notify(self, zone: Zone, server: NameServer) -> None:
        """Tell a secondary that the zone has changed."""
        ...

    def answers(self, zone: Zone, server: NameServer, places: Sequence[Place]) -> Mapping[Place, RRset | None]:
        """What clients are told there, by who holds the zone itself; None: there is nothing."""
        ...


class DynamicNameServers(NameServers, Protocol):
    """Name servers of zones that take dynamic updates, asked with the zone's key where they need it."""

    def signed_serial(self, zone: Zone, server: NameServer) -> int:
        """The zone's serial there, asked with the zone's key."""
        ...

    def signed_answers(self, zone: Zone, server: NameServer, places: Sequence[Place]) -> Mapping[Place, RRset | None]:
        """As `answers`, asked with the zone's key."""
        ...

    def serial_over_tcp(self, zone: Zone, server: NameServer) -> int:
        """The zone's serial there, as clients ask whose answers are too long for UDP."""
        ...

    def may_update(self, zone: Zone, places: Sequence[Place]) -> None:
        """Try whether our key may change these names. Changes nothing. Raises MemberFault where it may not."""
        ...

    def may_lease(self, zone: Zone, place: Place) -> None:
        """Try whether our key may write the lease. Raises MemberFault where it may not."""
        ...
