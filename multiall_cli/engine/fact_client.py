"""Requests to a member: the facts that rules need, or only those that changed since the last answer."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from multiall_cli.domain.baseline import Code, Fact, FactValue, Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.engine.health_codec import MARK, fact_key, mark_of
from multiall_cli.planning.checks import CHECKS
from multiall_cli.planning.thresholds import MOST, NEEDED
from multiall_cli.ports.clock import Clock
from multiall_cli.ports.session import Session

WITHIN = 5.0  # seconds that the reading of one subject may take on the member
ENDING = 0.3  # seconds that the member may take to end a reading that hangs
SILENCE = 20.0  # seconds without data from a member; it sends a sign of life every second
TOKEN = 100  # characters of a member's token for an answer
_DATED = ("clock", "certificate")
"""Checks whose answers become values only together with the time at which they came."""
_CODES = {
    "timeout": Code.TIMEOUT,
    "rights": Code.NO_PRIVILEGE,
    "unsupported": Code.UNSUPPORTED,
    "collect": Code.COLLECT_ERROR,
}
Refine = Callable[[str, Mapping[str, object]], Mapping[str, object]]
"""check, a member's answer → its values, completed with knowledge of the admin host (certificates)."""
Readings = Mapping[Fact, FactValue]
During = tuple[float, float]
"""The time at which a request was sent, and the time at which its answer was complete."""


@dataclass(frozen=True, slots=True)
class FactClient:
    """Session with a member, and the means to read its answers."""

    session: Session
    clock: Clock
    refine: Refine

    def is_there(self) -> None:
        """Ask for a sign of life. Raises Unreachable, MemberFault."""
        self.session.call("ping", timeout=SILENCE, ends=SILENCE).value()

    def gauge(self, count: int, **arguments: Any) -> tuple[Mapping[str, object], During]:
        """Collect facts and return the answer with the time of the call. `count`: number of facts."""
        ends = (WITHIN + ENDING) * (count + 2)
        began = self.clock.now()
        told = self.session.call("collect", timeout=SILENCE, ends=ends, within=WITHIN, **arguments).value()
        return told, (began, self.clock.now())


@dataclass(frozen=True, slots=True)
class FactRequest:
    """Facts that rules need from a member, and its last answer.

    `by_fact`: one rule per fact, in the order of the request; `token`: the member's name for its last answer, '' if it
    has none to continue from; `dated`: answers whose meaning depends on the time, by the place of their fact.
    """

    rules: tuple[Rule, ...]
    by_fact: Mapping[Fact, Rule]
    places: Mapping[str, int]
    token: str = ""
    readings: Readings = field(default_factory=dict)
    dated: Mapping[int, object] = field(default_factory=dict)


def to_ask(rules: Sequence[Rule]) -> FactRequest:
    """Return a request for the facts of these rules, without an answer yet."""
    by_fact = {rule.fact: rule for rule in rules}
    return FactRequest(tuple(rules), by_fact, {fact_key(fact): place for place, fact in enumerate(by_fact)})


def ask(asker: FactClient, wanted: FactRequest, marks: Mapping[str, str]) -> FactRequest:
    """Ask for all facts in one call. The member saves nothing of it."""
    asked = [[rule.check, dict(rule.subject), mark_of(marks, fact)] for fact, rule in wanted.by_fact.items()]
    told, during = asker.gauge(len(asked), wanted=asked)
    return _told(asker, wanted, told, during)


def collect_changes(asker: FactClient, before: FactRequest, marks: Mapping[str, str]) -> FactRequest:
    """Ask for the changes since the last answer in one call. If the member no longer has that answer, ask for all."""
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


def _marks(before: FactRequest, marks: Mapping[str, str]) -> Iterable[tuple[int, object]]:
    for key, mark in marks.items():
        if key in before.places:
            try:
                yield before.places[key], json.loads(mark)
            except (ValueError, RecursionError):
                continue


def _names(rules: Sequence[Rule]) -> dict[Fact, list[str] | None]:
    """Return the values that rules judge, per fact. Changes of other values are of no interest."""
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
    """Return place → answer; None if the data has another format."""
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


def _told(asker: FactClient, wanted: FactRequest, told: Mapping[str, object], during: During) -> FactRequest:
    """Return the request with a complete answer."""
    read = told.get("read")
    answers = read if isinstance(read, list) else []
    missing = [None] * (len(wanted.by_fact) - len(answers))
    return _merged(asker, wanted, _token(told), dict(enumerate([*answers, *missing][: len(wanted.by_fact)])), during)


def _merged(
    asker: FactClient, before: FactRequest, token: str, answers: Mapping[int, object], during: During
) -> FactRequest:
    """Return the last answer, updated with the new one."""
    rules = list(before.by_fact.items()) if answers or before.dated else []
    readings = dict(before.readings)
    dated = {**before.dated, **{place: each for place, each in answers.items() if rules[place][0][0] in _DATED}}
    for place, answer in {**answers, **dated}.items():
        fact, rule = rules[place]
        readings[fact] = _reading(rule, answer, during, asker.refine)
    return replace(before, token=token, readings=readings, dated=dated)


def _reading(rule: Rule, told: object, during: During, refine: Refine) -> FactValue:
    """Return a checked reading from a member's answer. The member may be hostile."""
    if not isinstance(told, dict):
        return FactValue(trouble="the member told nothing of it", code=Code.BAD_OUTPUT)
    if "trouble" in told:
        code = _CODES.get(str(told.get("kind")), Code.COLLECT_ERROR)
        return FactValue(trouble=str(told["trouble"])[:500], code=code)
    values = told.get("values")
    if not isinstance(values, dict):
        return FactValue(trouble="what the member told of it makes no sense", code=Code.BAD_OUTPUT)
    if rule.check == "clock":
        return FactValue(_offset(values.get("now"), during))
    mark = json.dumps(told["mark"]) if told.get("mark") is not None else ""
    try:
        refined = refine(rule.check, {str(key): value for key, value in values.items()})
    except ValueError as fault:
        return FactValue(trouble=str(fault)[:500], code=Code.BAD_OUTPUT)
    return FactValue(refined, mark=mark if len(mark) <= MARK else "")


def _offset(now: object, during: During) -> dict[str, object]:
    """Return the least possible clock offset: the member read its clock at some moment of the call."""
    if isinstance(now, bool) or not isinstance(now, int | float) or not 0 <= now <= MOST:
        return {}
    began, ended = during
    return {"offset": max(0.0, began - now, now - ended)}
