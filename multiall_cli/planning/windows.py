"""Windows of the inventory: times that come again, in which servers are in maintenance or drained. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from multiall_cli.domain.inventory import Inventory, Window
from multiall_cli.domain.topology import Downtime, Planned
from multiall_cli.planning.whom import INVENTORY

LOOKED_AT = 40  # beginnings: hours of a day, days of a month


def fault_of(window: Window) -> tuple[str, str, str] | None:
    """(key, what is wrong with it, what to write) of a window that cannot be; None where it can."""
    try:
        ZoneInfo(window.zone)
    except (KeyError, ValueError, OSError):
        return "zone", f"{window.zone!r} is no time zone", "write such as Europe/Zurich or UTC"
    try:
        begins = list(islice(CronSim(window.at, datetime(2026, 1, 1, tzinfo=ZoneInfo(window.zone))), LOOKED_AT))
    except CronSimError:
        return "at", f"{window.at!r} is no time as cron has them", "write minute hour day month weekday: '0 2 * * sun'"
    gaps = [(after - before).total_seconds() for before, after in pairwise(each.astimezone(UTC) for each in begins)]
    if gaps and min(gaps) <= window.lasts:
        return "lasts", "it begins again before it has ended", "make it shorter: there must be an end"
    return None


def spells(window: Window, now: float) -> Iterator[tuple[float, float]]:
    """(begin, end) in seconds since the epoch: of the one that holds, where one does, and of the next."""
    zone = ZoneInfo(window.zone)
    # Of a moment that is not a whole second, the search backwards begins with that second itself.
    moment = datetime.fromtimestamp(int(now), zone).replace(microsecond=1)
    before = next(CronSim(window.at, moment, reverse=True), None)
    if before is not None and (begins := before.timestamp()) + window.lasts > now:
        yield begins, begins + window.lasts
    coming = (each.timestamp() for each in CronSim(window.at, datetime.fromtimestamp(now, zone)))
    # In an hour that comes twice, what is found first may be over.
    begins = next((each for each in coming if each > now), 0.0)
    if begins:
        yield begins, begins + window.lasts


def promised(inventory: Inventory, now: float) -> list[Planned]:
    """What the inventory says of each server, for itself and for its pools: now, and the next time."""
    return [
        Planned(name, Downtime(window.what), begins, ends, INVENTORY, window.because)
        for names, window in _windows(inventory)
        for begins, ends in spells(window, now)
        for name in names
    ]


def _windows(inventory: Inventory) -> Iterable[tuple[Sequence[str], Window]]:
    """Each with the servers for which it holds."""
    for server in inventory.servers.values():
        for window in server.windows:
            yield (server.name,), window
    for pool in inventory.pools.values():
        for window in pool.windows:
            yield pool.members, window
