"""What can befall a host: the faults' names, what they take, and how that is written."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.nearest import did_you_mean
from multiall_cli.planning.targets.ranges import expand


class FaultKind(StrEnum):
    """Each can be undone, with `reset` as the way that always works."""

    KILL = "kill"
    POWER_OFF = "power_off"
    RESTART = "restart"
    FREEZE = "freeze"
    CUT = "cut"
    ONE_WAY = "one_way"
    PARTITION = "partition"
    LINE = "line"
    FILL_DISK = "fill_disk"
    READ_ONLY = "read_only"
    SICK_DISK = "sick_disk"
    FEW_FILES = "few_files"
    SKEW_CLOCK = "skew_clock"
    SLOW_SSHD = "slow_sshd"
    HUNG_SSHD = "hung_sshd"
    KILL_SSHD = "kill_sshd"
    DIE_MID_TRANSFER = "die_mid_transfer"


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A fault's line in the help, and its values: name → as they are where none is given."""

    words: str
    takes: Mapping[str, object]


FAULTS: Mapping[FaultKind, FaultSpec] = {
    FaultKind.KILL: FaultSpec("every process dies at once; its kernel says so to whom it talked", {}),
    FaultKind.POWER_OFF: FaultSpec("the cable goes first: no one hears anything of it again", {}),
    FaultKind.RESTART: FaultSpec("killed and booted, its disk as it was", {}),
    FaultKind.FREEZE: FaultSpec("its kernel takes connections, and no process of it ever answers", {}),
    FaultKind.CUT: FaultSpec("its cable is out", {}),
    FaultKind.ONE_WAY: FaultSpec("what it sends to others is lost, what they send arrives", {"to": ()}),
    FaultKind.PARTITION: FaultSpec("it and others do not hear each other", {"from": ()}),
    FaultKind.LINE: FaultSpec("a slow, lossy line", {"delay": 0.0, "jitter": 0.0, "loss": 0.0, "rate": 0.0}),
    FaultKind.FILL_DISK: FaultSpec("no byte is free on its disk", {}),
    FaultKind.READ_ONLY: FaultSpec("its disk takes no writes", {}),
    FaultKind.SICK_DISK: FaultSpec("works of its disk give I/O errors (new logins see it)", {"of": ("write", "sync")}),
    FaultKind.FEW_FILES: FaultSpec("no process may open many files (new logins see it)", {"most": 16.0}),
    FaultKind.SKEW_CLOCK: FaultSpec("its programs read another time (new logins do)", {"by": 3600.0}),
    FaultKind.SLOW_SSHD: FaultSpec("every login waits", {"for": 2.0}),
    FaultKind.HUNG_SSHD: FaultSpec("sshd takes connections and shows no banner", {}),
    FaultKind.KILL_SSHD: FaultSpec("sshd and its logins die; what they started is left alone", {}),
    FaultKind.DIE_MID_TRANSFER: FaultSpec("its power goes once so many bytes were sent to it", {"after": 65536}),
}

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1.0, "k": 1024.0, "m": 1024.0**2, "g": 1024.0**3}
_COUNT = {"": 1.0}
_BITS = {"kbit": 125.0, "mbit": 125_000.0, "gbit": 125_000_000.0}
_MEASURES: Mapping[str, tuple[Mapping[str, float], str]] = {
    "delay": (_UNITS, "200ms"),
    "jitter": (_UNITS, "20ms"),
    "by": (_UNITS, "-2h"),
    "for": (_UNITS, "2s"),
    "loss": ({"%": 0.01}, "30%"),
    "rate": (_BITS, "1mbit"),
    "after": (_SIZES, "64k"),
    "most": (_COUNT, "16"),
}
"""value → what its units are worth in seconds, shares and bytes (a second); how one is written."""
_NAMES = {"to": "web2,admin", "from": "web2,admin", "of": "read,write,sync"}
"""value → how a list of names is written."""


def fault_kind(name: str) -> FaultKind:
    """The fault of this name, written with `-` or `_`. Errors: UsageError with the nearest known name."""
    word = name.replace("-", "_")
    if word not in list(FaultKind):
        todo = f"{did_you_mean(word, list(FaultKind))}`multiall lab break` shows all"
        raise UsageError(f"fault {name}", "there is no such fault", todo)
    return FaultKind(word)


def with_defaults(fault: FaultKind, values: Mapping[str, object]) -> dict[str, object]:
    """The values with what was not given filled in. Errors: UsageError."""
    takes = FAULTS[fault].takes
    for name in values:
        if name not in takes:
            known = f"it takes {', '.join(takes)}" if takes else "it takes no values"
            raise UsageError(f"fault {fault}", f"it has no `{name}`", known)
    return {**takes, **values}


def check_types(fault: FaultKind, values: Mapping[str, object]) -> dict[str, object]:
    """The same for values that are no text any more. Errors: UsageError where one is of another kind."""
    found = with_defaults(fault, values)
    for name, usual in FAULTS[fault].takes.items():
        kinds, what = ((list, tuple), "a list of words") if isinstance(usual, tuple) else ((int, float), "a number")
        if not isinstance(found[name], kinds):
            raise UsageError(f"fault {fault}", f"`{name}` is {found[name]!r}", f"give {what}, such as {usual!r}")
    return found


def parse_values(fault: FaultKind, words: Sequence[str]) -> dict[str, object]:
    """Values as they are typed: `delay=500ms loss=30% rate=1mbit by=-2h after=64k to=web2`. Errors: UsageError."""
    values: dict[str, str] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            raise UsageError(f"fault {fault}", f"`{word}` is no value", "write NAME=VALUE, such as delay=500ms")
        values[name] = text
    with_defaults(fault, values)
    return {name: _value(fault, name, text) for name, text in values.items()}


def example(fault: FaultKind) -> str:
    """What it takes, as it is typed."""
    return " ".join(f"{name}={_NAMES.get(name) or _MEASURES[name][1]}" for name in FAULTS[fault].takes)


def _value(fault: FaultKind, name: str, text: str) -> object:
    if name in _NAMES:
        return expand(text)
    units, like = _MEASURES[name]
    found = re.fullmatch(r"([+-]?[0-9]+(?:\.[0-9]+)?)([a-z%]*)", text)
    if found is None or found[2] not in units:
        raise UsageError(f"fault {fault}", f"{name}={text} makes no sense", f"write it as {name}={like}")
    return float(found[1]) * units[found[2]]
