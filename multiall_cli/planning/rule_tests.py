"""Tests of rules against example values: a good example must pass, a bad one must fail. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from multiall_cli.domain.baseline import Code, FactValue, Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.rule_source import NOWHERE, Example, Saying
from multiall_cli.planning.checks import CHECKS, Measure, read
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.thresholds import judge


@dataclass(frozen=True, slots=True)
class RuleTest:
    """Result of one rule on one example. `fault`: an error in the example itself, or ''."""

    pack: str
    rule: str
    example: str
    code: Code
    as_wanted: bool
    shows: str = ""
    fault: str = ""
    origin: Origin = field(default=NOWHERE, compare=False)


def trials(pack: str, rules: Mapping[str, Rule], examples: Mapping[str, Example]) -> Iterator[RuleTest]:
    """Run every rule of a pack on its examples. Reports rules without examples and examples without a rule."""
    for name, rule in rules.items():
        if name not in examples:
            yield RuleTest(
                pack, name, "none", Code.OK, False, fault="it has no example under `tests:`", origin=rule.origin
            )
            continue
        example = examples[name]
        yield _tried(pack, rule, "good", example.good, example.origin, wants_well=True)
        for number, bad in enumerate(example.bad, 1):
            said = {**example.good, **bad}
            yield _tried(pack, rule, f"bad {number}", said, example.origin, wants_well=False)
    for name in examples.keys() - rules.keys():
        fault = f"there is no such rule; {did_you_mean(name, rules)}".rstrip("; ")
        yield RuleTest(pack, name, "none", Code.OK, False, fault=fault, origin=examples[name].origin)


def _tried(pack: str, rule: Rule, example: str, said: Saying, origin: Origin, *, wants_well: bool) -> RuleTest:
    values: dict[str, object] = {}
    for key, each in said.items():
        try:
            values[CHECKS[rule.check].values[key].of or key] = _value(rule, key, each.value)
        except (KeyError, ValueError):
            known = CHECKS[rule.check].values
            how = f"write {known[key].measure.value}" if key in known else f"it shows {', '.join(known)}"
            fault = f"{key!r} cannot be {each.value!r}; {how}"
            return RuleTest(pack, rule.id, example, Code.BAD_OUTPUT, False, fault=fault, origin=each.origin)
    judged = judge(rule, FactValue({**_implied(rule), **values}))
    unknown = judged.code // 100 == 5
    as_wanted = not unknown and judged.code.is_problem is not wants_well
    return RuleTest(pack, rule.id, example, judged.code, as_wanted, judged.shows, origin=origin)


def _implied(rule: Rule) -> dict[str, object]:
    """Return the expectations that the check implies, so that examples need not repeat them."""
    implied = CHECKS[rule.check].implied
    return {name: wanted for name, wanted in implied.items() if not isinstance(wanted, tuple)}


def _value(rule: Rule, key: str, said: str | tuple[str, ...]) -> object:
    """Return the value as a member would return it. Raises KeyError or ValueError if it is invalid."""
    measure = CHECKS[rule.check].values[key].measure
    if measure is Measure.WORDS:
        return [said] if isinstance(said, str) else list(said)
    if not isinstance(said, str):
        raise ValueError(said)
    return -_number(measure, said[1:]) if said.startswith("-") else read(measure, said)


def _number(measure: Measure, text: str) -> float:
    """Parse a number without its sign; expired times are negative (`left: -3d`)."""
    found = read(measure, text)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(text)
    return found
