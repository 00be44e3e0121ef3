"""From what was read to statuses: rules, readings, what was held before and the time in, statuses out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from multiall_cli.domain.baseline import Code, Expectation, Reading, Rule, Status
from multiall_cli.planning.checks import CHECKS, Measure, Value, Worse, shown

MOST = 2.0**63  # what a value of a server may be; a member may say anything
LONGEST = 500  # letters of what a status shows


@dataclass(frozen=True, slots=True)
class Held:
    """What is remembered of one rule on one server. Times in seconds since the epoch; `failing` 0: it is not."""

    code: Code
    since: float
    failing: float = 0.0


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
    ends = wanted.value == "left"
    for limit, code in (
        (wanted.critical, Code.EXPIRED if ends and has <= 0 else Code.CRIT_LIMIT),
        (wanted.warning, Code.EXPIRING if ends else Code.WARN_LIMIT),
    ):
        if limit is not None and _past(has, limit, value.worse):
            sign = "<" if value.worse is Worse.HIGH else ">="
            return Judgement(code, shows, f"{sign} {shown(value.measure, limit)}")
    return Judgement(Code.OK, shows)


def _past(has: float, limit: float, worse: Worse) -> bool:
    return has >= limit if worse is Worse.HIGH else has < limit


def evaluate(
    server: str,
    rules: Sequence[Rule],
    readings: Mapping[tuple[str, str], Reading],
    held: Mapping[str, Held],
    now: float,
    maintenance: str = "",
) -> tuple[tuple[Status, ...], dict[str, Held]]:
    """The statuses of one server, and what is to be remembered. `rules`: what others need stands before those;
    `maintenance`: why failures are not to be told.
    """
    statuses: list[Status] = []
    after: dict[str, Held] = {}
    failed: set[str] = set()
    for rule in rules:
        before = held.get(rule.id)
        reading = readings.get(rule.fact, Reading(trouble="it was not read", code=Code.COLLECT_ERROR))
        judged = _sticky(rule, judge(rule, reading), reading, before)
        failing = _failing_since(judged, before, now)
        code, hidden = _shown_as(rule, judged.code, failing, failed, now, maintenance)
        if judged.code.is_problem and code is not Code.SOFT_FAIL:
            failed.add(rule.id)
        since = before.since if before is not None and before.code // 100 == code // 100 else now
        after[rule.id] = Held(code, since, failing)
        statuses.append(
            Status(
                server,
                rule.id,
                code,
                since,
                judged.shows[:LONGEST],
                judged.wanted,
                rule.title,
                rule.todo,
                hidden,
                rule.origin,
            )
        )
    return tuple(statuses), after


def _failing_since(judged: Judgement, before: Held | None, now: float) -> float:
    if not judged.code.is_problem:
        return 0.0
    return before.failing if before is not None and before.failing else now


def _sticky(rule: Rule, judged: Judgement, reading: Reading, before: Held | None) -> Judgement:
    """Who failed is well again only past the limit that clears it: a value that hovers must not be told each time."""
    if rule.clear is None or judged.code is not Code.OK or before is None or not before.failing:
        return judged
    limited = next((each for each in rule.expects if CHECKS[rule.check].values[each.value].worse), None)
    if limited is None or before.code is Code.SOFT_FAIL:
        return judged
    value, has = CHECKS[rule.check].values[limited.value], reading.values.get(limited.value)
    if isinstance(has, int | float) and _past(has, rule.clear, value.worse):
        sign = "<" if value.worse is Worse.HIGH else ">="
        return Judgement(Code.WARN_LIMIT, judged.shows, f"{sign} {shown(value.measure, rule.clear)} to be well again")
    return judged


def _shown_as(
    rule: Rule, code: Code, failing: float, failed: Iterable[str], now: float, maintenance: str
) -> tuple[Code, Code | None]:
    """The code that is told, and the one that it hides."""
    if not code.is_problem:
        return code, None
    if maintenance:
        return Code.MAINTENANCE, code
    if set(rule.needs) & set(failed):
        return Code.SUPPRESSED, code
    if now - failing < rule.lasting:
        return Code.SOFT_FAIL, code
    return code, None
