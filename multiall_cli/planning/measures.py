"""How values are written, compared and shown."""

import re
from collections.abc import Mapping
from enum import StrEnum

from multiall_cli.planning.moments import span


class Measure(StrEnum):
    """How a value is written and compared."""

    FLAG = "true or false"
    TEXT = "text"
    WORDS = "a list of words"
    MODE = "an octal mode such as '0644'"
    COUNT = "a whole number"
    NUMBER = "a number"
    SHARE = "a share such as 90%"
    BYTES = "an amount such as 500MB or 2GiB"
    SECONDS = "a time such as 500ms, 5m or 30d"
    PATTERN = "a regular expression"


LARGEST = 1e300  # of a number that is shown in units
LONGEST = 500  # letters of any other
_BYTES = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}  # fmt: skip
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z%]*)")


def read(measure: Measure, text: str) -> object:
    """The value that a text means. Errors: ValueError."""
    match measure:
        case Measure.FLAG:
            return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _wrong(text)
        case Measure.TEXT:
            return text
        case Measure.PATTERN:
            return _pattern(text)
        case Measure.MODE:
            return f"{int(text, 8):04o}" if re.fullmatch("0?[0-7]{3,4}", text) else _wrong(text)
        case Measure.COUNT:
            return int(text) if re.fullmatch("[0-9]{1,15}", text) else _wrong(text)
        case Measure.NUMBER:
            return _amount(text, {"": 1.0})
        case Measure.SHARE:
            return _amount(text, {"%": 0.01})
        case Measure.BYTES:
            return _amount(text, _BYTES)
        case Measure.SECONDS:
            return span(text.strip())
    raise ValueError(text)


def _wrong(text: str) -> object:
    raise ValueError(text)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise ValueError(text) from None
    return text


def _amount(text: str, units: Mapping[str, float]) -> float:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2] not in units:
        raise ValueError(text)
    return round(float(found[1]) * units[found[2]], 12)  # 70% is 0.7


def shown(measure: Measure, value: object) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return str(value)[:LONGEST]  # a member may say anything
    match measure:
        case Measure.SHARE:
            return f"{100 * value:.3g} %"
        case Measure.BYTES:
            return _largest(value, {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1})
        case Measure.SECONDS:
            return _largest(value, {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001})
        case _:
            return f"{value:.4g}" if isinstance(value, float) else str(value)


def _largest(value: float, units: Mapping[str, float]) -> str:
    unit, size = next(((unit, size) for unit, size in units.items() if abs(value) >= size), (list(units)[-1], 1.0))
    return f"{value / size:.3g} {unit}"
