"""The exit codes: a contract with cron jobs and pipelines; a code never changes its meaning."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Exit(IntEnum):
    """What the process returns."""

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
"""The lines that every `--help` prints."""
