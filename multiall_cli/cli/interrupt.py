"""Ctrl-C once: stop where it is safe. Twice: at once."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from multiall_cli.domain.exits import Exit

LOOK = 0.03  # seconds between two looks at whether it was asked to end
PATIENCE = 1.0  # seconds that the second Ctrl-C leaves for closing what is open
WORDS = b"\nstopping: members in work are finished, no other is begun; Ctrl-C again stops at once\n"
GAVE_UP = b"multiall: interrupted; what was done is in `multiall journal list`\n"
SHOW_CURSOR = b"\x1b[?25h"


class Interrupt:
    """Catches SIGINT and SIGTERM from `with` on; `asked` says whether no further member is to be begun."""

    def __init__(self, words: bytes = WORDS) -> None:
        """`words`: what the first Ctrl-C is answered with."""
        self._words = words
        self._asked = False
        self._before: dict[int, object] = {}

    def asked(self) -> bool:
        return self._asked

    def wait(self, seconds: float, hinted: Callable[[], bool] = lambda: False) -> bool:
        """Do nothing for so long, or until it is asked or something hints at work; whether it was asked."""
        until = time.monotonic() + seconds
        while not self._asked and not hinted() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK))  # a signal's handler that raises nothing does not end a sleep
        return self._asked

    def __enter__(self) -> "Interrupt":
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # started with & or nohup: it is not meant for us
                self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _caught(self, number: int, frame: FrameType | None) -> None:
        """Runs between any two instructions of the main thread: nothing here may wait for a lock, or use a stream."""
        if self._asked:
            threading.Thread(target=_leave_soon, daemon=True).start()
            raise KeyboardInterrupt
        self._asked = True
        with contextlib.suppress(OSError):
            os.write(2, self._words)


def _leave_soon() -> None:
    """The end, where closing takes too long: without streams, whose locks the main thread may hold."""
    threading.Event().wait(PATIENCE)
    with contextlib.suppress(OSError):
        os.write(2, (SHOW_CURSOR if os.isatty(2) else b"") + GAVE_UP)
    os._exit(Exit.INTERRUPTED)
