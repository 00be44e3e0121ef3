"""The system clock."""

import time


class SystemClock:
    """Wall clock (seconds since the epoch) and monotonic clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
