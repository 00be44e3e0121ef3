"""What most brothers have: a value that more than half of them share. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from multiall_cli.domain.baseline import Fact, Reading, Rule
from multiall_cli.domain.health import Held
from multiall_cli.planning.judge import comparable

Readings = Mapping[Fact, Reading]


def majority(values: Iterable[str]) -> str | None:
    """The one of more than half; None where there is none."""
    counts = Counter(values)
    if not counts:
        return None
    value, count = counts.most_common(1)[0]
    return value if 2 * count > counts.total() else None


def most_have(
    rules: Sequence[Rule],
    names: Iterable[str],
    readings: Mapping[str, Readings],
    remembered: Mapping[str, Mapping[str, Held]],
) -> dict[str, dict[str, str | None]]:
    """rule → value → what most of `names` have, as `judge.comparable` has it, None where they do not agree; nothing of
    what only one is known of.

    `readings`: of who was looked at; of others what is `remembered`.
    """
    brothers = tuple(names)
    return {rule.id: _of_rule(rule, brothers, readings, remembered) for rule in rules if rule.same}


def _of_rule(
    rule: Rule,
    names: Sequence[str],
    readings: Mapping[str, Readings],
    remembered: Mapping[str, Mapping[str, Held]],
) -> dict[str, str | None]:
    found: dict[str, list[str]] = {}
    for name in names:
        for key, text in _known(rule, name, readings, remembered).items():
            found.setdefault(key, []).append(text)
    return {key: majority(values) for key, values in found.items() if len(values) > 1}


def _known(
    rule: Rule, name: str, readings: Mapping[str, Readings], remembered: Mapping[str, Mapping[str, Held]]
) -> Mapping[str, str]:
    """Of a brother that was not looked at, or of whom this was not due, what was seen last."""
    read = readings.get(name, {}).get(rule.fact)
    if read is not None:
        return {key: comparable(read.values[key]) for key in rule.same if key in read.values}
    held = remembered.get(name, {}).get(rule.id)
    try:
        told = json.loads(held.told) if held is not None and held.told else {}
    except (ValueError, RecursionError):
        return {}
    return {key: text for key, text in told.items() if isinstance(text, str)} if isinstance(told, dict) else {}
