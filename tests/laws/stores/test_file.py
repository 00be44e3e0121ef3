"""What holds of the store's file, whatever part is asked."""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from multiall_cli.adapters.store.migrations import MIGRATIONS
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.run import Stage
from multiall_cli.domain.scope import Purpose, site_scope, zone_scope
from multiall_cli.ports.store import Store
from tests.laws.stores.values import FILES, WEB, a_run, an_entry


def _together(*works: Callable[[], None]) -> list[BaseException]:
    """Run them at once; what they raised."""
    begin, faults = threading.Barrier(len(works)), []

    def one(work: Callable[[], None]) -> None:
        begin.wait()
        try:
            work()
        except Exception as fault:  # noqa: BLE001  (told to the test)
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def test_threads_may_use_it_at_once(store: Store) -> None:
    """No entry of either is lost."""
    store.journal.begin(a_run())

    def write(subject: str) -> None:
        for number in range(50):
            store.journal.intend([an_entry(f"{number}", subject=subject)], [])
            store.journal.record([an_entry(f"{number}", subject=subject, stage=Stage.DONE)])

    assert _together(lambda: write("a"), lambda: write("b")) == []
    assert (len(store.journal.entries("r1", Stage.DONE)), store.journal.pending()) == (100, [])


def test_a_new_store_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    """Each makes it or finds it made."""
    for turn in range(40):
        faults = _together(*[lambda turn=turn: SqliteStore(tmp_path / f"{turn}").close()] * 4)  # type: ignore[misc]
        assert faults == []


def test_a_store_is_for_its_owner_only(tmp_path: Path) -> None:
    """The journal names paths and people."""
    SqliteStore(tmp_path / "state").close()
    modes = [os.stat(path).st_mode & 0o777 for path in (tmp_path / "state", tmp_path / "state" / "state.sqlite")]
    assert modes == [0o700, 0o600]


def test_a_store_is_migrated_from_version_0_and_then_left_as_it_is(tmp_path: Path) -> None:
    """What was kept is there when it is opened again."""
    first = SqliteStore(tmp_path)
    first.cache.put("k", b"v")
    first.close()
    again = SqliteStore(tmp_path)
    assert again.cache.get("k") == b"v"
    again.close()
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()


def test_a_store_with_entries_passes_the_check_of_its_own_database(tmp_path: Path) -> None:
    """So that an operator who runs it can tell a damaged store from a whole one."""
    store = SqliteStore(tmp_path)
    store.journal.begin(a_run("r1"))
    store.journal.intend([an_entry("k1"), an_entry("k2")])
    store.close()
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_store_of_a_newer_release_is_refused_and_not_touched(tmp_path: Path) -> None:
    """Downgrading must not lose what only the newer one knows."""
    SqliteStore(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(MultiAllError, match=f"the store has version 99, this release knows up to {len(MIGRATIONS)}"):
        SqliteStore(tmp_path)
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_store_is_told(tmp_path: Path, content: bytes) -> None:
    """And left as it is."""
    (tmp_path / "state.sqlite").write_bytes(content)
    with pytest.raises(MultiAllError, match=r"the store (cannot be opened|failed)"):
        SqliteStore(tmp_path)
    assert (tmp_path / "state.sqlite").read_bytes() == content


OLD_ROWS = """
INSERT INTO runs VALUES ('r1', 'sync', 'web', '["a"]', 'p', 'ann', 'adm1', 1, 1.0, 2.0, 0, NULL);
INSERT INTO runs VALUES ('r2', 'dns rollout', '(dns) example.net', '["ns1"]', 'p', 'ann', 'adm1', 1, 3.0, 4.0, 0, NULL);
INSERT INTO runs VALUES ('r3', 'cp', '(cp)', '["a"]', 'p', 'ann', 'adm1', 1, 5.0, NULL, NULL, NULL);
INSERT INTO entries VALUES ('r1', 'a', 'files:/srv', 'k', 'update', 'b', 'a', 'intent', '', 1.5);
INSERT INTO entries VALUES ('r2', 'ns1', 'zones:example.net', 'www. A', 'update', 'b', 'a', 'done', '', 3.5);
INSERT INTO outbox VALUES (7, 'web', 'a', 'r1', 'away', 1.0, NULL, NULL);
INSERT INTO outbox VALUES (8, '(dns) example.net', 'ns1', 'r2', 'away', 3.0, NULL, NULL);
INSERT INTO owed VALUES ('web', 'a', 'files:/srv', 'reload', '["nginx"]', 'r1');
INSERT INTO agreed VALUES ('a', 'files:/srv', x'01', 'r1');
INSERT INTO agreed VALUES ('ns1', 'zones:example.net', x'02', '');
INSERT INTO standings VALUES ('web', 'a', 'same', 'r1', '', 2.0);
INSERT INTO cache VALUES ('zone late:example.net.', x'31');
INSERT INTO cache VALUES ('zone seen:.', x'03');
INSERT INTO cache VALUES ('remedy:a:reload nginx', x'04');
INSERT INTO cache VALUES ('store id', x'05');
INSERT INTO cache VALUES ('zone:example.net.', x'06');
INSERT INTO planned VALUES (1, 'a', 'drain', 0.0, 9.0, 'ann', 'kernel', 0.0);
"""
"""As the release before the scopes saved them."""


def test_a_store_of_the_release_before_scopes_loses_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    for step in MIGRATIONS[:4]:
        connection.executescript(step)
    connection.executescript(OLD_ROWS)
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    (tmp_path / "state.sqlite").chmod(0o600)
    tmp_path.chmod(0o700)
    store, zone, agent = SqliteStore(tmp_path), zone_scope("example.net"), "zones:example.net"
    assert [(run.id, run.scopes) for run in store.journal.runs(9)] == [
        ("r3", (site_scope("copy"),)),
        ("r2", (zone,)),
        ("r1", (WEB,)),
    ]
    assert [(each.subject, each.server) for each in store.journal.pending(WEB)] == [("a", "a")]
    (entry,) = store.journal.recent(agent, 0.0)
    assert (entry.subject, entry.server, entry.purpose) == ("example.net", "ns1", Purpose.DRAIN)
    assert [(each.scope, each.subject, each.server) for each in store.backlog.entries()] == [
        (WEB, "a", "a"),
        (zone, "example.net", "ns1"),
    ]
    assert store.backlog.deliver(WEB, "a", [FILES], "r4", 9.0) == 1
    assert store.backlog.deliver(zone, "example.net", [agent], "r4", 9.0) == 1
    assert [each.action for each in store.handlers.of(WEB, "a")] == ["reload nginx"]
    assert [each.run for each in store.results.of(WEB)] == ["r1"]
    assert [each.because for each in store.downtimes.all()] == ["kernel"]
    assert store.states.get(FILES, "a") == b"\1"
    assert [store.states.get(agent, "example.net", part) for part in ("departures", "late")] == [b"\2", b"1"]
    assert store.states.get("zones:.", ".", "names") == b"\3"
    assert store.states.get("baseline", "a", "reload nginx") == b"\4"
    assert store.states.get("store", "site", "id") == b"\5"
    assert (store.cache.get("zone:example.net."), store.cache.get("store id")) == (b"\6", None)
    store.close()
