"""What is remembered of health: how each rule stood, what was waived, and how a pool stands in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from multiall_cli.domain.baseline import Checked, Code
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.sayings import NOWHERE

DAY = 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class Held:
    """What is remembered of one rule on one server. Times in seconds since the epoch; `failing` 0: it is not.

    `at`: when it was last read; `looks`: the newest looks, the newest last, `x` where it failed; `value`: of what has
    limits; `told`: what brothers are compared by, as JSON; `digest`: of what the rule asked.
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
class Memory:
    """What is kept of a server between two looks: of its rules, the marks that its facts left, and why it could not be
    looked at when that was tried last ('' where it could).
    """

    rules: Mapping[str, Held] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that may fail on some servers until a time, in seconds since the epoch.

    `target`: the servers, as a target expression; `number` 0: it stands in the inventory, at `origin`.
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
class Change:
    """A rule went into another class. `before` None: it was not known."""

    at: float
    server: str
    rule: str
    before: Code | None
    after: Code
    shows: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """How one rule stood at one look. `value`: of what has limits."""

    at: float
    code: Code
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """How the rules of a server stood at one look, by their places: codes as numbers, 0 of a rule that was not due, and
    values.
    """

    rules: tuple[str, ...] = ()
    codes: Sequence[int] = ()
    values: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class HealthRecord:
    """One look at one server, as the store keeps it: the worst of it; `memory`, packed; how each rule stood; what
    changed.
    """

    server: str
    at: float
    code: Code
    memory: bytes
    samples: Samples
    changes: Sequence[Change] = ()


@dataclass(frozen=True, slots=True)
class RuleHistory:
    """One rule on one server over a time, the oldest first."""

    server: str
    rule: str
    samples: tuple[Sample, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """How a pool stands. `working`: members with nothing critical or unknown; `quorum` None: none is declared."""

    pool: str
    code: Code
    working: int
    members: int
    quorum: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What a check found, or what is remembered: of servers, of the pools all of whose members are among them, and the
    waivers that end soon. `members`: of those pools; `left`: the servers that were not come to.
    """

    servers: tuple[Checked, ...]
    pools: tuple[PoolHealth, ...] = ()
    ending: tuple[Waiver, ...] = ()
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    left: tuple[str, ...] = ()

    @property
    def lost(self) -> dict[str, str]:
        """server → why nothing is known of it now."""
        known = {each.server: f"{each.code.word}: {each.trouble}" for each in self.servers if each.trouble}
        return {**known, **dict.fromkeys(self.left, "not looked at")}

    @property
    def is_idle(self) -> bool:
        """Whether no server has anything to be looked at: then nothing is known of any."""
        return not self.left and not any(each.statuses or each.trouble for each in self.servers)


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """Times in seconds. `longest`: what a waiver may last; `keep`: how long history is kept; `stale`: the age from
    which what is remembered of a server is not its state any more; `cool_down`: between
    two of one remedy.
    """

    longest: float = 90 * DAY
    keep: float = 90 * DAY
    stale: float = 0.25 * DAY
    cool_down: float = 900.0
