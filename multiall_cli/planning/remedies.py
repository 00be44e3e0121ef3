"""Which remedies are to be applied now: of rules that fail and declare one, not again too soon. Pure."""

from collections.abc import Iterable, Mapping

from multiall_cli.domain.baseline import Checked, Rule
from multiall_cli.domain.inventory import After
from multiall_cli.domain.remedy import Remedy


def remedies(checked: Iterable[Checked], rules: Mapping[str, Iterable[Rule]]) -> list[Remedy]:
    """Of what is bad for certain: not of what is unknown, waived, muted, or has not failed for long enough.

    One action on one server once, however many rules call for it: the first of them.
    """
    found: dict[tuple[str, After], Remedy] = {}
    for each in checked:
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
) -> dict[Remedy, float]:
    """Those that were applied too recently → how many seconds they have to wait still."""
    waits = {each: last[each] + cool_down - now for each in chosen if each in last}
    return {each: min(wait, cool_down) for each, wait in waits.items() if wait > 0}
