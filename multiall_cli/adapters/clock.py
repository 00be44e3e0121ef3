"""The machine's clock."""

import time


class SystemClock:
    """Seconds since the epoch, and seconds that never run backwards."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
