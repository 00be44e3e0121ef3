"""Time as an argument: lower layers never read it themselves."""

from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for measuring."""
        ...
