"""Faults of a host: their names, values, and how values are written."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets.ranges import expand


class FaultKind(StrEnum):
    """Faults. Each can be undone; `reset` undoes all of them."""

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
    """A fault's help, and its values: name → default."""

    words: str
    takes: Mapping[str, object]


FAULTS: Mapping[FaultKind, FaultSpec] = {
    FaultKind.KILL: FaultSpec("all processes die at once; the kernel closes their connections", {}),
    FaultKind.POWER_OFF: FaultSpec("the cable goes first: nobody hears from it again", {}),
    FaultKind.RESTART: FaultSpec("kill and boot; the disk stays", {}),
    FaultKind.FREEZE: FaultSpec("the kernel accepts connections, but no process answers", {}),
    FaultKind.CUT: FaultSpec("the cable is unplugged", {}),
    FaultKind.ONE_WAY: FaultSpec("packets to others are lost, packets from others arrive", {"to": ()}),
    FaultKind.PARTITION: FaultSpec("no packets between it and others", {"from": ()}),
    FaultKind.LINE: FaultSpec("a slow, lossy link", {"delay": 0.0, "jitter": 0.0, "loss": 0.0, "rate": 0.0}),
    FaultKind.FILL_DISK: FaultSpec("the disk is full", {}),
    FaultKind.READ_ONLY: FaultSpec("the disk is read-only", {}),
    FaultKind.SICK_DISK: FaultSpec("disk operations return I/O errors (for new logins)", {"of": ("write", "sync")}),
    FaultKind.FEW_FILES: FaultSpec("processes can open only a few files (for new logins)", {"most": 16.0}),
    FaultKind.SKEW_CLOCK: FaultSpec("programs read another time (for new logins)", {"by": 3600.0}),
    FaultKind.SLOW_SSHD: FaultSpec("every login waits", {"for": 2.0}),
    FaultKind.HUNG_SSHD: FaultSpec("sshd accepts connections but sends no banner", {}),
    FaultKind.KILL_SSHD: FaultSpec("sshd and its logins die; their commands keep running", {}),
    FaultKind.DIE_MID_TRANSFER: FaultSpec("the power fails after this many received bytes", {"after": 65536}),
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
"""value → factors of its units (seconds, shares, bytes, bytes a second), and an example."""
_NAMES = {"to": "web2,admin", "from": "web2,admin", "of": "read,write,sync"}
"""value → example of a list of names."""


def fault_kind(name: str) -> FaultKind:
    """Return the fault of this name, written with `-` or `_`. Raises UsageError with the nearest known name."""
    word = name.replace("-", "_")
    if word not in list(FaultKind):
        todo = f"{did_you_mean(word, list(FaultKind))}`multiall lab break` shows all"
        raise UsageError(f"fault {name}", "there is no such fault", todo)
    return FaultKind(word)


def with_defaults(fault: FaultKind, values: Mapping[str, object]) -> dict[str, object]:
    """Return the values, completed by the defaults. Raises UsageError."""
    takes = FAULTS[fault].takes
    for name in values:
        if name not in takes:
            known = f"it takes {', '.join(takes)}" if takes else "it takes no values"
            raise UsageError(f"fault {fault}", f"it has no `{name}`", known)
    return {**takes, **values}


def check_types(fault: FaultKind, values: Mapping[str, object]) -> dict[str, object]:
    """Return the values as `with_defaults`, but check their types. Raises UsageError."""
    found = with_defaults(fault, values)
    for name, usual in FAULTS[fault].takes.items():
        kinds, what = ((list, tuple), "a list of words") if isinstance(usual, tuple) else ((int, float), "a number")
        if not isinstance(found[name], kinds):
            raise UsageError(f"fault {fault}", f"`{name}` is {found[name]!r}", f"give {what}, such as {usual!r}")
    return found


def parse_values(fault: FaultKind, words: Sequence[str]) -> dict[str, object]:
    """Parse values as typed: `delay=500ms loss=30% rate=1mbit by=-2h after=64k to=web2`. Raises UsageError."""
    values: dict[str, str] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            raise UsageError(f"fault {fault}", f"`{word}` is not a value", "write NAME=VALUE, such as delay=500ms")
        values[name] = text
    with_defaults(fault, values)
    return {name: _value(fault, name, text) for name, text in values.items()}


def example(fault: FaultKind) -> str:
    """Return an example of the fault's values, as typed."""
    return " ".join(f"{name}={_NAMES.get(name) or _MEASURES[name][1]}" for name in FAULTS[fault].takes)


def _value(fault: FaultKind, name: str, text: str) -> object:
    if name in _NAMES:
        return expand(text)
    units, like = _MEASURES[name]
    found = re.fullmatch(r"([+-]?[0-9]+(?:\.[0-9]+)?)([a-z%]*)", text)
    if found is None or found[2] not in units:
        raise UsageError(f"fault {fault}", f"invalid value {name}={text}", f"write it as {name}={like}")
    return float(found[1]) * units[found[2]]
