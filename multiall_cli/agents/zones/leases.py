"""Lease on a zone that takes updates: a TXT record that keeps other admin hosts out during a run.

`_multiall-lock-1f0c2d3e.example.net. TXT "multiall-lock=1 owner=… run=… by=ann@adm1 store=0a1b2c3d lasts=9 expires=…"`.
The first message of a run takes the lease; its prerequisites demand that the lease is free. It expires by itself.
"""

import re
from hashlib import sha256

from multiall_cli.domain.baseline import AHEAD
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import Leasing, RRsetKey, ZoneContent
from multiall_cli.domain.zones import Zone

LONGEST = 3600.0  # seconds; a lease that claims more blocks no longer than this
MARGIN = 20.0  # seconds for the messages of a run, besides the time until all servers have the changes
_TEXT = re.compile(
    r"multiall-lock=1 owner=(?P<owner>\S+) run=(?P<run>\S+) by=(?P<by>\S+) store=(?P<store>[0-9a-f]+) "
    r"lasts=(?P<lasts>[0-9]{1,6}) expires=(?P<expires>[0-9]{1,12})"
)
_ODD = re.compile(r"[^A-Za-z0-9@_.-]")


@dataclass(frozen=True, slots=True)
class Lease:
    """A run's lease on a zone. `store`: identifies the site's store on that host; `expires`: seconds since the epoch.

    `lasts`: its length in seconds, from the settings of the host that took it.
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


def place_of_lease(zone: Zone) -> RRsetKey:
    """Return the name and type of the lease record of a zone's owner; each owner has its own."""
    return f"_multiall-lock-{sha256(zone.owner.encode()).hexdigest()[:8]}.{zone.name}", "TXT"


def lasts(zone: Zone) -> float:
    """Return the length of a lease, in seconds."""
    return min(MARGIN + zone.within, LONGEST)


def held_by_another(content: ZoneContent, zone: Zone, store: str, now: float) -> Lease | None:
    """Return the lease that blocks this run, or None: there is none, it has expired, or this store took it.

    A lease that ends later than possible was written by a clock that is ahead, and blocks nobody.
    """
    there = content.rrsets.get(place_of_lease(zone))
    found = [_TEXT.fullmatch(value.strip('"')) for value in there.values] if there else []
    for each in filter(None, found):
        length, ends = int(each["lasts"]), int(each["expires"])
        lease = Lease(each["owner"], each["run"], each["by"], each["store"], length, ends)
        if lease.store != store and now < ends <= now + min(length, LONGEST) + AHEAD:
            return lease
    return None


def taking(content: ZoneContent, zone: Zone, lease: Lease) -> Leasing:
    """Return the change that takes a lease, with its prerequisites."""
    there = content.rrsets.get(place_of_lease(zone))
    return Leasing(place_of_lease(zone)[0], there.values if there else (), f'"{lease.text}"')
