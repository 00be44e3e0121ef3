"""Which remedies are to be applied now: of rules that fail and declare one, not again too soon. Pure."""

from collections.abc import Iterable, Mapping

from multiall_cli.domain.baseline import Checked, Rule
from multiall_cli.domain.inventory import After
from multiall_cli.domain.remedy import Cooling, Remedy


def remedies(checked: Iterable[Checked], rules: Mapping[str, Iterable[Rule]]) -> list[Remedy]:
    """Of what is bad for certain: not of what is unknown, waived, muted, or has not failed for long enough.

    One action on one server once, however many rules call for it: the first of them.
    """
    found: dict[tuple[str, After], Remedy] = {}
    for each in checked:
        if each.trouble:
            continue  # how it stands now is not known
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
    """Those that were applied too recently. What was applied in times to come was so under a wrong clock."""
    recent = ((each, last[each]) for each in chosen if each in last and 0 <= now - last[each] < cool_down)
    return tuple(Cooling(each, at, at + cool_down) for each, at in recent)
