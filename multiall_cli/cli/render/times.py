"""Moments and spans as people read and write them."""

import time
from datetime import datetime

from multiall_cli.domain.errors import UsageError
from multiall_cli.planning import durations

LONGEST = 366 * 86400  # seconds that a word on a server may hold


def moment(at: float) -> str:
    """Local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def span(seconds: float) -> str:
    """The two largest units: `3 h 20 min`, `45 s`."""
    whole = int(seconds)
    for size, unit, smaller, word in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {word}" if rest else "")
    return f"{whole} s"


def seconds_of(text: str, subject: str) -> float:
    """What `2h` or `1d12h` means. Errors: UsageError."""
    try:
        return durations.parse_duration(text)
    except ValueError:
        raise UsageError(subject, f"{text!r} is no span of time", durations.SPAN) from None


def moment_of(text: str, subject: str) -> float:
    """Seconds since the epoch of `2026-12-01T10:00`, `2026-12-01 10:00+01:00` or `2026-12-01T09:00Z`.

    Without a zone it is this machine's local time. Errors: UsageError.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        todo = "write it as 2026-12-01T10:00 (local time), with +01:00 or Z for another zone"
        raise UsageError(subject, f"{text!r} is no date and time", todo) from None


def must_end_once(span: str, until: str, subject: str, todo: str) -> None:
    """Errors: UsageError where neither --for nor --until says when something ends, or both do."""
    if span and until:
        raise UsageError(subject, "--for and --until both say when it ends", "say only one of the two")
    if not span and not until:
        raise UsageError(subject, "it must end, and say once when", todo)
