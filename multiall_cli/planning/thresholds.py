"""Judgement of one reading by one rule, without time and circumstances. Pure."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace

from multiall_cli.domain.baseline import Code, Expectation, FactValue, Range, Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.planning.checks import CHECKS, Measure, Value, Worse, shown

COMPARED = 100  # letters; peers compare longer values by digest
NEEDED = ("present", "open", "count", "why")
"""Values that are needed to judge a subject, even if its rule does not mention them."""
LONGEST = 300  # letters of the explanation of a value
MOST = 2.0**63  # largest number to accept: a server may return anything


@dataclass(frozen=True, slots=True)
class ThresholdResult:
    """Result of one reading, without time and circumstances."""

    code: Code
    shows: str = ""
    wanted: str = ""


def judge(rule: Rule, reading: FactValue) -> ThresholdResult:
    """Return the worst result of the rule's expectations."""
    if reading.trouble:
        return ThresholdResult(reading.code, reading.trouble)
    values = CHECKS[rule.check].values
    found = [_compared(rule, each, values[each.value], reading) for each in rule.expects]
    absent = next((each for each in found if each.code in (Code.MISSING, Code.UNWANTED)), None)
    found.reverse()  # if all is good, show the rule's own expectation, not an implied one
    worst = absent or max(found, key=_weight, default=ThresholdResult(Code.OK))
    if worst.code // 100 == 4 and rule.most == 3:
        return replace(worst, code=Code.WARN_LIMIT)
    return worst


def _weight(judged: ThresholdResult) -> tuple[float, int]:
    """Return the sort key of a result. Pending is worse than good, but better than any failure."""
    return (1.5 if judged.code is Code.PENDING else judged.code.rank), -judged.code


def _compared(rule: Rule, wanted: Expectation, value: Value, reading: FactValue) -> ThresholdResult:
    name, measure, values = value.of or wanted.value, value.measure, reading.values
    if name not in values:
        return _without(rule, name, value, reading)
    has = values[name]
    if value.worse is not Worse.NEITHER:
        return _limited(wanted, value, has, why_of(values, name))
    if _is_so(has, wanted.wanted, value, rule):
        return ThresholdResult(Code.OK, f"{name} {shown(measure, has)}")
    if name == "present":
        return ThresholdResult(value.code if wanted.wanted else Code.UNWANTED, why_of(values, name) or _there(has))
    why = f" ({found})" if (found := why_of(values, name)) else ""
    return ThresholdResult(value.code, f"{name} {shown(measure, has)}{why}", shown(measure, wanted.wanted))


def why_of(values: Mapping[str, object], name: str) -> str:
    """Return the explanation of a value, or ''. It is for this value alone, or for all that are not as wanted."""
    why = values.get("why")
    told = why.get(name) if isinstance(why, Mapping) else why
    return str(told)[:LONGEST] if told else ""


def _without(rule: Rule, name: str, value: Value, reading: FactValue) -> ThresholdResult:
    """Judge a missing value. Perhaps its subject does not exist, which another value reports."""
    if reading.values.get("present") is False or reading.values.get("open") is False:
        return ThresholdResult(Code.OK)
    if reading.values.get("count") == 0:
        counted = any(each.value == "count" for each in rule.expects)
        return ThresholdResult(Code.OK) if counted else ThresholdResult(Code.MISSING, "there is none")
    if value.over and reading.mark:
        return ThresholdResult(Code.PENDING, f"{name} is known from the next look on")
    if value.over:
        return ThresholdResult(Code.UNSUPPORTED, f"{name} cannot be followed from look to look here")
    why = why_of(reading.values, name) if isinstance(reading.values.get("why"), Mapping) else ""
    return ThresholdResult(Code.BAD_OUTPUT, f"{name} is not known: {why}" if why else f"{name} was not told")


def _there(has: object) -> str:
    return "there" if has else "not there"


def _is_so(has: object, wanted: object, value: Value, rule: Rule) -> bool:
    compare = value.alike or _equal
    if value.measure is Measure.WORDS and isinstance(wanted, tuple):
        words = {each for each in has if isinstance(each, str)} if isinstance(has, list | tuple) else set()
        pairs = {(each, word) for each in wanted for word in words if compare(rule.subject, each, word, words)}
        return {each for each, _ in pairs} == {*wanted} and (not value.exact or {word for _, word in pairs} == words)
    if isinstance(has, str) and isinstance(wanted, str):
        return compare(rule.subject, wanted, has, ())
    return type(has) is type(wanted) and has == wanted


def _equal(_: Mapping[str, object], wanted: str, has: str, __: Collection[str] = ()) -> bool:
    return has.strip() == wanted.strip()


def _limited(wanted: Expectation, value: Value, has: object, why: str) -> ThresholdResult:
    if isinstance(has, bool) or not isinstance(has, int | float) or not -MOST <= has <= MOST:
        return ThresholdResult(Code.BAD_OUTPUT, f"{wanted.value} is no number of use")
    shows = f"{wanted.value} {shown(value.measure, has)}" + (f" ({why})" if why else "")
    ended = value.warns is Code.EXPIRING and has <= 0
    for limit, code in (
        (wanted.critical, Code.EXPIRED if ended else Code.CRIT_LIMIT),
        (wanted.warning, value.warns),
    ):
        if limit is not None and _past(has, limit, value.worse):
            sign = "<" if value.worse is Worse.HIGH else ">="
            return ThresholdResult(code, shows, f"{sign} {shown(value.measure, limit)}")
    for within, code in zip(reversed(wanted.ranges), (Code.CRIT_LIMIT, value.warns), strict=True):
        if within is not None and not is_within(has, within):
            return ThresholdResult(code, shows, in_words(within, value.measure))
    return ThresholdResult(Code.OK, shows)


def is_within(has: float, within: Range) -> bool:
    low, high = within
    return (low is None or has >= low) and (high is None or has <= high)


def in_words(within: Range, measure: Measure) -> str:
    low, high = ("" if each is None else shown(measure, each) for each in within)
    return f"{low}..{high}"


def _past(has: float, limit: float, worse: Worse) -> bool:
    return has >= limit if worse is Worse.HIGH else has < limit


def limited_by(rule: Rule) -> Expectation | None:
    """Return the first expectation with limits: the number that the rule is about."""
    return next((each for each in rule.expects if CHECKS[rule.check].values[each.value].worse), None)


def measured(rule: Rule, reading: FactValue) -> float | None:
    """Return the number that the rule is about, or None if there is no usable one."""
    limited = limited_by(rule)
    has = reading.values.get(limited.value) if limited is not None else None
    usable = isinstance(has, int | float) and not isinstance(has, bool) and -MOST <= has <= MOST
    return float(has) if usable and isinstance(has, int | float) else None


def is_past(has: float, limit: float, rule: Rule) -> bool:
    """Return whether the number that a rule is about is past a limit."""
    limited = limited_by(rule)
    return limited is not None and _past(has, limit, CHECKS[rule.check].values[limited.value].worse)


def comparable(value: object) -> str:
    """Return a short text that is equal for equal values."""
    text = json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= COMPARED else f"sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def compared_as_words(text: str, measure: Measure) -> str:
    """Format the value of peers for people."""
    return "another value" if text.startswith("sha256:") else shown(measure, json.loads(text))
