"""The laws of Locks."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.errors import Locked
from multiall_cli.domain.scope import pool_scope, site_scope, zone_scope
from multiall_cli.ports.store import Store
from tests.laws.stores.values import DB, ME, WEB

HOLD = """
import sys
from pathlib import Path
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.run import Holder
from multiall_cli.domain.scope import pool_scope
store = SqliteStore(Path(sys.argv[1]))
with store.locks.hold(pool_scope("web"), Holder("bob", "adm2", 77, 1.0, "pool sync web"), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the pool web until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "state")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_a_pool_that_another_process_holds_is_locked(tmp_path: Path, other_process: subprocess.Popen[str]) -> None:
    """The message names who holds it; other pools are free; when it dies, the kernel frees the pool."""
    store = SqliteStore(tmp_path / "state")
    with (
        pytest.raises(Locked, match=r"bob@adm2 \(pid 77, `pool sync web`\) since 1970-01-01"),
        store.locks.hold(WEB, ME, 0),
    ):
        pass
    with store.locks.hold(DB, ME, 0):
        other_process.kill()
        other_process.wait()
    with store.locks.hold(WEB, ME, 0):
        pass
    store.close()


def test_a_lock_is_waited_for(tmp_path: Path, other_process: subprocess.Popen[str]) -> None:
    """As long as was asked for."""
    store = SqliteStore(tmp_path / "state")
    assert other_process.stdin is not None
    other_process.stdin.close()
    with store.locks.hold(WEB, ME, 30.0):
        assert other_process.wait() == 0
    store.close()


def test_a_lock_is_free_after_an_error_within(store: Store) -> None:
    """Whatever ended the run."""

    def fails() -> None:
        with store.locks.hold(WEB, ME, 0):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with store.locks.hold(WEB, ME, 0):
        pass


def test_scopes_of_one_name_are_apart(store: Store) -> None:
    """A pool and a zone may have the same name, and a zone's name may have a slash."""
    with store.locks.hold(pool_scope("x"), ME, 0), store.locks.hold(zone_scope("x"), ME, 0):
        with store.locks.hold(site_scope("x"), ME, 0), store.locks.hold(zone_scope("0/25.2.0.192.in-addr.arpa"), ME, 0):
            pass
        with pytest.raises(Locked, match="zone x: it is held by"), store.locks.hold(zone_scope("x"), ME, 0):
            pass
