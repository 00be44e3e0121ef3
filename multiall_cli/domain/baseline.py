"""Health: rules, readings of servers, and the resulting statuses, whose numbers never change."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import IntEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.rule_source import NOWHERE

CRITICAL, UNKNOWN = 4, 5
"""Classes of codes: their hundreds."""


class Code(IntEnum):
    """Cause of a status. Its hundreds are its class; a number never gets another meaning."""

    PENDING = 100
    EXEMPT = 104
    MAINTENANCE = 105
    SUPPRESSED = 106
    OK = 200
    REMEDIED = 202
    SOFT_FAIL = 203
    WARN_LIMIT = 300
    DRIFT = 303
    EXPIRING = 304
    CRIT_LIMIT = 400
    WRONG_STATE = 401
    WRONG_VALUE = 402
    WRONG_ACCESS = 403
    MISSING = 404
    UNWANTED = 405
    EXPIRED = 406
    COLLECT_ERROR = 500
    UNSUPPORTED = 501
    BAD_OUTPUT = 502
    UNREACHABLE = 503
    TIMEOUT = 504
    STALE = 505
    NO_PRIVILEGE = 506

    @classmethod
    def of(cls, number: object) -> "Code":
        """Return the code of a saved number; an unknown number, from a newer release, counts as BAD_OUTPUT."""
        try:
            return cls(int(str(number)))
        except ValueError:
            return cls.BAD_OUTPUT

    @property
    def rank(self) -> int:
        """Return the severity: neutral 0, good 1, warning 2, unknown 3, critical 4. Unknown never hides critical."""
        return _RANKS[self // 100]

    @property
    def nagios(self) -> int:
        """Return the exit code of a Nagios plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""
        return _NAGIOS[self // 100]

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", " ")

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]

    @property
    def is_problem(self) -> bool:
        return self >= Code.WARN_LIMIT


AHEAD = 60.0  # seconds by which clocks of admin hosts may differ


def is_stale(at: float, now: float, stale: float) -> bool:
    """Return whether a check is too old, or further in the future than clocks may differ."""
    return not -AHEAD <= now - at <= stale


_RANKS = {1: 0, 2: 1, 3: 2, 4: 4, 5: 3}
_NAGIOS = {1: 0, 2: 0, 3: 1, 4: 2, 5: 3}
_MEANINGS = {
    Code.PENDING: "it is known from the second look on",
    Code.EXEMPT: "waived for a time",
    Code.MAINTENANCE: "the server is in maintenance",
    Code.SUPPRESSED: "a consequence of another rule that failed (`needs`)",
    Code.OK: "as wanted",
    Code.REMEDIED: "it failed, and its remedy has just been applied",
    Code.SOFT_FAIL: "failing, but not yet for as long, or as often, as the rule says",
    Code.WARN_LIMIT: "past its warning limit",
    Code.DRIFT: "other than most of its brothers, or than its pool declares",
    Code.EXPIRING: "ends soon",
    Code.CRIT_LIMIT: "past its critical limit",
    Code.WRONG_STATE: "in another state than wanted",
    Code.WRONG_VALUE: "another value than wanted",
    Code.WRONG_ACCESS: "other owners or modes than wanted",
    Code.MISSING: "not there, and should be",
    Code.UNWANTED: "there, and should not be",
    Code.EXPIRED: "ended",
    Code.COLLECT_ERROR: "it could not be read",
    Code.UNSUPPORTED: "this server has nothing by which it could be read",
    Code.BAD_OUTPUT: "what came back makes no sense",
    Code.UNREACHABLE: "the server cannot be reached; what was held before stands",
    Code.TIMEOUT: "it was not read within its time",
    Code.STALE: "what is remembered is too old to go by",
    Code.NO_PRIVILEGE: "reading it takes rights that we do not have",
}


Range = tuple[float | None, float | None]
"""From, to; None: without an end on that side."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expectation of a rule about one value of its subject.

    `wanted`: the exact value; `warning`, `critical`: limits of a number, in the direction in which it gets worse;
    `ranges`: [warning, critical] ranges of a number. None: no such expectation.
    """

    value: str
    wanted: object = None
    warning: float | None = None
    critical: float | None = None
    ranges: tuple[Range | None, Range | None] = (None, None)


Fact = tuple[str, str]
"""A check and its subject, as text."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition that must hold. `subject`: the arguments by which its check finds it; times in seconds.

    `most`: the class that it may reach (3 or 4 hundred); `lasting`: how long it must fail; `clear`: the limit that it
    must pass to be good again; `needs`: rules whose failure explains this one's; `often`: in how many of how many
    checks it must fail; `every`: the least time between two checks; `same`: values that must equal those of most peers;
    `remedy`: the argv of its remedy, () if none is declared.
    """

    id: str
    check: str
    subject: Mapping[str, object]
    expects: tuple[Expectation, ...]
    title: str = ""
    todo: str = ""
    most: int = 4
    lasting: float = 0.0
    clear: float | None = None
    needs: tuple[str, ...] = ()
    often: tuple[int, int] = (1, 1)
    every: float = 0.0
    same: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)
    where: Mapping[str, Origin] = field(default_factory=dict, compare=False)
    fact: Fact = field(init=False, repr=False, compare=False)
    """Equal for all rules about one subject, which is read once."""

    digest: str = field(init=False, repr=False, compare=False)
    """Hash of the rule's conditions: a saved state under another hash does not apply to this rule."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fact", (self.check, repr(sorted(self.subject.items()))))
        asked = (self.fact, self.expects, self.most, self.lasting, self.clear, self.often, self.same)
        object.__setattr__(self, "digest", f"{zlib.crc32(repr(asked).encode('utf-8', 'surrogatepass')):08x}")


@dataclass(frozen=True, slots=True)
class FactValue:
    """Values read of one subject, or the reason why there are none (`trouble`, with its code).

    `mark`: input for the next reading on the member, as JSON; '' if it needs none.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    trouble: str = ""
    code: Code = Code.OK
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """Status of one rule on one server.

    `since`: start of this class, in seconds since the epoch; `hidden`: the code that a neutral one replaces; `value`:
    the value with limits; `limits`: [warning, critical]; `low`: values below the limits are bad.
    """

    server: str
    rule: str
    code: Code
    since: float = 0.0
    shows: str = ""
    wanted: str = ""
    title: str = ""
    todo: str = ""
    hidden: Code | None = None
    value: float | None = None
    limits: tuple[float | None, float | None] = (None, None)
    low: bool = False
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class HealthSummary:
    """Worst code of a server at its last check, and the time of that check (seconds since the epoch)."""

    code: Code
    at: float


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """Result of a check of one server: its statuses, and the worst of them.

    `at`: time of the check, in seconds since the epoch, 0 if there was none; `trouble`: why there is no result now.
    """

    server: str
    code: Code
    at: float
    statuses: tuple[Status, ...] = ()
    trouble: str = ""

    @property
    def problems(self) -> tuple[Status, ...]:
        return tuple(each for each in self.statuses if each.code.is_problem)


def worst(codes: Sequence[Code]) -> Code:
    """Return the most severe code; of equals, the lowest number. Without codes, return OK."""
    return max(codes, key=lambda code: (code.rank, -code), default=Code.OK)
