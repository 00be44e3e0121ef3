"""One SQLite database: its file, schema, transactions, and text of any bytes."""

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from multiall_cli.adapters.store.locks import alone
from multiall_cli.adapters.store.migrations import MIGRATIONS, scope_kind, scope_name
from multiall_cli.adapters.trusted_files import check_file, check_folder, open_trusted
from multiall_cli.domain.errors import MultiAllError

MADE = "state.made"
"""Stands beside a store that was made: an empty file in its place is not a new store."""


def encode(text: str) -> str:
    """SQLite holds UTF-8: bytes of file names that are none travel as JSON escapes, marked by a NUL before them."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "\0" + json.dumps(text)
    return "\0" + json.dumps(text) if text.startswith("\0") else text


def decode(text: str) -> str:
    return str(json.loads(text[1:])) if text.startswith("\0") else text


class Database:
    """One connection, used by one thread at a time."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Open or make the database in a folder (0700).

        `durable` False: no transaction waits for the disk; for tests. Raises MultiAllError if it cannot be opened.
        """
        self._folder = folder
        self._guard = threading.RLock()
        self._may_wait = durable
        self._durable: bool | None = None
        self.on_rollback: list[Callable[[], None]] = []
        """Called when a transaction failed, so that parts forget values it would have saved."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            check_folder(folder)
            path = folder / "state.sqlite"
            with alone(folder):  # SQLite does not wait while another connection turns its journal to WAL
                _check_sound(path)
                self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
                self._prepare()
                os.close(open_trusted(folder / MADE))
        except (OSError, sqlite3.Error) as fault:
            todo = "give it room and rights, or move it with `store:`"
            raise MultiAllError(str(folder), f"the store cannot be opened ({fault})", todo) from None

    @property
    def folder(self) -> Path:
        return self._folder

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        self._sync_to_disk(durable=True)
        run("PRAGMA foreign_keys = OFF")  # a migration replaces tables that others refer to
        with self.transaction():
            (version,) = run("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                what = f"the store has version {version}, this release knows up to {len(MIGRATIONS)}"
                raise MultiAllError(str(self._folder), what, "use the newer release, or another `store:`")
            for name, function in (("SCOPE_KIND", scope_kind), ("SCOPE_NAME", scope_name)):
                self._connection.create_function(name, 1, function, deterministic=True)
            for number, step in enumerate(MIGRATIONS[version:], version + 1):
                for statement in filter(str.strip, step.split(";")):
                    run(statement)
                run(f"PRAGMA user_version = {number}")
        run("PRAGMA foreign_keys = ON")

    def _sync_to_disk(self, *, durable: bool) -> None:
        """Set whether later commits survive power loss. Commits are atomic either way."""
        wanted = durable and self._may_wait
        if wanted is not self._durable:
            level = "FULL" if wanted else "NORMAL" if self._may_wait else "OFF"
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._durable = wanted

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Run one transaction. Intents need `durable`; data that can be observed again may skip the wait for the disk.

        Raises MultiAllError if the database fails.
        """
        with self._guard:
            try:
                self._sync_to_disk(durable=durable)
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    for forget in self.on_rollback:
                        forget()
                    if self._connection.in_transaction:  # on a full disk SQLite has rolled back by itself
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as fault:
                todo = "free its disk, check its rights, run again"
                raise MultiAllError(str(self._folder), f"the store failed ({fault})", todo) from None

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Raises MultiAllError if the database cannot be read."""
        with self._guard:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as fault:
                what = f"the store cannot be read ({fault})"
                raise MultiAllError(str(self._folder), what, "restore it or remove it") from None

    def close(self) -> None:
        with self._guard:
            self._connection.close()


def _check_sound(path: Path) -> None:
    """Raises OSError; MultiAllError if a file of the store is not ours alone, or was emptied."""
    beside = [each for each in path.parent.iterdir() if each.name == MADE or each.suffix == ".lock"]
    for suffix in ("-wal", "-shm"):
        each = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):  # whoever closed the store last removed it
            check_file(each, each.lstat())
            beside.append(each)
    was_there = path.exists()
    handle = open_trusted(path)
    try:
        emptied = was_there and os.fstat(handle).st_size == 0 and beside
    finally:
        os.close(handle)
    if emptied:
        what = f"it is empty, and {beside[0].name} shows that there was a store: backlog, handlers and journal are gone"
        raise MultiAllError(str(path), what, "restore it, or remove it to begin anew without them")
