"""Remedies to apply now: those of failing rules, after their cool-down. Pure."""

from collections.abc import Iterable, Mapping

from multiall_cli.domain.baseline import Rule, ServerHealth
from multiall_cli.domain.inventory import After
from multiall_cli.domain.remedy import Cooling, Remedy


def remedies(checked: Iterable[ServerHealth], rules: Mapping[str, Iterable[Rule]]) -> list[Remedy]:
    """Return the remedies of rules that certainly fail: not of unknown, waived, muted or soft failures.

    If several rules call for the same action on a server, only the first one counts.
    """
    found: dict[tuple[str, After], Remedy] = {}
    for each in checked:
        if each.trouble:
            continue  # its current state is unknown
        by_id = {rule.id: rule for rule in rules.get(each.server, ())}
        for status in each.statuses:
            words = by_id[status.rule].remedy if status.rule in by_id else ()
            if words and status.code // 100 in (3, 4):
                action = After(words[0], words[1:])
                found.setdefault(
                    (each.server, action), Remedy(each.server, status.rule, action, status.code, status.shows)
                )
    return list(found.values())


def cooling(
    chosen: Iterable[Remedy], last: Mapping[Remedy, float], now: float, cool_down: float
) -> tuple[Cooling, ...]:
    """Return the remedies that were applied too recently. A time in the future (wrong clock) is ignored."""
    recent = ((each, last[each]) for each in chosen if each in last and 0 <= now - last[each] < cool_down)
    return tuple(Cooling(each, at, at + cool_down) for each, at in recent)
