"""The store in one SQLite file."""

from collections.abc import Sequence
from pathlib import Path

from multiall_cli.adapters.store.backlog import SqliteBacklog, SqliteHandlers, SqliteResults
from multiall_cli.adapters.store.database import Database
from multiall_cli.adapters.store.health import SqliteHealth, SqliteWaivers
from multiall_cli.adapters.store.journal import SqliteJournal
from multiall_cli.adapters.store.locks import FileLocks
from multiall_cli.adapters.store.states import SqliteCache, SqliteStates
from multiall_cli.adapters.store.topology import SqliteDowntimes, SqliteTopology
from multiall_cli.domain.baseline import AHEAD
from multiall_cli.domain.topology import Downtime
from multiall_cli.planning.ahead import as_of, end_of, is_ahead

_LATER = {
    "runs": "SELECT rowid, coalesce(noticed, started), 0 FROM runs WHERE coalesce(noticed, started) > ?",
    "evidence": "SELECT observer || char(0) || target, at, 0 FROM evidence WHERE at > ?",
    "results": "SELECT rowid, at, 0 FROM results WHERE at > ?",
    "backlog": "SELECT id, at, 0 FROM backlog WHERE at > ?",
    "waivers": "SELECT id, at, ends FROM waivers WHERE at > ?",
    "downtimes": "SELECT id, said, ends FROM downtimes WHERE said > ?",
}
"""table → its rows of a later time: a key, the time, and the end of a span that was counted from it."""
_COUNTS_AS = {
    "runs": "UPDATE runs SET noticed = ?1 WHERE rowid = ?3",
    "evidence": "UPDATE evidence SET at = ?1 WHERE observer || char(0) || target = ?3",
    "results": "UPDATE results SET at = ?1 WHERE rowid = ?3",
    "backlog": "UPDATE backlog SET at = ?1 WHERE id = ?3",
    "waivers": "UPDATE waivers SET at = ?1, ends = ?2 WHERE id = ?3",
    "downtimes": "UPDATE downtimes SET said = ?1 WHERE id = ?3",
}
"""table → what makes a row count as of ?1, its span end at ?2. A downtime ends when it was to end: early would harm."""


class SqliteStore:
    """The store of a site. Its locks are kernel file locks beside the database."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Open or make the store in a folder (0700).

        `durable` False: no transaction waits for the disk; for tests. Raises MultiAllError if it cannot be opened.
        """
        database = self._database = Database(folder, durable=durable)
        self.journal = SqliteJournal(database)
        self.backlog = SqliteBacklog(database)
        self.handlers = SqliteHandlers(database)
        self.results = SqliteResults(database)
        self.states = SqliteStates(database)
        self.downtimes = SqliteDowntimes(database)
        self.topology = SqliteTopology(database)
        self.health = SqliteHealth(database)
        self.waivers = SqliteWaivers(database)
        self.locks = FileLocks(folder)
        self.cache = SqliteCache(database)

    def settle_clock(self, now: float) -> tuple[Sequence[float], Sequence[Downtime]]:
        """As of `Store`. The journal keeps the times that were recorded."""
        found = {name: self._database.rows(query, now + AHEAD) for name, query in _LATER.items()}
        if not any(found.values()):
            return (), ()
        with self._database.transaction() as connection:
            for name, rows in found.items():
                values = [(as_of(at, now), end_of(end, at, now), key) for key, at, end in rows]
                connection.executemany(_COUNTS_AS[name], values)
        said = {key for key, _, _ in found["downtimes"]}
        late = [each for each in self.downtimes.all(now) if each.id in said and is_ahead(each.begins, now)]
        return [at - now for rows in found.values() for _, at, _ in rows], late

    def close(self) -> None:
        self._database.close()
