"""One run at a time per scope: a kernel file lock, freed by the kernel whatever happens to its holder."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from multiall_cli.adapters.trusted_files import open_trusted
from multiall_cli.domain.errors import Locked, MultiAllError
from multiall_cli.domain.run import Holder
from multiall_cli.domain.scope import Scope

ASK_AGAIN = 0.1  # seconds between two tries while waiting; flock has no wait with a limit
LET_GO = 5.0
"""Seconds for a lock whose holder is dead: a child that he was just starting has it until it is its own program."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time within the folder, for something short; waits for its turn."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class FileLocks:
    """Locks of scopes as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, scope: Scope, holder: Holder, wait: float) -> Iterator[None]:
        """As of `Locks`. Raises MultiAllError too, if the lock cannot be written."""
        path = self._folder / f"{scope.kind}-{quote(scope.name, safe='')}.lock"  # a zone's name may have a slash
        try:
            handle = open_trusted(path)
        except OSError as fault:
            what, todo = f"its lock {path} cannot be opened ({fault.strerror})", "give it to the user who runs this"
            raise MultiAllError(str(scope), what, todo) from None
        try:
            _acquire(handle, scope, wait)
            _sign(handle, self._folder, holder)
            yield
            os.ftruncate(handle, 0)
            fcntl.flock(handle, fcntl.LOCK_UN)  # also releases the descriptor a child inherited between fork and exec
        finally:
            os.close(handle)


def _sign(handle: int, folder: Path, holder: Holder) -> None:
    """Write the holder into the lock. Errors: MultiAllError on a full disk."""
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(asdict(holder)).encode(), 0)
    except OSError as fault:
        raise MultiAllError(
            str(folder), f"the store failed ({fault.strerror})", "free its disk, check its rights, run again"
        ) from None


def _acquire(handle: int, scope: Scope, wait: float) -> None:
    began = time.monotonic()
    while not _taken(handle):
        holder = _holder(handle)
        patience = wait if holder and _lives(holder) else max(wait, LET_GO)
        if time.monotonic() - began >= patience:
            raise Locked(str(scope), f"it is held by {_words(holder)}", "wait for it, or use --lock-wait SECONDS")
        time.sleep(ASK_AGAIN)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        if fault.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _holder(handle: int) -> Holder | None:
    """Who wrote himself into the lock; None where he has not yet."""
    try:
        return Holder(**json.loads(os.pread(handle, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _lives(holder: Holder) -> bool:
    """Not known to be dead: of another host's processes nothing is known."""
    if holder.host != socket.gethostname():
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _words(holder: Holder | None) -> str:
    if holder is None:
        return "another run"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    return f"{holder} since {since}"
