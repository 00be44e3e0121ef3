"""Exit codes: a contract with cron jobs and pipelines. A code never changes its meaning."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType


class Exit(IntEnum):
    """Exit code of the process."""

    OK = 0
    ERROR = 1
    USAGE = 2
    PARTIAL = 3
    REFUSED = 4
    LOCKED = 5
    DIFFERENCES = 10
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.OK: "as wanted",
        Exit.ERROR: "error",
        Exit.USAGE: "usage, bad input or an empty target",
        Exit.PARTIAL: "some members failed or are deferred",
        Exit.REFUSED: "refused: a guard, a conflict, a gate or a stale plan",
        Exit.LOCKED: "locked by another run",
        Exit.DIFFERENCES: "differences found",
        Exit.INTERRUPTED: "interrupted",
    }
)
"""Lines that every `--help` prints."""

_WORST_FIRST = (
    Exit.INTERRUPTED, Exit.ERROR, Exit.LOCKED, Exit.REFUSED, Exit.PARTIAL, Exit.DIFFERENCES, Exit.OK, Exit.USAGE,
)  # fmt: skip


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the exit code of several results: an interruption first, then refusals, failures, differences."""
    return min(codes, key=_WORST_FIRST.index, default=Exit.OK)
