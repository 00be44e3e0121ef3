"""Saved health: the states of rules, waivers, and the resulting health of pools."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from multiall_cli.domain.baseline import Code, ServerHealth
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.rule_source import NOWHERE

DAY = 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class RuleState:
    """Saved state of one rule on one server. Times in seconds since the epoch; `failing` 0: it does not fail.

    `at`: when it was last read; `looks`: the newest checks, the newest last, `x` for a failure; `value`: the value with
    limits; `told`: the values that peers are compared by, as JSON; `digest`: hash of the rule's conditions.
    """

    code: Code
    since: float
    failing: float = 0.0
    at: float = 0.0
    looks: str = ""
    shows: str = ""
    wanted: str = ""
    hidden: Code | None = None
    value: float | None = None
    told: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class HealthState:
    """Saved data of a server between two checks.

    `rules`: states by rule; `marks`: input of facts for their next reading; `lost`: why the last check failed, '' if it
    did not.
    """

    rules: Mapping[str, RuleState] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Permission for a rule to fail on some servers until a time, in seconds since the epoch.

    `target`: the servers, as a target expression; `number` 0: it is in the inventory, at `origin`.
    """

    rule: str
    target: str
    ends: float
    because: str
    who: str
    at: float = 0.0
    number: int = 0
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Transition:
    """Change of a rule's class. `before` None: it was not known."""

    at: float
    server: str
    rule: str
    before: Code | None
    after: Code
    shows: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Result of one rule at one check. `value`: the value with limits."""

    at: float
    code: Code
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """Results of a server's rules at one check, by place: codes as numbers (0: the rule was not due), and values."""

    rules: tuple[str, ...] = ()
    codes: Sequence[int] = ()
    values: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class HealthRecord:
    """Saved check of one server: its worst code; `memory`, packed; the results of its rules; class changes."""

    server: str
    at: float
    code: Code
    memory: bytes
    samples: Samples
    changes: Sequence[Transition] = ()


@dataclass(frozen=True, slots=True)
class RuleHistory:
    """History of one rule on one server, the oldest first."""

    server: str
    rule: str
    samples: tuple[Sample, ...]
    changes: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """Health of a pool. `working`: members without a critical or unknown status; `quorum` None: none is declared."""

    pool: str
    code: Code
    working: int
    members: int
    quorum: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Result of a check, or saved health.

    Covers servers, the pools whose members are all among them, and the waivers that end soon. `members`: of those
    pools; `left`: servers that the check did not get to.
    """

    servers: tuple[ServerHealth, ...]
    pools: tuple[PoolHealth, ...] = ()
    ending: tuple[Waiver, ...] = ()
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    left: tuple[str, ...] = ()

    @property
    def lost(self) -> dict[str, str]:
        """Return server → why its health is unknown now."""
        known = {each.server: f"{each.code.word}: {each.trouble}" for each in self.servers if each.trouble}
        return {**known, **dict.fromkeys(self.left, "not looked at")}

    @property
    def is_idle(self) -> bool:
        """Return whether no server has rules to check, so that no health is known at all."""
        return not self.left and not any(each.statuses or each.trouble for each in self.servers)


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """Settings of health checks. Times in seconds.

    `longest`: longest duration of a waiver; `keep`: how long history is saved; `stale`: age from which a saved result
    no longer counts as the server's state; `cool_down`: least time between two applications of a remedy.
    """

    longest: float = 90 * DAY
    keep: float = 90 * DAY
    stale: float = 0.25 * DAY
    cool_down: float = 900.0
