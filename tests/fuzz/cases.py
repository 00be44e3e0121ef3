"""How many cases each property is tried with: a fixed budget in CI, many more in `./dev soak`."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import Phase, settings

FLOOR = 20_000
"""Cases that one run of the whole suite has at least."""

SOAK = "MULTIALL_FUZZ"
"""The environment variable that `./dev soak` sets to `soak`."""

_TIMES = 10 if os.environ.get(SOAK) == "soak" else 1


BUDGET: dict[str, int] = {}
"""Cases of each property whose module was imported."""


def cases(number: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Settings of a property: so many cases, none of which may take long, and what failed printed to be had again.

    The deadline of a case is far above what it needs, so that a busy machine is no failure; what hangs is ended by
    the timeout of its test.
    """
    chosen = settings(
        max_examples=number * _TIMES,
        deadline=timedelta(seconds=20),
        phases=[each for each in Phase if each is not Phase.explain],
    )

    def tried(test: Callable[..., Any]) -> Callable[..., Any]:
        BUDGET[f"{test.__module__}.{test.__qualname__}"] = number * _TIMES
        return chosen(test)

    return tried
