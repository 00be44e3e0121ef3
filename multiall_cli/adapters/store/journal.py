"""Journal: runs and their entries."""

import json
from collections.abc import Sequence
from typing import Any

from multiall_cli.adapters.store.database import Database, decode, encode
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.run import Entry, PendingHandler, Run, SavedState, Stage
from multiall_cli.domain.scope import Purpose, Scope, ScopeKind

_ENTRY = "run, agent, subject, server, key, action, before, after, stage, detail, at, purpose, turn"
_THIS_ENTRY = "WHERE run = ? AND agent = ? AND subject = ? AND key = ? AND turn = ?"
_RUN = """
    SELECT id, verb, targets, plan, who, host, pid, started, ended, result, noticed,
        (SELECT json_group_array(json_array(kind, name)) FROM (
            SELECT kind, name FROM run_scopes WHERE run_scopes.run = runs.id ORDER BY place, kind, name
        ))
    FROM runs
"""
_NEWEST = "ORDER BY coalesce(noticed, started) DESC, runs.rowid DESC LIMIT ?"


class SqliteJournal:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: Run) -> None:
        who, host = encode(run.who), encode(run.host)
        values = (run.id, run.verb, json.dumps(run.targets), run.plan, who, host, run.pid, run.started)
        scopes = [(run.id, each.kind, each.name, place) for place, each in enumerate(run.scopes)]
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO runs (id, verb, targets, plan, who, host, pid, started) VALUES (?,?,?,?,?,?,?,?)", values
            )
            connection.executemany("INSERT INTO run_scopes (run, kind, name, place) VALUES (?,?,?,?)", scopes)

    def add_scope(self, run: str, scope: Scope) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO run_scopes (run, kind, name, place) "
                "SELECT ?1, ?2, ?3, count(*) FROM run_scopes WHERE run = ?1 ON CONFLICT DO NOTHING",
                (run, scope.kind, scope.name),
            )

    def end(self, run: str, result: int, at: float) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE runs SET ended = ?, result = ? WHERE id = ?", (at, result, run))

    def intend(
        self, entries: Sequence[Entry], handlers: Sequence[PendingHandler] = (), states: Sequence[SavedState] = ()
    ) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                f"INSERT INTO entries ({_ENTRY}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608  (a constant)
                map(_entry_row, entries),
            )
            connection.executemany(
                "INSERT INTO handlers (kind, name, subject, agent, verb, arguments, run) VALUES (?,?,?,?,?,?,?) "
                "ON CONFLICT DO UPDATE SET run = excluded.run",
                map(_handler_row, handlers),
            )
            connection.executemany(SAVE_STATE, [state_row(each, "") for each in states])

    def record(self, entries: Sequence[Entry]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                f"UPDATE entries SET stage = ?, detail = ?, at = ? {_THIS_ENTRY}",  # noqa: S608  (a constant)
                ((each.stage, encode(each.detail), each.at, *_key(each)) for each in entries),
            )
            connection.executemany(
                f"UPDATE entries SET action = ?, before = ?, after = ? {_THIS_ENTRY}",  # noqa: S608  (a constant)
                (
                    (each.action, encode(each.before), encode(each.after), *_key(each))
                    for each in entries
                    if each.before or each.after
                ),
            )

    def settle(self, scope: Scope, subject: str, agents: Sequence[str], at: float) -> int:
        with self._database.transaction() as connection:
            return connection.execute(
                "UPDATE entries SET stage = 'settled', at = ?, detail = 'a later run found it as wanted or made it so' "
                "WHERE stage = 'intent' AND subject = ? AND (agent IN (SELECT value FROM json_each(?)) "
                "OR run IN (SELECT run FROM run_scopes WHERE kind = ? AND name = ? AND place = 0))",
                (at, subject, json.dumps([encode(agent) for agent in agents]), scope.kind, scope.name),
            ).rowcount

    def runs(self, limit: int, scope: Scope | None = None) -> Sequence[Run]:
        if scope is None:
            rows = self._database.rows(f"{_RUN} {_NEWEST}", limit)
        else:
            only = "WHERE id IN (SELECT run FROM run_scopes WHERE kind = ? AND name = ?)"
            rows = self._database.rows(f"{_RUN} {only} {_NEWEST}", scope.kind, scope.name, limit)
        return [_run(row) for row in rows]

    def run(self, run_id: str) -> Run | None:
        rows = self._database.rows(f"{_RUN} WHERE substr(id, 1, ?) = ? LIMIT 2", len(run_id), run_id)
        exact = [row for row in rows if row[0] == run_id] or rows
        if len(exact) > 1:
            raise UsageError(run_id, "several runs begin so", "give more of the id; `multiall journal list` shows them")
        return _run(exact[0]) if exact else None

    def entries(self, run_id: str, stage: Stage | None = None) -> Sequence[Entry]:
        query = f"SELECT {_ENTRY} FROM entries WHERE run = ? AND (? IS NULL OR stage = ?)"  # noqa: S608  (a constant)
        return [_entry(row) for row in self._database.rows(query, run_id, stage, stage)]

    def recent(self, agent: str, since: float) -> Sequence[Entry]:
        """Times that lay ahead of the clock count as those of their run: as of the moment they were noticed."""
        columns = ", ".join("moved AS at" if each == "at" else each for each in _ENTRY.split(", "))
        query = (
            f"SELECT {columns} FROM ("  # noqa: S608  (constants)
            "SELECT entries.*, at - coalesce(started - noticed, 0) AS moved FROM entries "
            "JOIN runs ON runs.id = entries.run WHERE agent = ? AND at >= ?) WHERE moved >= ? ORDER BY moved"
        )
        return [_entry(row) for row in self._database.rows(query, encode(agent), since, since)]

    def pending(self, scope: Scope | None = None) -> Sequence[Entry]:
        kind, name = (scope.kind, scope.name) if scope else (None, None)
        query = (
            f"SELECT {_ENTRY} FROM entries WHERE stage = 'intent' AND (? IS NULL "  # noqa: S608  (a constant)
            "OR run IN (SELECT run FROM run_scopes WHERE kind = ? AND name = ?)) ORDER BY at"
        )
        return [_entry(row) for row in self._database.rows(query, kind, kind, name)]


SAVE_STATE = (
    "INSERT INTO agent_states (agent, subject, part, value, run) VALUES (?,?,?,?,?) "
    "ON CONFLICT DO UPDATE SET value = excluded.value, run = excluded.run"
)


def state_row(state: SavedState, run: str) -> tuple[object, ...]:
    return (encode(state.agent), encode(state.subject), encode(state.part), state.value, run)


def _handler_row(handler: PendingHandler) -> tuple[object, ...]:
    scope, arguments = handler.scope, json.dumps(handler.arguments)
    return (scope.kind, scope.name, handler.subject, encode(handler.agent), handler.verb, arguments, handler.run)


def _key(entry: Entry) -> tuple[str, str, str, str, int]:
    return (entry.run, encode(entry.agent), entry.subject, encode(entry.key), entry.turn)


def _entry_row(entry: Entry) -> tuple[object, ...]:
    words = map(encode, (entry.before, entry.after))
    run, agent, subject, key, turn = _key(entry)
    details = (entry.stage, encode(entry.detail), entry.at, entry.purpose, turn)
    return (run, agent, subject, entry.server, key, entry.action, *words, *details)


def _entry(row: Sequence[Any]) -> Entry:
    run, agent, subject, server, key, action, before, after, stage, detail, at, purpose, turn = row
    return Entry(
        run=run,
        agent=decode(agent),
        subject=subject,
        server=server,
        key=decode(key),
        action=action,
        before=decode(before),
        after=decode(after),
        stage=Stage(stage),
        detail=decode(detail),
        at=at,
        purpose=Purpose(purpose),
        turn=turn,
    )


def _run(row: Sequence[Any]) -> Run:
    run_id, verb, targets, plan, who, host, pid, started, ended, result, noticed, scopes = row
    outcome = None if result is None else Exit(result)
    moved = 0.0 if noticed is None else started - noticed  # its start lay ahead of the clock when it was looked at
    began, end = started - moved, None if ended is None else max(ended - moved, started - moved)
    return Run(
        run_id,
        verb,
        tuple(Scope(ScopeKind(kind), name) for kind, name in json.loads(scopes)),
        tuple(json.loads(targets)),
        plan,
        decode(who),
        decode(host),
        pid,
        began,
        end,
        outcome,
    )
