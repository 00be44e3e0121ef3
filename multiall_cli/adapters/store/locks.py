"""One run at a time per pool: a kernel file lock, freed by the kernel whatever happens to its holder."""

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

from multiall_cli.adapters.trusted import open_own
from multiall_cli.domain.errors import Locked, MultiAllError
from multiall_cli.domain.run import Holder

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


@contextmanager
def pool_lock(folder: Path, pool: str, holder: Holder, wait: float) -> Iterator[None]:
    """Hold `pool` within the folder. Errors: Locked, with the present holder, after `wait` seconds; MultiAllError where
    the lock cannot be written.
    """
    path = folder / f"{pool}.lock"
    try:
        handle = open_own(path)
    except OSError as fault:
        raise MultiAllError(
            f"pool {pool}", f"its lock {path} cannot be opened ({fault.strerror})", "give it to the user who runs this"
        ) from None
    try:
        _acquire(handle, pool, wait)
        _sign(handle, folder, holder)
        yield
        os.ftruncate(handle, 0)
        fcntl.flock(handle, fcntl.LOCK_UN)  # for the copies too that a child has until it becomes its own program
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


def _acquire(handle: int, pool: str, wait: float) -> None:
    began = time.monotonic()
    while not _taken(handle):
        holder = _holder(handle)
        patience = wait if holder and _lives(holder) else max(wait, LET_GO)
        if time.monotonic() - began >= patience:
            raise Locked(f"pool {pool}", f"it is held by {_words(holder)}", "wait for it, or use --lock-wait SECONDS")
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
