"""How much of the long suites runs: a sample in `./dev test`, all of it in `./dev soak`.

A sample is drawn by the seed of the run, which is printed at its end; `--randomly-seed=N` draws it again.
"""

import os
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import settings

SOAK = os.environ.get("MULTIALL_TESTS") == "soak"
"""Set by `./dev soak`."""

T = TypeVar("T")


def examples(number: int) -> settings:
    """Settings of a property: so many cases in a test run, twenty times as many in a soak."""
    return settings(max_examples=share(20 * number, number))


def share(whole: int, part: int) -> int:
    """`whole` in a soak, `part` in a test run."""
    return whole if SOAK else part


def sample(every: Sequence[T], part: int, luck: Random) -> list[T]:
    """All of them in a soak, `part` of them in a test run, in their order."""
    if SOAK or part >= len(every):
        return list(every)
    return [every[at] for at in sorted(luck.sample(range(len(every)), part))]
