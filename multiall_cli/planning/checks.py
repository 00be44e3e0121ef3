"""What can be checked: by which arguments a subject is found, which values it shows, and which way they grow worse."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from multiall_cli.domain.baseline import Code


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


class Worse(StrEnum):
    """Which way a value grows worse: only such a value has limits."""

    HIGH = "high"
    LOW = "low"
    NEITHER = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a subject shows. `code`: what it is where another one is wanted; `over`: it is about the time
    since the look before, so the first look does not have it.
    """

    measure: Measure
    worse: Worse = Worse.NEITHER
    code: Code = Code.WRONG_VALUE
    means: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """`subject`: argument → how it is written; `optional`: those that may be missing; `implied`: what is expected where
    a rule does not say so itself.

    `marked`: a look leaves a mark, from which the next one goes on (counters, the place in a log).
    """

    means: str
    subject: Mapping[str, Measure] = field(default_factory=dict)
    optional: Mapping[str, Measure] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    implied: Mapping[str, object] = field(default_factory=dict)
    marked: bool = False


_PRESENT = Value(Measure.FLAG, code=Code.MISSING, means="whether it is there")
_MATCHES = Value(Measure.FLAG, means="whether the pattern of `match` is found")
_THERE: Mapping[str, object] = {"present": True}


def _high(measure: Measure, means: str) -> Value:
    return Value(measure, Worse.HIGH, means=means)


def _low(measure: Measure, means: str) -> Value:
    return Value(measure, Worse.LOW, means=means)


def _state(means: str, measure: Measure = Measure.FLAG) -> Value:
    return Value(measure, code=Code.WRONG_STATE, means=means)


def _access(means: str, measure: Measure = Measure.TEXT) -> Value:
    return Value(measure, code=Code.WRONG_ACCESS, means=means)


def _text(means: str, measure: Measure = Measure.TEXT) -> Value:
    return Value(measure, means=means)


CHECKS: Mapping[str, Check] = {
    "file": Check(
        "A file, folder or link.",
        {"path": Measure.TEXT},
        {"match": Measure.PATTERN, "follow": Measure.FLAG},
        {
            "present": _PRESENT,
            "matches": _MATCHES,
            "kind": _state("file, directory, link, socket, ...", Measure.TEXT),
            "mode": _access("its rights", Measure.MODE),
            "owner": _access("whose it is"),
            "group": _access("its group"),
            "size": _high(Measure.BYTES, "its length"),
            "age": _high(Measure.SECONDS, "since it was changed"),
            "target": _text("where a link leads"),
            "sha256": _text("the digest of its content"),
        },
        _THERE,
    ),
    "files": Check(
        "The files that a pattern (`/var/spool/x/*`) finds.",
        {"path": Measure.TEXT},
        values={
            "count": _high(Measure.COUNT, "how many"),
            "age": _high(Measure.SECONDS, "since the newest was changed"),
        },
    ),
    "mount": Check(
        "A file system that is mounted at a path.",
        {"path": Measure.TEXT},
        values={
            "present": _PRESENT,
            "type": _text("its kind, such as ext4"),
            "options": _text("that are all among its own", Measure.WORDS),
        },
        implied=_THERE,
    ),
    "disk": Check(
        "The file system that a path is on.",
        {"path": Measure.TEXT},
        values={
            "present": _PRESENT,
            "used": _high(Measure.SHARE, "as df has it"),
            "free": _low(Measure.BYTES, "for programs without rights"),
            "inodes": _high(Measure.SHARE, "of them that are used"),
        },
        implied=_THERE,
    ),
    "process": Check(
        "The processes of a name, as the kernel has it.",
        {"name": Measure.TEXT},
        {"user": Measure.TEXT},
        {"count": _low(Measure.COUNT, "how many"), "age": _low(Measure.SECONDS, "of the oldest")},
        {"count": (None, 1.0)},
    ),
    "zombies": Check(
        "Processes that ended and were not waited for.", values={"count": _high(Measure.COUNT, "how many")}
    ),
    "load": Check(
        "The load averages, for each processor.",
        values={
            "one": _high(Measure.NUMBER, "over a minute"),
            "five": _high(Measure.NUMBER, "over five minutes"),
            "fifteen": _high(Measure.NUMBER, "over a quarter of an hour"),
        },
    ),
    "memory": Check(
        "Memory.",
        values={
            "available": _low(Measure.SHARE, "that programs can still be given"),
            "free": _low(Measure.BYTES, "the same in bytes"),
            "swap": _high(Measure.SHARE, "of it that is used"),
        },
    ),
    "pressure": Check(
        "How long tasks waited for cpu, memory or io in the last minute (PSI).",
        {"resource": Measure.TEXT},
        values={
            "some": _high(Measure.SHARE, "of the time some waited"),
            "full": _high(Measure.SHARE, "of the time all waited"),
        },
    ),
    "open_files": Check(
        "Open files of the whole system.", values={"used": _high(Measure.SHARE, "of all that may be open")}
    ),
    "uptime": Check("Since when it runs.", values={"age": _low(Measure.SECONDS, "since it was started")}),
    "clock": Check(
        "Its clock, against the admin host's.", values={"offset": _high(Measure.SECONDS, "either way, at least")}
    ),
    "sysctl": Check(
        "A setting of the kernel.",
        {"name": Measure.TEXT},
        values={"present": _PRESENT, "value": _text("as sysctl shows it")},
        implied=_THERE,
    ),
    "module": Check("A module of the kernel.", {"name": Measure.TEXT}, values={"present": _PRESENT}, implied=_THERE),
    "reboot": Check(
        "Whether a new kernel waits for a start.",
        values={"needed": _state("whether it does")},
        implied={"needed": False},
    ),
    "user": Check(
        "An account.",
        {"name": Measure.TEXT},
        values={
            "present": _PRESENT,
            "uid": _text("its number", Measure.COUNT),
            "home": _text("its folder"),
            "shell": _text("its shell"),
            "groups": _access("that are all among its own", Measure.WORDS),
        },
        implied=_THERE,
    ),
    "group": Check(
        "A group.",
        {"name": Measure.TEXT},
        values={
            "present": _PRESENT,
            "gid": _text("its number", Measure.COUNT),
            "members": _access("that are all among its own", Measure.WORDS),
        },
        implied=_THERE,
    ),
    "package": Check(
        "A package of dpkg or rpm.",
        {"name": Measure.TEXT},
        values={"present": _PRESENT, "version": _text("exactly")},
        implied=_THERE,
    ),
    "service": Check(
        "A service of systemd or sysvinit.",
        {"name": Measure.TEXT},
        values={"present": _PRESENT, "running": _state("now"), "enabled": _state("at the next start")},
        implied={"present": True, "running": True},
    ),
    "failed_units": Check(
        "Units of systemd that failed.",
        values={"count": _high(Measure.COUNT, "how many")},
        implied={"count": (None, 1.0)},
    ),
    "command": Check(
        "A command of one's own; its words go to no shell.",
        {"argv": Measure.WORDS},
        values={
            "exit": _text("its code", Measure.COUNT),
            "output": _text("all that it prints, without spaces at its ends"),
        },
        implied={"exit": 0},
    ),
    "port": Check(
        "A port that something listens on.",
        {"port": Measure.COUNT},
        {"protocol": Measure.TEXT},
        {"open": _state("whether something does"), "addresses": _access("and on no others", Measure.WORDS)},
        {"open": True},
    ),
    "tcp": Check(
        "A connection from the server to another place.",
        {"address": Measure.TEXT, "port": Measure.COUNT},
        values={"open": _state("whether it can be made"), "took": _high(Measure.SECONDS, "until it was")},
        implied={"open": True},
    ),
    "http": Check(
        "One GET by the server itself; redirections are not followed.",
        {"url": Measure.TEXT},
        {"match": Measure.PATTERN, "insecure": Measure.FLAG},
        {
            "present": Value(Measure.FLAG, code=Code.WRONG_STATE, means="whether there is an answer"),
            "status": _text("its number", Measure.COUNT),
            "matches": _MATCHES,
            "took": _high(Measure.SECONDS, "until the whole answer was there"),
        },
        {"present": True, "status": 200},
    ),
    "certificate": Check(
        "A certificate, of a file (`path`) or of a place that speaks TLS (`address`, `port`, `name`).",
        {},
        {"path": Measure.TEXT, "address": Measure.TEXT, "port": Measure.COUNT, "name": Measure.TEXT},
        {
            "present": _PRESENT,
            "left": Value(Measure.SECONDS, Worse.LOW, means="until it ends"),
            "names": _text("that are all among its own", Measure.WORDS),
        },
        {"present": True, "left": (30 * 86400.0, 7 * 86400.0)},
    ),
    "interface": Check(
        "A network interface.",
        {"name": Measure.TEXT},
        values={
            "present": _PRESENT,
            "state": _state("up, down or unknown", Measure.TEXT),
            "speed": _low(Measure.COUNT, "Mbit/s"),
            "errors": _high(Measure.COUNT, "since it came up"),
            "dropped": _high(Measure.COUNT, "since it came up"),
        },
        implied=_THERE,
    ),
    "route": Check(
        "A route of IPv4.", {}, {"to": Measure.TEXT}, {"present": _PRESENT, "via": _text("the next hop")}, _THERE
    ),
}

_BYTES = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}  # fmt: skip
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
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
            return _amount(text, _SECONDS)
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
    if not isinstance(value, int | float):
        return str(value)
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
