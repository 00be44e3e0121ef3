"""What a check is made of: subjects, values, and which way those grow worse."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from enum import StrEnum

from multiall_cli.domain.baseline import Code
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.planning.likeness import same_word
from multiall_cli.planning.measures import Measure

Alike = Callable[[Mapping[str, object], str, str, Collection[str]], bool]
"""(subject, what is wanted, what is there, all that is there) → whether they mean the same, however written."""
Never = Callable[[Mapping[str, object], str], str]
"""(subject, what is wanted) → what to write instead, where that can never be so."""


class Worse(StrEnum):
    """Which way a value grows worse: only such a value has limits."""

    HIGH = "high"
    LOW = "low"
    NEITHER = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a subject shows. `code`: what it is where another one is wanted; `over`: it is about the time
    since the look before, so the first look does not have it; `dear`: it is read only where a rule asks for it;
    `warns`: what it is past its warning limit; `exact`: of words all and no others are wanted;
    `alike`: compares texts and words that have several spellings; `never`: says of what can never be so; `of`: the
    value that it is, where that has another name.
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
    """`subject`: argument → how it is written; `optional`: those that may be missing; `either`: those of them of which
    at least one is needed; `implied`: what is expected where a rule does not say so itself; `asks`: argument → the flag
    that is expected where the argument is given.

    `marked`: a look leaves a mark, from which the next one goes on (counters, the place in a log); `ours`: it is known
    on the admin host, and no member is asked; `absent`: values that what is not there has too: a rule that asks for
    these alone does not ask that it is there; `instead`: flag → what is not implied where a rule wants it.
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
