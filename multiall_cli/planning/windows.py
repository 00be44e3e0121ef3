"""Windows of the inventory: recurring times in which servers are in maintenance or drained. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from multiall_cli.domain.inventory import Inventory, Window
from multiall_cli.domain.topology import Downtime, DowntimeKind
from multiall_cli.planning.whom import INVENTORY

LOOKED_AT = 40  # starts to check: covers the hours of a day and the days of a month


def fault_of(window: Window) -> tuple[str, str, str] | None:
    """Return (key, problem, what to write) of an invalid window, or None if it is valid."""
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
    """Yield (begin, end) of the current window, if there is one, and of the next. Seconds since the epoch."""
    zone = ZoneInfo(window.zone)
    # From a moment that is not a whole second, CronSim's backward search starts with that very second.
    moment = datetime.fromtimestamp(int(now), zone).replace(microsecond=1)
    before = next(CronSim(window.at, moment, reverse=True), None)
    if before is not None and (begins := before.timestamp()) + window.lasts > now:
        yield begins, begins + window.lasts
    coming = (each.timestamp() for each in CronSim(window.at, datetime.fromtimestamp(now, zone)))
    # In the hour that a clock change repeats, the first result may be in the past.
    begins = next((each for each in coming if each > now), 0.0)
    if begins:
        yield begins, begins + window.lasts


def promised(inventory: Inventory, now: float) -> list[Downtime]:
    """Return the current and the next window of each server, from its own windows and those of its pools."""
    return [
        Downtime(name, DowntimeKind(window.what), begins, ends, INVENTORY, window.because)
        for names, window in _windows(inventory)
        for begins, ends in spells(window, now)
        for name in names
    ]


def _windows(inventory: Inventory) -> Iterable[tuple[Sequence[str], Window]]:
    """Yield each window with its servers."""
    for server in inventory.servers.values():
        for window in server.windows:
            yield (server.name,), window
    for pool in inventory.pools.values():
        for window in pool.windows:
            yield pool.members, window
