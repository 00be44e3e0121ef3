"""Remedies for rules that fail, and their results."""

from collections.abc import Mapping
from dataclasses import field

from multiall_cli.domain.baseline import Code
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.inventory import After


@dataclass(frozen=True, slots=True)
class Remedy:
    """One action on one server. `rule`: the rule that needs it; `code`, `shows`: that rule's failure."""

    server: str
    rule: str
    action: After
    code: Code = field(default=Code.OK, compare=False)
    shows: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Cooling:
    """Remedy that is needed again so soon that it is not applied. Times in seconds since the epoch."""

    remedy: Remedy
    applied: float
    until: float


@dataclass(frozen=True, slots=True)
class Remedies:
    """Remedies that may be applied now.

    `unseen`: servers that could not be checked, each with the reason; `cooling`: remedies that were applied a short
    while ago, but whose rules still fail.
    """

    chosen: tuple[Remedy, ...]
    unseen: Mapping[str, str] = field(default_factory=dict)
    cooling: tuple[Cooling, ...] = ()


@dataclass(frozen=True, slots=True)
class Remedied:
    """Result of a remedy, in a run of the journal. `trouble`: why it did not help; '': it did."""

    run: str
    remedy: Remedy
    trouble: str = ""
    after: Code | None = None

    @property
    def helped(self) -> bool:
        return not self.trouble
