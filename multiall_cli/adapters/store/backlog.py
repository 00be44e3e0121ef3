"""What subjects missed, handlers that wait, and last results."""

import json
from collections.abc import Sequence

from multiall_cli.adapters.store.database import Database, decode, encode
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.run import BacklogEntry, LastResult, PendingHandler
from multiall_cli.domain.scope import Scope, ScopeKind

_ENTRY = "id, kind, name, agent, subject, server, run, reason, at, delivered_by, delivered_at"


class SqliteBacklog:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, scope: Scope, subject: str, server: str, agents: Sequence[str], run: str, reason: str, at: float
    ) -> None:
        rows = [(scope.kind, scope.name, encode(each), subject, server, run, encode(reason), at) for each in agents]
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO backlog (kind, name, agent, subject, server, run, reason, at) VALUES (?,?,?,?,?,?,?,?) "
                "ON CONFLICT DO NOTHING",
                rows,
            )

    def entries(self, scope: Scope | None = None, *, delivered: bool = False) -> Sequence[BacklogEntry]:
        kind, name = (scope.kind, scope.name) if scope else (None, None)
        rows = self._database.rows(
            f"SELECT {_ENTRY} FROM backlog WHERE (? IS NULL OR (kind = ? AND name = ?)) "  # noqa: S608  (a constant)
            "AND (delivered_by IS NOT NULL) = ? ORDER BY id",
            kind,
            kind,
            name,
            delivered,
        )
        return [
            BacklogEntry(
                number, Scope(ScopeKind(kind), name), decode(agent), subject, server, run, decode(reason), at, by, then
            )
            for number, kind, name, agent, subject, server, run, reason, at, by, then in rows
        ]

    def deliver(self, scope: Scope, subject: str, agents: Sequence[str], run: str, at: float) -> int:
        names = json.dumps([encode(each) for each in agents])
        these = (
            "delivered_by IS NULL AND subject = ? AND ((kind = ? AND name = ?) "
            "OR agent IN (SELECT value FROM json_each(?)))"
        )
        values = (subject, scope.kind, scope.name, names)
        with self._database.transaction() as connection:
            query = f"SELECT count(DISTINCT run) FROM backlog WHERE {these}"  # noqa: S608  (a constant)
            (count,) = connection.execute(query, values).fetchone()
            connection.execute(
                f"UPDATE backlog SET delivered_by = ?, delivered_at = ? WHERE {these}",  # noqa: S608  (a constant)
                (run, at, *values),
            )
        return int(count)


class SqliteHandlers:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, scope: Scope, subject: str | None = None) -> Sequence[PendingHandler]:
        rows = self._database.rows(
            "SELECT subject, agent, verb, arguments, run FROM handlers WHERE kind = ? AND name = ? "
            "AND (? IS NULL OR subject = ?) ORDER BY rowid",
            scope.kind,
            scope.name,
            subject,
            subject,
        )
        return [
            PendingHandler(scope, name, decode(agent), verb, tuple(json.loads(arguments)), run)
            for name, agent, verb, arguments, run in rows
        ]

    def complete(self, handler: PendingHandler) -> None:
        arguments = json.dumps(handler.arguments)
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM handlers WHERE kind = ? AND name = ? AND subject = ? AND verb = ? AND arguments = ?",
                (handler.scope.kind, handler.scope.name, handler.subject, handler.verb, arguments),
            )


class SqliteResults:
    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, results: Sequence[LastResult]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO results (kind, name, subject, state, run, reason, at) VALUES (?,?,?,?,?,?,?)",
                (
                    (each.scope.kind, each.scope.name, each.subject, each.state, each.run, encode(each.reason), each.at)
                    for each in results
                ),
            )

    def of(self, scope: Scope) -> Sequence[LastResult]:
        rows = self._database.rows(
            "SELECT subject, state, run, reason, at FROM results WHERE kind = ? AND name = ? ORDER BY rowid",
            scope.kind,
            scope.name,
        )
        return [
            LastResult(scope, subject, MemberState(state), run, decode(why), at)
            for subject, state, run, why, at in rows
        ]
