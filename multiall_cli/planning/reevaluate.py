"""Incremental evaluation: judge only the rules whose result may differ from the last one. Pure.

The result equals that of `evaluate` for the same rules and readings; tests compare the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from operator import is_, is_not

from multiall_cli.domain.baseline import Code, Fact, FactValue, Rule, Status
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.health import RuleState
from multiall_cli.planning.evaluate import Circumstances, evaluate, explains, stands, status_of


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of a check of one server, with its inputs. Rules are named by their index in `rules`.

    `lively`: rules that every check judges; `anew`: rules that this check judged. The other states date from when they
    were last judged, though they were read again at `at`.
    """

    at: float
    rules: tuple[Rule, ...]
    places: Mapping[Fact, Sequence[int]]
    readings: Mapping[Fact, FactValue]
    held: Mapping[str, RuleState]
    statuses: tuple[Status, ...]
    lively: frozenset[int]
    anew: Sequence[int]

    def held_of(self, place: int) -> RuleState:
        """Return the state of one rule, as of this check."""
        held = self.held[self.rules[place].id]
        return held if place in self.lively else replace(held, at=self.at)

    def whole(self) -> dict[str, RuleState]:
        """Return the states of all rules, as of this check."""
        return {rule.id: self.held_of(place) for place, rule in enumerate(self.rules)}

    @property
    def held_anew(self) -> dict[str, RuleState]:
        """Return the states of the rules that this check judged."""
        names = [self.rules[place].id for place in self.anew]
        return {name: self.held[name] for name in names}

    @property
    def codes(self) -> set[Code]:
        """The codes of all statuses."""
        found = {self.statuses[place].code for place in self.lively}
        return found | {Code.OK} if len(self.lively) < len(self.rules) else found


def are_same(ones: Sequence[Rule], others: Sequence[Rule]) -> bool:
    """Return whether these are the same objects: equal rules may differ in origin."""
    return ones is others or (len(ones) == len(others) and all(map(is_, ones, others)))


def evaluate_all(
    server: str,
    rules: Sequence[Rule],
    readings: Mapping[Fact, FactValue],
    held: Mapping[str, RuleState],
    circumstances: Circumstances,
) -> Evaluation:
    """Judge all rules."""
    statuses, after = evaluate(server, rules, readings, held, circumstances)
    places: dict[Fact, list[int]] = {}
    for place, rule in enumerate(rules):
        places.setdefault(rule.fact, []).append(place)
    now, every = circumstances.now, range(len(statuses))
    lively = [place for place in every if not _is_settled(rules[place], readings, after[rules[place].id], now)]
    return Evaluation(now, tuple(rules), places, readings, after, statuses, frozenset(lively), every)


def reevaluate(
    server: str, before: Evaluation, readings: Mapping[Fact, FactValue], circumstances: Circumstances
) -> Evaluation:
    """Judge again only the lively rules and those whose reading changed.

    The others are good, so they explain no failure.
    """
    now = circumstances.now
    if now < before.at:
        return evaluate_all(server, before.rules, readings, before.whole(), circumstances)
    anew = sorted(before.lively.union(*_moved(before, readings)))
    held, statuses, settled, failed = dict(before.held), list(before.statuses), set[int](), set[str]()
    for place in anew:
        rule = before.rules[place]
        # The time of an earlier reading only matters for a rule without a new one.
        known = before.held[rule.id] if rule.fact in readings else before.held_of(place)
        held[rule.id] = found = stands(rule, readings, known, failed, circumstances)
        statuses[place] = status_of(server, rule, found)
        if _is_settled(rule, readings, found, now):
            settled.add(place)
        if explains(found):
            failed.add(rule.id)
    lively = frozenset(anew) - settled
    return replace(before, at=now, readings=readings, held=held, statuses=tuple(statuses), lively=lively, anew=anew)


def _moved(before: Evaluation, readings: Mapping[Fact, FactValue]) -> list[Sequence[int]]:
    """Return the indices of rules whose reading changed, by fact."""
    facts, known = before.places, before.readings
    return list(compress(facts.values(), map(is_not, map(readings.get, facts), map(known.get, facts))))


def _is_settled(rule: Rule, readings: Mapping[Fact, FactValue], held: RuleState, now: float) -> bool:
    """Return whether the same reading always gives the same state, at any time and under any circumstances.

    That is so if the rule is good and depends on neither time, earlier checks nor peers.
    """
    return (
        held.code is Code.OK
        and held.at == now
        and rule.fact in readings
        and not (rule.every or rule.same)
        and rule.clear is None
        and rule.often[1] == 1
    )
