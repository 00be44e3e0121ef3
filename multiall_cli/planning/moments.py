"""Moments with their zone: one that is read on two machines must mean the same on both. Pure."""

from datetime import datetime

ZONED = "write it with its zone, as 2026-12-31T18:00+01:00 or 2026-12-31T17:00Z"


def zoned(text: str) -> float:
    """Seconds since the epoch. Errors: ValueError where it is no date with a time and a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
