"""Time spans, and times with a zone, so that a time means the same on two machines. Pure."""

import re
from datetime import datetime

_SCALE = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PIECE = r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(ms|s|m|h|d|w)"
SPAN = "write it as 500ms, 90s, 30m, 2h, 1d12h or 1w"
ZONED = "write it with its zone, as 2026-12-31T18:00+01:00 or 2026-12-31T17:00Z"


def parse_duration(text: str) -> float:
    """Return the seconds of `500ms`, `90s` or `1d12h`. Raises ValueError if the text is not a span."""
    if not re.fullmatch(f"(?:{_PIECE})+", text):
        raise ValueError(text)
    return round(sum(float(number) * _SCALE[unit] for number, unit in re.findall(_PIECE, text)), 6)


def parse_timestamp(text: str) -> float:
    """Return seconds since the epoch. Raises ValueError if the text is not a date with a time and a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
