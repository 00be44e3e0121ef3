"""How many cases each property is tried with: a fixed budget in `./dev test`, forty times as many in `./dev soak`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import Phase, settings

from tests.scale import share

FLOOR = share(200_000, 5_000)
"""Cases that one run of the whole suite has at least."""

FEW = 25
"""Cases that a test run has of each property, where it asks for that many."""


BUDGET: dict[str, int] = {}
"""Cases of each property whose module was imported."""


def cases(number: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Settings of a property: a quarter of so many cases, ten times as many in a soak; none of which may take long,
    and what failed is printed to be had again.

    The deadline of a case is far above what it needs, so that a busy machine is no failure; what hangs is ended by
    the timeout of its test.
    """
    cases_now = share(10 * number, max(number // 4, min(number, FEW)))
    chosen = settings(
        max_examples=cases_now,
        deadline=timedelta(seconds=20),
        phases=[each for each in Phase if each is not Phase.explain],
    )

    def tried(test: Callable[..., Any]) -> Callable[..., Any]:
        BUDGET[f"{test.__module__}.{test.__qualname__}"] = cases_now
        return chosen(test)

    return tried
