"""How often one is told, of the same weeks: less often than by others, as soon, and nothing is missed."""

from collections.abc import Callable

from tests.worlds.noise import WATCHERS, series, told

SERIES = 20
Figure = Callable[[str, object], None]


def test_it_is_told_less_often_and_nothing_is_missed(record_property: Figure) -> None:
    """Than by every rival of the research; an incident that is not seen for gaps all along is nobody's fault."""
    many = [series(seed) for seed in range(SERIES)]
    found = {name: told(name, watcher, many) for name, watcher in WATCHERS.items()}
    mine = found.pop("MultiAll, for: 3m, clear")
    seen_by_all = min(each.missed for each in found.values())
    for name, other in found.items():
        assert mine.per_week < other.per_week, name
    assert mine.missed <= max(1, seen_by_all)
    assert mine.delay < 4.5
    record_property("figure", (f"messages about {SERIES} series in a week", mine.messages))
