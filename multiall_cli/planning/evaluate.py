"""From what was read to statuses: rules, readings, what was held before and the time in, statuses out. Pure."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from multiall_cli.domain.baseline import Code, Expectation, Fact, Range, Reading, Rule, Status
from multiall_cli.domain.health import Held, Waiver
from multiall_cli.planning.checks import CHECKS, Measure, Value, Worse, shown

MOST = 2.0**63  # what a value of a server may be; a member may say anything
LONGEST = 500  # letters of what a status shows


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one reading says, before time and circumstances are looked at."""

    code: Code
    shows: str = ""
    wanted: str = ""


def judge(rule: Rule, reading: Reading) -> Judgement:
    """The worst of what the rule asks for."""
    if reading.trouble:
        return Judgement(reading.code, reading.trouble)
    values = CHECKS[rule.check].values
    found = [_compared(each, values[each.value], reading.values) for each in rule.expects]
    absent = next((each for each in found if each.code in (Code.MISSING, Code.UNWANTED)), None)
    found.reverse()  # where all is well, what the rule itself asks for is shown, not what its check implies
    worst = absent or max(found, key=lambda each: (each.code.rank, -each.code), default=Judgement(Code.OK))
    if worst.code // 100 == 4 and rule.most == 3:
        return replace(worst, code=Code.WARN_LIMIT)
    return worst


def _compared(wanted: Expectation, value: Value, values: Mapping[str, object]) -> Judgement:
    name, measure = wanted.value, value.measure
    if name not in values:
        if values.get("present") is False or values.get("open") is False or name == "age":
            return Judgement(Code.OK)  # it has none where it is not: that is told by another value
        if value.over:
            return Judgement(Code.PENDING, f"{name} is known from the next look on")
        return Judgement(Code.BAD_OUTPUT, f"{name} was not told")
    has = values[name]
    if value.worse is not Worse.NEITHER:
        return _limited(wanted, value, has)
    if _is_so(has, wanted.wanted, measure):
        return Judgement(Code.OK, f"{name} {shown(measure, has)}")
    if name == "present":
        why = values.get("why")
        return Judgement(value.code if wanted.wanted else Code.UNWANTED, str(why) if why else _there(has))
    why = f" ({values['why']})" if values.get("why") else ""
    return Judgement(value.code, f"{name} {shown(measure, has)}{why}", shown(measure, wanted.wanted))


def _there(has: object) -> str:
    return "there" if has else "not there"


def _is_so(has: object, wanted: object, measure: Measure) -> bool:
    if measure is Measure.WORDS and isinstance(has, list | tuple) and isinstance(wanted, tuple):
        return set(wanted) <= set(has)
    if isinstance(has, str) and isinstance(wanted, str):
        return has.strip() == wanted.strip()
    return type(has) is type(wanted) and has == wanted


def _limited(wanted: Expectation, value: Value, has: object) -> Judgement:
    if isinstance(has, bool) or not isinstance(has, int | float) or not -MOST <= has <= MOST:
        return Judgement(Code.BAD_OUTPUT, f"{wanted.value} is no number of use")
    shows = f"{wanted.value} {shown(value.measure, has)}"
    ended = value.warns is Code.EXPIRING and has <= 0
    for limit, code in (
        (wanted.critical, Code.EXPIRED if ended else Code.CRIT_LIMIT),
        (wanted.warning, value.warns),
    ):
        if limit is not None and _past(has, limit, value.worse):
            sign = "<" if value.worse is Worse.HIGH else ">="
            return Judgement(code, shows, f"{sign} {shown(value.measure, limit)}")
    for within, code in zip(reversed(wanted.ranges), (Code.CRIT_LIMIT, value.warns), strict=True):
        if within is not None and not _is_within(has, within):
            return Judgement(code, shows, _in_words(within, value.measure))
    return Judgement(Code.OK, shows)


def _is_within(has: float, within: Range) -> bool:
    low, high = within
    return (low is None or has >= low) and (high is None or has <= high)


def _in_words(within: Range, measure: Measure) -> str:
    low, high = ("" if each is None else shown(measure, each) for each in within)
    return f"{low}..{high}"


def _past(has: float, limit: float, worse: Worse) -> bool:
    return has >= limit if worse is Worse.HIGH else has < limit


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else decides how a server's rules stand. `maintenance`: why failures are not to be told; `waived`: by rule;
    `most`: rule → value → what most brothers have, None where no value is that of most.
    """

    now: float
    maintenance: str = ""
    waived: Mapping[str, Waiver] = field(default_factory=dict)
    most: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def is_due(rule: Rule, held: Held | None, now: float) -> bool:
    """Whether it is to be read now; a clock that was set back makes it so."""
    return held is None or not 0 <= now - held.at < rule.every


def evaluate(
    server: str,
    rules: Sequence[Rule],
    readings: Mapping[Fact, Reading],
    held: Mapping[str, Held],
    circumstances: Circumstances,
) -> tuple[tuple[Status, ...], dict[str, Held]]:
    """The statuses of one server, and what is to be remembered. `rules`: what others need stands before those.

    Of a rule that was not due nothing is read, and it stands as it did.
    """
    failed: set[str] = set()
    after: dict[str, Held] = {}
    for rule in rules:
        before = held.get(rule.id)
        if before is not None and not is_due(rule, before, circumstances.now):
            after[rule.id] = before
        else:
            after[rule.id] = _stands(rule, readings.get(rule.fact, _UNREAD), before, failed, circumstances)
        if (after[rule.id].hidden or after[rule.id].code).is_problem:
            failed.add(rule.id)
    return tuple(status_of(server, rule, after[rule.id]) for rule in rules), after


_UNREAD = Reading(trouble="it was not read", code=Code.COLLECT_ERROR)


def status_of(server: str, rule: Rule, held: Held) -> Status:
    """What is remembered of a rule, with what the rule says of itself."""
    return Status(
        server,
        rule.id,
        held.code,
        held.since,
        held.shows,
        held.wanted,
        rule.title,
        rule.todo,
        held.hidden,
        held.value,
        _limits(rule),
        rule.origin,
    )


def _limited_by(rule: Rule) -> Expectation | None:
    """What it is about as a number: the first value that has limits."""
    return next((each for each in rule.expects if CHECKS[rule.check].values[each.value].worse), None)


def _limits(rule: Rule) -> tuple[float | None, float | None]:
    limited = _limited_by(rule)
    return (None, None) if limited is None else (limited.warning, limited.critical)


def _stands(rule: Rule, reading: Reading, before: Held | None, failed: Set[str], circumstances: Circumstances) -> Held:
    """How one rule stands after a look."""
    now = circumstances.now
    judged = _sticky(rule, _among(rule, judge(rule, reading), reading, circumstances), reading, before)
    failing = _failing_since(judged, before, now)
    looks = _looks(rule, judged, before)
    code = _shown_as(rule, judged.code, failed, circumstances, soft=not _long_enough(rule, failing, looks, now))
    since = before.since if before is not None and before.code // 100 == code // 100 else now
    return Held(
        code,
        since,
        failing,
        now,
        looks,
        judged.shows[:LONGEST],
        judged.wanted[:LONGEST],
        None if code is judged.code else judged.code,
        _value(rule, reading),
        _told(rule, reading),
    )


def _among(rule: Rule, judged: Judgement, reading: Reading, circumstances: Circumstances) -> Judgement:
    """Who is as wanted may still be other than most of its brothers."""
    if judged.code is not Code.OK or not rule.same:
        return judged
    most = circumstances.most.get(rule.id, {})
    for name in rule.same:
        measure = CHECKS[rule.check].values[name].measure
        if name not in most or name not in reading.values:
            continue
        has = f"{name} {shown(measure, reading.values[name])}"
        if most[name] is None:
            return Judgement(Code.DRIFT, has, "what most brothers have, and they do not agree")
        if comparable(reading.values[name]) != comparable(most[name]):
            return Judgement(Code.DRIFT, has, f"{shown(measure, most[name])}, as most brothers have")
    return judged


def comparable(value: object) -> str:
    """A value as text, equal for equal ones."""
    return json.dumps(value, sort_keys=True, default=str)


def _told(rule: Rule, reading: Reading) -> str:
    """What brothers are compared by."""
    told = {name: reading.values[name] for name in rule.same if name in reading.values}
    text = comparable(told) if told else ""
    return text if len(text) <= LONGEST else ""


def _value(rule: Rule, reading: Reading) -> float | None:
    """The number that it is about: the first that has limits."""
    limited = _limited_by(rule)
    has = reading.values.get(limited.value) if limited is not None else None
    usable = isinstance(has, int | float) and not isinstance(has, bool) and -MOST <= has <= MOST
    return float(has) if usable and isinstance(has, int | float) else None


def _failing_since(judged: Judgement, before: Held | None, now: float) -> float:
    if not judged.code.is_problem:
        return 0.0
    return before.failing if before is not None and before.failing else now


def _looks(rule: Rule, judged: Judgement, before: Held | None) -> str:
    """The newest looks, as many as its `often` is about."""
    if rule.often[1] == 1:
        return ""
    return ((before.looks if before is not None else "") + ("x" if judged.code.is_problem else "."))[-rule.often[1] :]


def _long_enough(rule: Rule, failing: float, looks: str, now: float) -> bool:
    """Whether it has failed for so long, and so often, that it is told."""
    return now - failing >= rule.lasting and (rule.often[1] == 1 or looks.count("x") >= rule.often[0])


def _sticky(rule: Rule, judged: Judgement, reading: Reading, before: Held | None) -> Judgement:
    """Who failed is well again only past the limit that clears it: a value that hovers must not be told each time."""
    if rule.clear is None or judged.code is not Code.OK or before is None or not before.failing:
        return judged
    limited = _limited_by(rule)
    if limited is None or before.code is Code.SOFT_FAIL:
        return judged
    value, has = CHECKS[rule.check].values[limited.value], reading.values.get(limited.value)
    if isinstance(has, int | float) and _past(has, rule.clear, value.worse):
        sign = "<" if value.worse is Worse.HIGH else ">="
        return Judgement(Code.WARN_LIMIT, judged.shows, f"{sign} {shown(value.measure, rule.clear)} to be well again")
    return judged


def _shown_as(rule: Rule, code: Code, failed: Set[str], circumstances: Circumstances, *, soft: bool) -> Code:
    """The code that is told."""
    if not code.is_problem:
        return code
    if circumstances.maintenance:
        return Code.MAINTENANCE
    if rule.id in circumstances.waived:
        return Code.EXEMPT
    if not failed.isdisjoint(rule.needs):
        return Code.SUPPRESSED
    return Code.SOFT_FAIL if soft else code
