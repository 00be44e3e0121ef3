"""What most brothers have: a value that more than half of them share. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from multiall_cli.domain.baseline import Fact, Reading, Rule
from multiall_cli.domain.health import Held

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
) -> dict[str, dict[str, object]]:
    """rule → value → what most of `names` have, None where they do not agree; nothing of what only one is known of.

    `readings`: of who was looked at; of others what is `remembered`.
    """
    brothers = tuple(names)
    return {rule.id: _of_rule(rule, brothers, readings, remembered) for rule in rules if rule.same}


def _of_rule(
    rule: Rule,
    names: Sequence[str],
    readings: Mapping[str, Readings],
    remembered: Mapping[str, Mapping[str, Held]],
) -> dict[str, object]:
    found: dict[str, list[str]] = {}
    for name in names:
        for key, value in _known(rule, name, readings, remembered).items():
            found.setdefault(key, []).append(json.dumps(value, sort_keys=True, default=str))
    agreed = {key: majority(values) for key, values in found.items() if len(values) > 1}
    return {key: None if text is None else json.loads(text) for key, text in agreed.items()}


def _known(
    rule: Rule, name: str, readings: Mapping[str, Readings], remembered: Mapping[str, Mapping[str, Held]]
) -> Mapping[str, object]:
    if name in readings:
        read = readings[name].get(rule.fact)
        return {key: read.values[key] for key in rule.same if read is not None and key in read.values}
    held = remembered.get(name, {}).get(rule.id)
    told = json.loads(held.told) if held is not None and held.told else {}
    return told if isinstance(told, dict) else {}
