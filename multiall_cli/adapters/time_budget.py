"""Time limit of one operation on a member: heartbeats alone do not extend it for ever."""

import time
from collections.abc import Callable, Iterable, Iterator

SILENCES = 10.0
"""The allowance without progress, in silences (`--timeout`): ten minutes if a silence is a minute."""

LEAST_RATE = 16 << 10
"""Bytes per second that keep an operation going, however long it takes."""


class TimeBudget:
    """Time left for an operation. The clock uses it up; transferred bytes extend it."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._until = clock() + seconds

    def left(self) -> float:
        """Return the seconds left; zero or less when it is used up."""
        return self._until - self._clock()

    def earn(self, count: int) -> None:
        """Extend the time for `count` bytes of payload or answer; it never exceeds the first allowance."""
        self._until = min(self._until + count / LEAST_RATE, self._clock() + self.seconds)

    def untimed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces; the time to produce them does not count against the member."""
        source = iter(pieces)
        while True:
            began = self._clock()
            piece = next(source, None)
            self._until += self._clock() - began
            if piece is None:
                return
            yield piece
