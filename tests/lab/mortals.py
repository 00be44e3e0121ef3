"""Admins in processes of their own that can be killed: forked from one that has everything loaded, so each is quick."""

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from tests.lab.moments import Moments, sync_through

LIMIT = 60.0  # seconds that an admin may take for one run

_SPAWNING = multiprocessing.get_context("forkserver")
_SPAWNING.set_forkserver_preload(["tests.lab.mortals", "multiall_cli.fleet", "multiall_cli.adapters.ssh.transport",
                                  "paramiko", "multiall_cli.adapters.store.sqlite", "multiall_cli.engine.sync",
                                  "multiall_cli.agents.files"])  # fmt: skip


def _live(site: str, home: str, dies_at: int) -> None:
    """One run. 0: it lives to its end."""
    os.environ["HOME"] = home
    os.setsid()
    report = sync_through(site, Moments(dies_at, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    os._exit(int(report.exit))


@dataclass
class Admin:
    """`pool sync web` of a site in a process of its own; it kills itself at its `dies_at`-th moment."""

    site: str
    dies_at: int = 0
    _process: BaseProcess = field(init=False)

    def __post_init__(self) -> None:
        self._process = _SPAWNING.Process(target=_live, args=(self.site, os.environ["HOME"], self.dies_at), daemon=True)
        self._process.start()

    def ended_within(self, seconds: float) -> bool:
        """Waits for its end, and not longer than this."""
        return bool(wait([self._process.sentinel], seconds))

    def kill(self) -> None:
        self._process.kill()

    def timed(self) -> float:
        """Waits for its good end; how long that took, in seconds."""
        began = time.monotonic()
        assert self.end() == 0
        return time.monotonic() - began

    def end(self) -> int:
        """Its exit code; -9 where it was killed."""
        assert self.ended_within(LIMIT), "the admin did not end"
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        assert code is not None
        return code
