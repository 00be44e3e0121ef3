"""Rules tried on values that are written down for them: what is good must be well, what is bad must not. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from multiall_cli.domain.baseline import Code, Reading, Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.sayings import NOWHERE, Example, Saying
from multiall_cli.planning.checks import CHECKS, Measure, read
from multiall_cli.planning.judge import judge
from multiall_cli.planning.nearest import did_you_mean


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule on one example. `fault`: what is wrong with the example itself, '' where nothing is."""

    pack: str
    rule: str
    example: str
    code: Code
    as_wanted: bool
    shows: str = ""
    fault: str = ""
    origin: Origin = field(default=NOWHERE, compare=False)


def trials(pack: str, rules: Mapping[str, Rule], examples: Mapping[str, Example]) -> Iterator[Trial]:
    """Every rule of a pack on its examples; a rule that has none, and an example of no rule, are told."""
    for name, rule in rules.items():
        if name not in examples:
            yield Trial(
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
        yield Trial(pack, name, "none", Code.OK, False, fault=fault, origin=examples[name].origin)


def _tried(pack: str, rule: Rule, example: str, said: Saying, origin: Origin, *, wants_well: bool) -> Trial:
    values: dict[str, object] = {}
    for key, each in said.items():
        try:
            values[CHECKS[rule.check].values[key].of or key] = _value(rule, key, each.value)
        except (KeyError, ValueError):
            known = CHECKS[rule.check].values
            how = f"write {known[key].measure.value}" if key in known else f"it shows {', '.join(known)}"
            fault = f"{key!r} cannot be {each.value!r}; {how}"
            return Trial(pack, rule.id, example, Code.BAD_OUTPUT, False, fault=fault, origin=each.origin)
    judged = judge(rule, Reading({**_implied(rule), **values}))
    unknown = judged.code // 100 == 5
    as_wanted = not unknown and judged.code.is_problem is not wants_well
    return Trial(pack, rule.id, example, judged.code, as_wanted, judged.shows, origin=origin)


def _implied(rule: Rule) -> dict[str, object]:
    """What its check expects without a word of the rule: no example has to write it."""
    implied = CHECKS[rule.check].implied
    return {name: wanted for name, wanted in implied.items() if not isinstance(wanted, tuple)}


def _value(rule: Rule, key: str, said: str | tuple[str, ...]) -> object:
    """What the member would have told. Errors: KeyError, ValueError."""
    measure = CHECKS[rule.check].values[key].measure
    if measure is Measure.WORDS:
        return [said] if isinstance(said, str) else list(said)
    if not isinstance(said, str):
        raise ValueError(said)
    return -_number(measure, said[1:]) if said.startswith("-") else read(measure, said)


def _number(measure: Measure, text: str) -> float:
    """What is over (`left: -3d`) is written with a sign."""
    found = read(measure, text)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(text)
    return found
