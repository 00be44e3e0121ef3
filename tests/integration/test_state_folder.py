"""The state folder: nothing in it that someone else put there is followed, written or believed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from multiall_cli.adapters.store.locks import FileLocks
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.run import Holder
from multiall_cli.domain.scope import pool_scope
from tests.fixtures.desk import called

WEB = pool_scope("web")

ME = Holder("bob", "adm1", 77, 1.0, "pool sync web")
VICTIM = b"precious\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A store that was used."""
    store = SqliteStore(tmp_path / "state")
    store.cache.put("k", b"v")
    with store.locks.hold(WEB, ME, 0):
        pass
    store.close()
    return tmp_path / "state"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_bytes(VICTIM)
    return path


def use(state: Path) -> None:
    store = SqliteStore(state)
    try:
        with store.locks.hold(WEB, ME, 0):
            pass
    finally:
        store.close()


NAMES = ("pool-web.lock", "state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "state.made")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_link_to_another_file_is_refused(
    name: str, make: Callable[[Path, Path], None], state: Path, victim: Path
) -> None:
    (state / name).unlink(missing_ok=True)
    make(victim, state / name)
    with pytest.raises(MultiAllError, match=r"is a link|not a regular file|has 2 hard links"):
        use(state)
    assert victim.read_bytes() == VICTIM


def test_a_link_to_nothing_makes_nothing(state: Path, tmp_path: Path) -> None:
    (state / "pool-db.lock").symlink_to(tmp_path / "made")
    with pytest.raises(MultiAllError, match="is a link"), FileLocks(state).hold(pool_scope("db"), ME, 0):
        pass
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_may_write_is_refused(mode: int, state: Path) -> None:
    state.chmod(mode)
    with pytest.raises(MultiAllError, match=rf"other accounts can write to it \(mode {mode:04o}\); .*chmod go-w"):
        use(state)
    state.chmod(0o700)
    use(state)


@pytest.mark.parametrize("name", ["pool-web.lock", "state.sqlite"])
def test_a_file_that_others_may_write_is_refused(name: str, state: Path) -> None:
    (state / name).chmod(0o666)
    with pytest.raises(MultiAllError, match="other accounts can write to it"):
        use(state)


@pytest.mark.root
@pytest.mark.parametrize("name", ["", "pool-web.lock", "state.sqlite"])
def test_what_another_account_owns_is_refused(name: str, state: Path) -> None:
    os.chown(state / name, 65534, -1)
    with pytest.raises(MultiAllError, match="owned by user 65534"):
        use(state)


@pytest.mark.parametrize("beside", ["state.made", "pool-web.lock", "state.sqlite-wal"])
def test_a_store_that_was_emptied_is_no_new_one(beside: str, state: Path) -> None:
    for each in state.iterdir():
        each.unlink()
    (state / beside).write_bytes(b"")
    (state / beside).chmod(0o600)
    (state / "state.sqlite").touch(0o600)
    with pytest.raises(MultiAllError, match=f"it is empty, and {beside} shows .*; restore it, or remove it"):
        use(state)
    assert (state / "state.sqlite").stat().st_size == 0
    (state / "state.sqlite").unlink()
    use(state)


def test_a_new_store_is_made_also_where_making_it_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(0o700)
    (tmp_path / "state" / "state.sqlite").touch(0o600)
    use(tmp_path / "state")


def test_every_command_ends_with_1_and_doctor_names_it(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "site" / "inventory").mkdir(parents=True)
    (tmp_path / "site" / "multiall.yaml").write_text(f"store: {tmp_path}/state\n")
    (tmp_path / "site" / "inventory" / "a.yaml").write_text("servers: {here: {transport: local}}\n")
    (tmp_path / "state").mkdir(0o700)
    (tmp_path / "state" / "state.sqlite").symlink_to(victim)
    for verb in (["doctor"], ["journal", "list"], ["topology", "show"]):
        done = called(["--site", str(tmp_path / "site"), *verb])
        words = f"{tmp_path}/state/state.sqlite: is a link; writing would change another file; check who made it"
        assert (done.exit, words in done.out + done.err) == (1, True), done
    assert victim.read_bytes() == VICTIM


def test_doctor_names_a_lock_that_a_sync_would_refuse(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "inventory").mkdir(parents=True)
    (site / "inventory" / "a.yaml").write_text("servers: {}\n")
    (site / "multiall.yaml").write_text("store: ./state\n")
    SqliteStore(site / "state").close()
    (site / "state" / "pool-web.lock").touch(0o600)
    assert called(["--site", str(site), "doctor"]).exit == 0
    (site / "state" / "pool-web.lock").chmod(0o666)
    done = called(["--site", str(site), "doctor"])
    assert "pool-web.lock: other accounts can write to it" in " ".join(done.out.split())
    assert done.exit != 0
