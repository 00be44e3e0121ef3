"""Majority values of peers: a value that more than half of them share. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from multiall_cli.domain.baseline import Fact, FactValue, Rule
from multiall_cli.domain.health import RuleState
from multiall_cli.planning.thresholds import comparable

Readings = Mapping[Fact, FactValue]


def majority(values: Iterable[str]) -> str | None:
    """Return the value of more than half, or None if there is none."""
    counts = Counter(values)
    if not counts:
        return None
    value, count = counts.most_common(1)[0]
    return value if 2 * count > counts.total() else None


class Consensus:
    """Majority values of groups of servers, computed once for each rule and group.

    `readings`: of the servers that were checked now; `remembered`: saved states of the others.
    """

    def __init__(self, readings: Mapping[str, Readings], remembered: Mapping[str, Mapping[str, RuleState]]) -> None:
        self._readings = readings
        self._remembered = remembered
        self._found: dict[tuple[object, ...], dict[str, str | None]] = {}

    def most(self, rules: Sequence[Rule], group: tuple[str, ...]) -> dict[str, dict[str, str | None]]:
        """Return rule → value → the majority value of the group, or None if there is none.

        Values are compared as `judge.comparable` returns them. A value that only one server of the group reports is
        left out.
        """
        return {rule.id: self._of_rule(rule, group) for rule in rules if rule.same}

    def _of_rule(self, rule: Rule, group: tuple[str, ...]) -> dict[str, str | None]:
        key = (rule.id, rule.fact, rule.digest, group)
        if key not in self._found:
            values: dict[str, list[str]] = {}
            for name in group:
                for value, text in _known(rule, name, self._readings, self._remembered).items():
                    values.setdefault(value, []).append(text)
            self._found[key] = {value: majority(texts) for value, texts in values.items() if len(texts) > 1}
        return self._found[key]


def _known(
    rule: Rule, name: str, readings: Mapping[str, Readings], remembered: Mapping[str, Mapping[str, RuleState]]
) -> Mapping[str, str]:
    """Return the comparable values of a peer: from its reading, or else from its saved state.

    The saved state counts only if its digest is that of this rule: an earlier rule of the same name may have had
    another subject.
    """
    read = readings.get(name, {}).get(rule.fact)
    if read is not None:
        return {key: comparable(read.values[key]) for key in rule.same if key in read.values}
    held = remembered.get(name, {}).get(rule.id)
    if held is None or held.digest != rule.digest or not held.told:
        return {}
    try:
        told = json.loads(held.told)
    except (ValueError, RecursionError):
        return {}
    return {key: text for key, text in told.items() if isinstance(text, str)} if isinstance(told, dict) else {}
