"""Times that were saved while this host's clock was ahead: the one rule for all stores. Pure."""

from collections.abc import Sequence

from multiall_cli.domain.baseline import AHEAD

DAY, HOUR, MINUTE = 86400, 3600, 60


def is_ahead(at: float, now: float) -> bool:
    """Return whether a saved time is later than now by more than the clocks of admin hosts differ."""
    return at > now + AHEAD


def as_of(at: float, now: float) -> float:
    """Return the effective value of a saved time: now, if it is ahead."""
    return now if is_ahead(at, now) else at


def end_of(until: float, counted_from: float, now: float) -> float:
    """Return the end of a span that starts at a saved time: counted from now, if that time is ahead."""
    return until - (counted_from - as_of(counted_from, now))


def report(leads: Sequence[float]) -> str:
    """Return the warning about times that are ahead. `leads`: how many seconds each is ahead."""
    times = "1 stored time is" if len(leads) == 1 else f"{len(leads)} stored times are up to"
    todo = "look at `timedatectl`, and let NTP set it"
    return f"clock: {times} {_span(max(leads))} later than the clock of this host, and count as of now; {todo}"


def _span(seconds: float) -> str:
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds + 1 >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
