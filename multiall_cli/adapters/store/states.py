"""What agents save between runs, and the cache."""

from collections.abc import Sequence

from multiall_cli.adapters.store.database import Database, encode
from multiall_cli.adapters.store.journal import SAVE_STATE, state_row
from multiall_cli.domain.run import SavedState


class SqliteStates:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, agent: str, subject: str, part: str = "") -> bytes | None:
        rows = self._database.rows(
            "SELECT value FROM agent_states WHERE agent = ? AND subject = ? AND part = ?",
            encode(agent),
            encode(subject),
            encode(part),
        )
        return bytes(rows[0][0]) if rows else None

    def put(self, states: Sequence[SavedState], run: str = "") -> None:
        with self._database.transaction() as connection:
            connection.executemany(SAVE_STATE, [state_row(each, run) for each in states])


class SqliteCache:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> bytes | None:
        rows = self._database.rows("SELECT value FROM cache WHERE key = ?", encode(key))
        return bytes(rows[0][0]) if rows else None

    def put(self, key: str, value: bytes) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO cache VALUES (?,?) ON CONFLICT DO UPDATE SET value = excluded.value", (encode(key), value)
            )
