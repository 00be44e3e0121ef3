"""Building blocks of checks: subjects, values, and the direction in which values get worse."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from enum import StrEnum

from multiall_cli.domain.baseline import Code
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.planning.measures import Measure
from multiall_cli.planning.value_comparison import same_word

Alike = Callable[[Mapping[str, object], str, str, Collection[str]], bool]
"""(subject, wanted, observed, all observed) → whether wanted and observed mean the same, however they are spelled."""
Never = Callable[[Mapping[str, object], str], str]
"""(subject, wanted) → what to write instead if the wanted value is impossible; '' otherwise."""


class Worse(StrEnum):
    """Direction in which a value gets worse. Values without a direction have no limits."""

    HIGH = "high"
    LOW = "low"
    NEITHER = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a check returns for a subject.

    - `code`: the status if the value is not the wanted one.
    - `over`: it covers the time since the previous check, so the first check has no value.
    - `dear`: expensive; it is read only if a rule asks for it.
    - `warns`: the status past the warning limit.
    - `exact`: a list must have the wanted words and no others.
    - `alike`: compares texts and words that have several spellings.
    - `never`: reports wanted values that are impossible.
    - `of`: the name of the observed value, if it differs.
    """

    measure: Measure
    worse: Worse = Worse.NEITHER
    code: Code = Code.WRONG_VALUE
    means: str = ""
    over: bool = False
    dear: bool = False
    warns: Code = Code.WARN_LIMIT
    exact: bool = False
    alike: Alike | None = None
    never: Never | None = None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    - `subject`: argument → its type.
    - `optional`: the same, for arguments that may be missing.
    - `either`: optional arguments of which at least one is needed.
    - `implied`: expectations that apply unless the rule sets them itself.
    - `asks`: argument → the flag that is expected if the argument is given.
    - `marked`: a check leaves a mark from which the next one continues (counters, the position in a log).
    - `ours`: the admin host knows the value; no member is asked.
    - `absent`: values that a missing subject has too. A rule that expects only these does not imply `present`.
    - `instead`: flag → the implied expectations to drop if a rule wants the flag.
    """

    means: str
    subject: Mapping[str, Measure] = field(default_factory=dict)
    optional: Mapping[str, Measure] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    implied: Mapping[str, object] = field(default_factory=dict)
    marked: bool = False
    either: tuple[str, ...] = ()
    asks: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False
    absent: Mapping[str, object] = field(default_factory=dict)
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


PRESENT = Value(Measure.FLAG, code=Code.MISSING, means="whether it is there")
MATCHES = Value(Measure.FLAG, means="whether the pattern of `match` is found")
THERE: Mapping[str, object] = {"present": True}


def high(measure: Measure, means: str, *, over: bool = False) -> Value:
    return Value(measure, Worse.HIGH, means=means, over=over)


def low(measure: Measure, means: str) -> Value:
    return Value(measure, Worse.LOW, means=means)


def state(means: str, measure: Measure = Measure.FLAG) -> Value:
    return Value(measure, code=Code.WRONG_STATE, means=means, alike=same_word)


def access(means: str, measure: Measure = Measure.TEXT) -> Value:
    return Value(measure, code=Code.WRONG_ACCESS, means=means)


def text(means: str, measure: Measure = Measure.TEXT, alike: Alike | None = None) -> Value:
    return Value(measure, means=means, alike=alike)
