"""How long one operation of a member may take: signs of life alone do not keep it going for ever."""

import time
from collections.abc import Callable, Iterable, Iterator

SILENCES = 10.0
"""The allowance without progress, in silences (`--timeout`): ten minutes where a silence is a minute."""

LEAST_RATE = 16 << 10
"""Bytes per second from which on an operation may go on, however long it takes."""


class TimeBudget:
    """The time that is left for an operation. It runs out by the clock, and what really comes or goes earns more."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._until = clock() + seconds

    def left(self) -> float:
        """Seconds; none or less where it is used up."""
        return self._until - self._clock()

    def earn(self, count: int) -> None:
        """So many bytes of the operation's own came or went; never more is left than there was at first."""
        self._until = min(self._until + count / LEAST_RATE, self._clock() + self.seconds)

    def untimed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces; the time that they themselves take is not the member's."""
        source = iter(pieces)
        while True:
            began = self._clock()
            piece = next(source, None)
            self._until += self._clock() - began
            if piece is None:
                return
            yield piece
