"""Our lease on a zone that takes updates: a TXT record that keeps a second admin host out while one of them writes.

`_multiall-lock-1f0c2d3e.example.net. TXT "multiall-lock=1 owner=… run=… by=ann@adm1 store=0a1b2c3d lasts=9 expires=…"`.
It is taken in the first message of a run, whose prerequisites demand that it is free, and ends by itself.
"""

import re
from hashlib import sha256

from multiall_cli.domain.baseline import AHEAD
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import Content, Leasing, Place
from multiall_cli.domain.zones import Zone

LONGEST = 3600.0  # seconds; a lease that says more blocks nobody for longer
MARGIN = 20.0  # seconds for the messages of a run, besides those in which all servers must have them
_TEXT = re.compile(
    r"multiall-lock=1 owner=(?P<owner>\S+) run=(?P<run>\S+) by=(?P<by>\S+) store=(?P<store>[0-9a-f]+) "
    r"lasts=(?P<lasts>[0-9]{1,6}) expires=(?P<expires>[0-9]{1,12})"
)
_ODD = re.compile(r"[^A-Za-z0-9@_.-]")


@dataclass(frozen=True, slots=True)
class Lease:
    """Who writes to a zone. `store`: stands for the store of the site there; `expires`: seconds since the epoch.

    `lasts`: for how many seconds it was taken, by the settings of the host that took it.
    """

    owner: str
    run: str
    by: str
    store: str
    lasts: int
    expires: int

    @property
    def text(self) -> str:
        by = _ODD.sub("-", self.by)[:64] or "-"
        ends = f"lasts={self.lasts} expires={self.expires}"
        return f"multiall-lock=1 owner={self.owner} run={self.run} by={by} store={self.store} {ends}"


def place_of_lease(zone: Zone) -> Place:
    """Return where the lease of a zone's owner stands; other owners have their own."""
    return f"_multiall-lock-{sha256(zone.owner.encode()).hexdigest()[:8]}.{zone.name}", "TXT"


def lasts(zone: Zone) -> float:
    """Return for how many seconds a lease is taken."""
    return min(MARGIN + zone.within, LONGEST)


def held_by_another(content: Content, zone: Zone, store: str, now: float) -> Lease | None:
    """Return the lease that keeps us out; None: there is none, it has ended, or a run from here left it.

    One that ends later than a lease can was written under a clock that is ahead, and blocks nobody.
    """
    there = content.rrsets.get(place_of_lease(zone))
    found = [_TEXT.fullmatch(value.strip('"')) for value in there.values] if there else []
    for each in filter(None, found):
        length, ends = int(each["lasts"]), int(each["expires"])
        lease = Lease(each["owner"], each["run"], each["by"], each["store"], length, ends)
        if lease.store != store and now < ends <= now + min(length, LONGEST) + AHEAD:
            return lease
    return None


def taking(content: Content, zone: Zone, lease: Lease) -> Leasing:
    """Return what takes a lease, and what must still be so for that."""
    there = content.rrsets.get(place_of_lease(zone))
    return Leasing(place_of_lease(zone)[0], there.values if there else (), f'"{lease.text}"')
