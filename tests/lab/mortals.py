"""Admin processes that can be killed; each is forked from one with everything loaded, so it starts quickly."""

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from tests.lab.moments import Moments, sync_through
from tests.limits import HANG

LIMIT = HANG  # seconds for one run of an admin

_SPAWNING = multiprocessing.get_context("forkserver")
_SPAWNING.set_forkserver_preload(["tests.lab.mortals", "multiall_cli.fleet", "multiall_cli.adapters.ssh.transport",
                                  "paramiko", "multiall_cli.adapters.store.sqlite", "multiall_cli.engine.sync",
                                  "multiall_cli.agents.files"])  # fmt: skip


def _live(site: str, home: str, dies_at: int) -> None:
    """Run once; exit code 0 if the run completes."""
    os.environ["HOME"] = home
    os.setsid()
    report = sync_through(site, Moments(dies_at, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    os._exit(int(report.exit))


@dataclass
class Admin:
    """`pool sync web` of a site in its own process, which kills itself at its `dies_at`-th moment."""

    site: str
    dies_at: int = 0
    _process: BaseProcess = field(init=False)

    def __post_init__(self) -> None:
        self._process = _SPAWNING.Process(target=_live, args=(self.site, os.environ["HOME"], self.dies_at), daemon=True)
        self._process.start()

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end, but no longer than this; return whether it ended."""
        return bool(wait([self._process.sentinel], seconds))

    def kill(self) -> None:
        self._process.kill()

    def timed(self) -> float:
        """Wait until it succeeds; return how many seconds that took."""
        began = time.monotonic()
        assert self.end() == 0
        return time.monotonic() - began

    def end(self) -> int:
        """Return its exit code; -9 if it was killed."""
        assert self.ended_within(LIMIT), "the admin did not end"
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        assert code is not None
        return code
