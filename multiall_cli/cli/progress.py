"""What is going on, on stderr: one moving line on a terminal, else a line every ten seconds."""

import sys
import threading
from typing import TYPE_CHECKING

from multiall_cli.cli.render.document import console, say
from multiall_cli.cli.render.text import count
from multiall_cli.domain.run import Progress

if TYPE_CHECKING:
    from rich.status import Status

EVERY = 10.0  # seconds between two lines where there is no terminal

_WORDS = {
    "source read": ("source read", "sources read"), "looked": ("looked at", "looked at"),
    "intended": ("begun", "begun"), "applied": ("change made", "changes made"), "member done": ("done", "done"),
    "ran": ("answered", "answered"), "asked": ("answered", "answered"), "examined": ("examined", "examined"),
}  # fmt: skip
"""What has been done, of one and of several."""


class ProgressLine:
    """A watcher of steps. Off a terminal it says where it is every `every` seconds, also while nothing moves."""

    def __init__(self, what: str, *, quiet: bool, every: float = EVERY) -> None:
        self._what = what
        self._counts: dict[str, int] = {}
        self._guard = threading.Lock()
        self._quiet = quiet
        self._every = every
        self._over = threading.Event()
        self._status: Status | None = None

    def __enter__(self) -> "ProgressLine":
        if self._quiet:
            return self
        if sys.stderr.isatty():
            self._status = console(sys.stderr).status(self._what)
            self._status.start()
        else:
            threading.Thread(target=self._tell, name="progress", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Clear the line, and say no more: something is to be asked or printed."""
        self._over.set()
        if self._status is not None:
            self._status.stop()

    def __call__(self, step: Progress) -> None:
        if self._quiet or step.name not in _WORDS:
            return
        with self._guard:
            self._counts[step.name] = self._counts.get(step.name, 0) + max(1, step.count)
        if self._status is not None:
            self._status.update(self._line())

    def _line(self) -> str:
        with self._guard:
            words = ", ".join(count(number, *_WORDS[name]) for name, number in self._counts.items())
        return f"{self._what}: {words or 'begun'}"

    def _tell(self) -> None:
        while not self._over.wait(self._every):
            say(self._line())
