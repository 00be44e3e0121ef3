"""Several admins at once, on one store: never two holders of a pool, and a holder's death frees it."""

import multiprocessing
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from multiall_cli.adapters.store.locks import ASK_AGAIN
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.errors import Locked
from multiall_cli.domain.run import Holder
from multiall_cli.domain.scope import pool_scope
from tests.limits import HANG

WEB = pool_scope("web")

RACES, ADMINS, DEATHS = 300, 3, 25
LIMIT = HANG  # seconds that anyone waits for the others
_SPAWNING = multiprocessing.get_context("forkserver")
_SPAWNING.set_forkserver_preload(["tests.integration.test_races"])
Told = SimpleQueue[tuple[int, str]]


def _me(number: int) -> Holder:
    return Holder(f"admin{number}", socket.gethostname(), os.getpid(), time.time(), "sync web")


def _race(folder: Path, number: int, start: Barrier, tried: Barrier, told: Told) -> None:
    """RACES times: all ask at once; who gets the lock keeps it until all have asked."""
    with closing(SqliteStore(folder)) as store:
        for race in range(RACES):
            start.wait(LIMIT)
            try:
                with store.locks.hold(WEB, _me(number), 0.0):
                    told.put((race, ""))
                    tried.wait(LIMIT)
            except Locked as fault:
                told.put((race, fault.what))
                tried.wait(LIMIT)


def test_never_two_holders(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    start, tried = _SPAWNING.Barrier(ADMINS), _SPAWNING.Barrier(ADMINS)
    told: Told = _SPAWNING.SimpleQueue()
    admins = [
        _SPAWNING.Process(target=_race, args=(tmp_path, number, start, tried, told), daemon=True)
        for number in range(ADMINS)
    ]
    for admin in admins:
        admin.start()
    answers = [told.get() for _ in range(RACES * ADMINS)]
    assert [_ended(admin) for admin in admins] == [0] * ADMINS
    assert Counter(race for race, words in answers if not words) == dict.fromkeys(range(RACES), 1)
    assert all("it is held by " in words for _, words in answers if words)
    record_property("figure", ("race of three admins for one pool", RACES))


def _hold(folder: Path, held: Connection) -> None:
    with closing(SqliteStore(folder)) as store, store.locks.hold(WEB, _me(0), 0.0):
        held.send_bytes(b".")
        signal.pause()


def _hold_and_be_killed(hold: Callable[[Path, Connection], None], folder: Path) -> None:
    """A process that holds the pool dies."""
    heard, held = _SPAWNING.Pipe(duplex=False)
    holder = _SPAWNING.Process(target=hold, args=(folder, held), daemon=True)
    holder.start()
    with heard, held:
        assert heard.poll(LIMIT)
        assert heard.recv_bytes() == b"."
    holder.kill()
    assert _ended(holder) == -signal.SIGKILL


def test_a_killed_holder_frees_the_pool(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        for _ in range(DEATHS):
            _hold_and_be_killed(_hold, tmp_path)
            with store.locks.hold(WEB, _me(1), 0.0):
                pass
    record_property("figure", ("kill -9 of a pool's holder", DEATHS))


def _hold_and_start_a_child(folder: Path, held: Connection) -> None:
    """The child is still this program's copy for a moment, with the lock's handle."""
    with closing(SqliteStore(folder)) as store, store.locks.hold(WEB, _me(0), 0.0):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)  # until the end of its parent
            time.sleep(3 * ASK_AGAIN)
            os._exit(0)
        held.send_bytes(b".")
        signal.pause()


def test_a_killed_holders_child_lets_go(tmp_path: Path) -> None:
    """Who asks at once, without a wish to wait, gets the lock all the same."""
    with closing(SqliteStore(tmp_path)) as store:
        _hold_and_be_killed(_hold_and_start_a_child, tmp_path)
        with store.locks.hold(WEB, _me(1), 0.0):
            pass


def _ended(process: BaseProcess) -> int | None:
    process.join(LIMIT)
    code = process.exitcode
    process.close()
    return code
