"""Asks a member for the facts that rules need, and for what changed of those that it has told before."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from multiall_cli.domain.baseline import Code, Fact, Reading, Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.engine.held import MARK, fact_key, mark_of
from multiall_cli.planning.checks import CHECKS
from multiall_cli.planning.judge import MOST, NEEDED
from multiall_cli.ports.clock import Clock
from multiall_cli.ports.session import Session

WITHIN = 5.0  # seconds that the reading of one subject may take
ENDING = 0.3  # seconds that the end of one that hangs may take there
SILENCE = 20.0  # seconds that a member may say nothing: it gives a sign of life with each second
TOKEN = 100  # letters by which a member may call an answer
_DATED = ("clock", "certificate")
"""Checks of which a member tells what makes values only with the time at which it came."""
_CODES = {
    "timeout": Code.TIMEOUT,
    "rights": Code.NO_PRIVILEGE,
    "unsupported": Code.UNSUPPORTED,
    "collect": Code.COLLECT_ERROR,
}
Refine = Callable[[str, Mapping[str, object]], Mapping[str, object]]
"""check, what a member told → its values: what is better known here than there (certificates)."""
Readings = Mapping[Fact, Reading]
During = tuple[float, float]
"""When a request was sent, and when its answer had come."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A session with a member, and what its answers are read by."""

    session: Session
    clock: Clock
    refine: Refine

    def is_there(self) -> None:
        """Errors: Unreachable, MemberFault where it does not answer."""
        self.session.call("ping", timeout=SILENCE, ends=SILENCE).value()

    def gauge(self, count: int, **arguments: Any) -> tuple[Mapping[str, object], During]:
        """`count`: of facts."""
        ends = (WITHIN + ENDING) * (count + 2)
        began = self.clock.now()
        told = self.session.call("collect", timeout=SILENCE, ends=ends, within=WITHIN, **arguments).value()
        return told, (began, self.clock.now())


@dataclass(frozen=True, slots=True)
class Asked:
    """What rules ask of a member, and what it answered last. `by_fact`: a rule of each, in the order in which they are
    asked; `token`: what the member calls that answer, '' where there is none to go on from; `dated`: the answers that
    mean something else each time, by the places of their facts.
    """

    rules: tuple[Rule, ...]
    by_fact: Mapping[Fact, Rule]
    places: Mapping[str, int]
    token: str = ""
    readings: Readings = field(default_factory=dict)
    dated: Mapping[int, object] = field(default_factory=dict)


def to_ask(rules: Sequence[Rule]) -> Asked:
    """Nothing of it is known yet."""
    by_fact = {rule.fact: rule for rule in rules}
    return Asked(tuple(rules), by_fact, {fact_key(fact): place for place, fact in enumerate(by_fact)})


def ask(asker: Asker, wanted: Asked, marks: Mapping[str, str]) -> Asked:
    """One call for all of it, of which the member remembers nothing."""
    asked = [[rule.check, dict(rule.subject), mark_of(marks, fact)] for fact, rule in wanted.by_fact.items()]
    told, during = asker.gauge(len(asked), wanted=asked)
    return _told(asker, wanted, told, during)


def ask_again(asker: Asker, before: Asked, marks: Mapping[str, str]) -> Asked:
    """One call for what changed since; a second one for all of it, where the member cannot tell that."""
    if before.token:
        changed = [[place, mark] for place, mark in _marks(before, marks) if mark is not None]
        told, during = asker.gauge(len(before.by_fact), since=before.token, marks=changed)
        answers = _answers(told.get("changed"), len(before.by_fact))
        if answers is not None:
            return _merged(asker, before, _token(told), answers, during)
    names = _names(before.rules)
    asked = [
        [rule.check, dict(rule.subject), mark_of(marks, fact), names[fact]] for fact, rule in before.by_fact.items()
    ]
    told, during = asker.gauge(len(asked), wanted=asked, keep=True)
    return _told(asker, before, told, during)


def _marks(before: Asked, marks: Mapping[str, str]) -> Iterable[tuple[int, object]]:
    for key, mark in marks.items():
        if key in before.places:
            try:
                yield before.places[key], json.loads(mark)
            except (ValueError, RecursionError):
                continue


def _names(rules: Sequence[Rule]) -> dict[Fact, list[str] | None]:
    """The values by which each fact is judged: what else changes there is of no interest."""
    found: dict[Fact, set[str]] = {}
    for rule in rules:
        known = CHECKS[rule.check].values
        names = {*(each.value for each in rule.expects), *rule.same}
        found.setdefault(rule.fact, {*NEEDED}).update((each in known and known[each].of) or each for each in names)
    return {fact: None if fact[0] in _DATED else sorted(names) for fact, names in found.items()}


def _token(told: Mapping[str, object]) -> str:
    token = told.get("token")
    return token if isinstance(token, str) and len(token) <= TOKEN else ""


def _answers(changed: object, count: int) -> dict[int, object] | None:
    """place → answer; None where that is not what the member told."""
    if not isinstance(changed, list):
        return None
    found: dict[int, object] = {}
    for each in changed:
        if not isinstance(each, list) or len(each) != 2:
            return None
        place, answer = each
        if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < count:
            return None
        found[place] = answer
    return found


def _told(asker: Asker, wanted: Asked, told: Mapping[str, object], during: During) -> Asked:
    """All of it was asked for."""
    read = told.get("read")
    answers = read if isinstance(read, list) else []
    missing = [None] * (len(wanted.by_fact) - len(answers))
    return _merged(asker, wanted, _token(told), dict(enumerate([*answers, *missing][: len(wanted.by_fact)])), during)


def _merged(asker: Asker, before: Asked, token: str, answers: Mapping[int, object], during: During) -> Asked:
    """What was known, and what came instead of it."""
    rules = list(before.by_fact.items()) if answers or before.dated else []
    readings = dict(before.readings)
    dated = {**before.dated, **{place: each for place, each in answers.items() if rules[place][0][0] in _DATED}}
    for place, answer in {**answers, **dated}.items():
        fact, rule = rules[place]
        readings[fact] = _reading(rule, answer, during, asker.refine)
    return replace(before, token=token, readings=readings, dated=dated)


def _reading(rule: Rule, told: object, during: During, refine: Refine) -> Reading:
    """What a member said of one subject, held against sense: it may be hostile."""
    if not isinstance(told, dict):
        return Reading(trouble="the member told nothing of it", code=Code.BAD_OUTPUT)
    if "trouble" in told:
        code = _CODES.get(str(told.get("kind")), Code.COLLECT_ERROR)
        return Reading(trouble=str(told["trouble"])[:500], code=code)
    values = told.get("values")
    if not isinstance(values, dict):
        return Reading(trouble="what the member told of it makes no sense", code=Code.BAD_OUTPUT)
    if rule.check == "clock":
        return Reading(_offset(values.get("now"), during))
    mark = json.dumps(told["mark"]) if told.get("mark") is not None else ""
    try:
        refined = refine(rule.check, {str(key): value for key, value in values.items()})
    except ValueError as fault:
        return Reading(trouble=str(fault)[:500], code=Code.BAD_OUTPUT)
    return Reading(refined, mark=mark if len(mark) <= MARK else "")


def _offset(now: object, during: During) -> dict[str, object]:
    """By how much its clock is surely wrong: it told its time at some moment of the call."""
    if isinstance(now, bool) or not isinstance(now, int | float) or not 0 <= now <= MOST:
        return {}
    began, ended = during
    return {"offset": max(0.0, began - now, now - ended)}
