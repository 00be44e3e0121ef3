"""Serial numbers of zones, which wrap around (RFC 1982)."""

_CIRCLE, _HALF = 1 << 32, 1 << 31


def is_after(one: int, other: int) -> bool:
    """Return whether a serial is newer than another."""
    return one != other and (one - other) % _CIRCLE < _HALF


def after(serials: list[int]) -> int:
    """Return a serial that is newer than all of these. Never 0, which some servers take for no serial."""
    newest = serials[0]
    for each in serials[1:]:
        newest = each if is_after(each, newest) else newest
    return (newest + 1) % _CIRCLE or 1
