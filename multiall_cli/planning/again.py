"""How a server stands where most of it was read before: only what may differ is judged anew. Pure.

What comes out is what `evaluate` makes of the same rules and readings; the tests hold the two against each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from operator import is_, is_not

from multiall_cli.domain.baseline import Code, Fact, Reading, Rule, Status
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.health import Held
from multiall_cli.planning.evaluate import Circumstances, evaluate, explains, stands, status_of


@dataclass(frozen=True, slots=True)
class Stood:
    """How a server stood at a look, and what that came from; rules are named by their places among `rules`.

    `lively`: those that are judged at each look; `anew`: those that were judged at this one. What is held of the others
    is as it was when they were judged last, and they were read at `at` all the same.
    """

    at: float
    rules: tuple[Rule, ...]
    places: Mapping[Fact, Sequence[int]]
    readings: Mapping[Fact, Reading]
    held: Mapping[str, Held]
    statuses: tuple[Status, ...]
    lively: frozenset[int]
    anew: Sequence[int]

    def held_of(self, place: int) -> Held:
        """What is held of one rule, as of this look."""
        held = self.held[self.rules[place].id]
        return held if place in self.lively else replace(held, at=self.at)

    def whole(self) -> dict[str, Held]:
        """What is held of all of them, as of this look."""
        return {rule.id: self.held_of(place) for place, rule in enumerate(self.rules)}

    @property
    def held_anew(self) -> dict[str, Held]:
        """What is held of those that were judged at this look."""
        names = [self.rules[place].id for place in self.anew]
        return {name: self.held[name] for name in names}

    @property
    def codes(self) -> set[Code]:
        """Those of its statuses."""
        found = {self.statuses[place].code for place in self.lively}
        return found | {Code.OK} if len(self.lively) < len(self.rules) else found


def are_same(ones: Sequence[Rule], others: Sequence[Rule]) -> bool:
    """Whether they are the same objects: rules that are equal may still be of other origin."""
    return ones is others or (len(ones) == len(others) and all(map(is_, ones, others)))


def stood(
    server: str,
    rules: Sequence[Rule],
    readings: Mapping[Fact, Reading],
    held: Mapping[str, Held],
    circumstances: Circumstances,
) -> Stood:
    """All of it is judged."""
    statuses, after = evaluate(server, rules, readings, held, circumstances)
    places: dict[Fact, list[int]] = {}
    for place, rule in enumerate(rules):
        places.setdefault(rule.fact, []).append(place)
    now, every = circumstances.now, range(len(statuses))
    lively = [place for place in every if not _is_settled(rules[place], readings, after[rules[place].id], now)]
    return Stood(now, tuple(rules), places, readings, after, statuses, frozenset(lively), every)


def stood_again(server: str, before: Stood, readings: Mapping[Fact, Reading], circumstances: Circumstances) -> Stood:
    """The same rules once more: those are judged whose readings are others, and the lively ones.

    The others are well: they explain no failure.
    """
    now = circumstances.now
    if now < before.at:
        return stood(server, before.rules, readings, before.whole(), circumstances)
    anew = sorted(before.lively.union(*_moved(before, readings)))
    held, statuses, settled, failed = dict(before.held), list(before.statuses), set[int](), set[str]()
    for place in anew:
        rule = before.rules[place]
        # When it was read before says something only of what was not read now.
        known = before.held[rule.id] if rule.fact in readings else before.held_of(place)
        held[rule.id] = found = stands(rule, readings, known, failed, circumstances)
        statuses[place] = status_of(server, rule, found)
        if _is_settled(rule, readings, found, now):
            settled.add(place)
        if explains(found):
            failed.add(rule.id)
    lively = frozenset(anew) - settled
    return replace(before, at=now, readings=readings, held=held, statuses=tuple(statuses), lively=lively, anew=anew)


def _moved(before: Stood, readings: Mapping[Fact, Reading]) -> list[Sequence[int]]:
    """The places of rules whose reading is not the one that it was, by fact."""
    facts, known = before.places, before.readings
    return list(compress(facts.values(), map(is_not, map(readings.get, facts), map(known.get, facts))))


def _is_settled(rule: Rule, readings: Mapping[Fact, Reading], held: Held, now: float) -> bool:
    """Whether the same reading leaves it as it is, whenever that comes and under whatever circumstances: it is well,
    and neither time, earlier looks nor brothers have a say in it.
    """
    return (
        held.code is Code.OK
        and held.at == now
        and rule.fact in readings
        and not (rule.every or rule.same)
        and rule.clear is None
        and rule.often[1] == 1
    )
