"""What may be done about a rule that fails, and what became of it."""

from collections.abc import Mapping
from dataclasses import field

from multiall_cli.domain.baseline import Code
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import After


@dataclass(frozen=True, slots=True)
class Remedy:
    """One action on one server. `rule`: what calls for it; `code`, `shows`: how that failed."""

    server: str
    rule: str
    action: After
    code: Code = field(default=Code.OK, compare=False)
    shows: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Cooling:
    """A remedy that is called for again so soon that it is not applied. Times in seconds since the epoch."""

    remedy: Remedy
    applied: float
    until: float


@dataclass(frozen=True, slots=True)
class Remedies:
    """What may be done now. `unseen`: servers that could not be looked at, and why; `cooling`: what has been done a
    short while ago, and the rule still fails.
    """

    chosen: tuple[Remedy, ...]
    unseen: Mapping[str, str] = field(default_factory=dict)
    cooling: tuple[Cooling, ...] = ()


@dataclass(frozen=True, slots=True)
class Remedied:
    """What became of a remedy, in a run of the journal. `trouble`: why it did not help; '': it did."""

    run: str
    remedy: Remedy
    trouble: str = ""
    after: Code | None = None

    @property
    def helped(self) -> bool:
        return not self.trouble
