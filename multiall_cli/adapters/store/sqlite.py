"""The store in one SQLite file: journal, outbox, owed actions, agreed snapshots, cache."""

import json
import math
import os
import sqlite3
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from multiall_cli.adapters.locks import alone, pool_lock
from multiall_cli.adapters.trusted import check_folder, check_own, open_own
from multiall_cli.domain.baseline import AHEAD, Code, Latest
from multiall_cli.domain.errors import MultiAllError, UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.health import DAY, Change, HealthRecord, Sample, Waiver
from multiall_cli.domain.run import Entry, Holder, MemberState, OutboxEntry, OwedAction, Run, Stage, Standing
from multiall_cli.domain.topology import Downtime, Event, Evidence, Planned, Rung
from multiall_cli.planning.ahead import as_of, end_of, is_ahead

MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, verb TEXT NOT NULL, pool TEXT NOT NULL, targets TEXT NOT NULL, plan TEXT NOT NULL,
        who TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
        ended REAL, result INTEGER
    ) STRICT;
    CREATE INDEX runs_by_time ON runs (started);
    CREATE TABLE entries (
        run TEXT NOT NULL REFERENCES runs (id), server TEXT NOT NULL, agent TEXT NOT NULL, key TEXT NOT NULL,
        action TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, stage TEXT NOT NULL, detail TEXT NOT NULL,
        at REAL NOT NULL, PRIMARY KEY (run, server, agent, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX open_intents ON entries (server) WHERE stage = 'intent';
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, pool TEXT NOT NULL, server TEXT NOT NULL, run TEXT NOT NULL,
        reason TEXT NOT NULL, at REAL NOT NULL, delivered_by TEXT, delivered_at REAL, UNIQUE (pool, server, run)
    ) STRICT;
    CREATE TABLE owed (
        pool TEXT NOT NULL, server TEXT NOT NULL, agent TEXT NOT NULL, verb TEXT NOT NULL, arguments TEXT NOT NULL,
        run TEXT NOT NULL, PRIMARY KEY (pool, server, verb, arguments)
    ) STRICT;
    CREATE TABLE agreed (
        server TEXT NOT NULL, agent TEXT NOT NULL, snapshot BLOB NOT NULL, run TEXT NOT NULL,
        PRIMARY KEY (server, agent)
    ) STRICT;
    CREATE TABLE standings (
        pool TEXT NOT NULL, server TEXT NOT NULL, state TEXT NOT NULL, run TEXT NOT NULL, reason TEXT NOT NULL,
        at REAL NOT NULL, PRIMARY KEY (pool, server)
    ) STRICT;
    CREATE TABLE cache (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    """,
    """
    CREATE TABLE held (
        vantage TEXT NOT NULL, server TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (vantage, server)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE evidence (
        observer TEXT NOT NULL, target TEXT NOT NULL, rung INTEGER NOT NULL, at REAL NOT NULL, rtt REAL,
        trouble TEXT NOT NULL, lag REAL NOT NULL, PRIMARY KEY (observer, target)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, server TEXT NOT NULL, before TEXT NOT NULL,
        after TEXT NOT NULL, rule TEXT NOT NULL, words TEXT NOT NULL, cause TEXT NOT NULL, evidence TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_of_server ON events (server, id);
    CREATE TABLE planned (
        id INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, what TEXT NOT NULL, begins REAL NOT NULL,
        ends REAL NOT NULL, who TEXT NOT NULL, because TEXT NOT NULL
    ) STRICT;
    CREATE INDEX planned_by_end ON planned (ends);
    """,
    """
    CREATE TABLE health (
        server TEXT PRIMARY KEY, at REAL NOT NULL, code INTEGER NOT NULL, value BLOB NOT NULL
    ) STRICT;
    CREATE TABLE rulesets (id INTEGER PRIMARY KEY, rules TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE looks (
        server TEXT NOT NULL, at REAL NOT NULL, rules INTEGER NOT NULL REFERENCES rulesets (id), samples BLOB NOT NULL,
        PRIMARY KEY (server, at)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX looks_by_time ON looks (at);
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, server TEXT NOT NULL, rule TEXT NOT NULL,
        before INTEGER, after INTEGER NOT NULL, shows TEXT NOT NULL
    ) STRICT;
    CREATE INDEX turns_of_server ON turns (server, id);
    CREATE INDEX turns_by_time ON turns (at);
    CREATE TABLE waivers (
        id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, target TEXT NOT NULL, at REAL NOT NULL,
        ends REAL NOT NULL, who TEXT NOT NULL, because TEXT NOT NULL
    ) STRICT;
    CREATE INDEX waivers_by_end ON waivers (ends);
    """,
    """
    ALTER TABLE runs ADD COLUMN noticed REAL;
    CREATE INDEX runs_by_moment ON runs (coalesce(noticed, started));
    DROP INDEX runs_by_time;
    ALTER TABLE planned ADD COLUMN said REAL NOT NULL DEFAULT 0;
    """,
)
"""Each step takes the schema one version up; a step is never edited once it is released."""


SET_BACK = AHEAD  # seconds by which a sample may be older than the saved one; more: the clock was set back
OLD = 86400  # seconds after which a sample shows nothing of how things are
_LARGEST = 3.4e38  # of what four bytes hold
FORGETS = 60.0  # seconds between two times at which old health is forgotten
# A day at a time, so that one look under a clock that is wrong does not forget all.
_FORGET = (
    "DELETE FROM looks WHERE at < min(?, (SELECT min(at) FROM looks) + ?)",
    "DELETE FROM turns WHERE at < min(?, (SELECT min(at) FROM turns) + ?)",
    "DELETE FROM health WHERE at < min(?, (SELECT min(at) FROM health) + ?)",
)
_LATER = {
    "runs": "SELECT rowid, coalesce(noticed, started), 0 FROM runs WHERE coalesce(noticed, started) > ?",
    "evidence": "SELECT observer || char(0) || target, at, 0 FROM evidence WHERE at > ?",
    "standings": "SELECT rowid, at, 0 FROM standings WHERE at > ?",
    "outbox": "SELECT id, at, 0 FROM outbox WHERE at > ?",
    "waivers": "SELECT id, at, ends FROM waivers WHERE at > ?",
    "planned": "SELECT id, said, ends FROM planned WHERE said > ?",
}
"""table → its rows of a later time: a key, the time, and the end of a span that was counted from it."""
_COUNTS_AS = {
    "runs": "UPDATE runs SET noticed = ?1 WHERE rowid = ?3",
    "evidence": "UPDATE evidence SET at = ?1 WHERE observer || char(0) || target = ?3",
    "standings": "UPDATE standings SET at = ?1 WHERE rowid = ?3",
    "outbox": "UPDATE outbox SET at = ?1 WHERE id = ?3",
    "waivers": "UPDATE waivers SET at = ?1, ends = ?2 WHERE id = ?3",
    "planned": "UPDATE planned SET said = ?1 WHERE id = ?3",
}
"""table → what makes a row count as of ?1, its span end at ?2. A downtime ends when it was to end: early would harm."""
RULESETS = 1000  # lists of rules whose numbers are remembered
MOST_TOLD = 20  # samples that are kept with one event


def _encode(text: str) -> str:
    """SQLite holds UTF-8: bytes of file names that are none travel as JSON escapes, marked by a NUL before them."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "\0" + json.dumps(text)
    return "\0" + json.dumps(text) if text.startswith("\0") else text


def _decode(text: str) -> str:
    return str(json.loads(text[1:])) if text.startswith("\0") else text


MADE = "state.made"
"""Stands beside a store that was made: an empty file in its place is not a new store."""


def _must_be_sound(path: Path) -> None:
    """Errors: OSError; MultiAllError where a file of the store is not ours alone, or was emptied."""
    beside = [each for each in path.parent.iterdir() if each.name == MADE or each.suffix == ".lock"]
    for suffix in ("-wal", "-shm"):
        each = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):  # who closed the store last took it away
            check_own(each, each.lstat())
            beside.append(each)
    was_there = path.exists()
    handle = open_own(path)
    try:
        emptied = was_there and os.fstat(handle).st_size == 0 and beside
    finally:
        os.close(handle)
    if emptied:
        what = f"it is empty, and {beside[0].name} shows that there was a store: backlog, handlers and journal are gone"
        raise MultiAllError(str(path), what, "restore it, or remove it to begin anew without them")


class SqliteStore:
    """The store of a site. One connection, one thread at a time; locks are kernel file locks beside it."""

    def __init__(self, folder: Path) -> None:
        """Open or make the store in a folder (0700). Errors: MultiAllError where it cannot be opened."""
        self._folder = folder
        self._guard = threading.RLock()
        self._rulesets: dict[tuple[str, ...], int] = {}
        self._durable: bool | None = None
        self._forgotten = -math.inf  # up to when health was forgotten last
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            check_folder(folder)
            path = folder / "state.sqlite"
            with alone(folder):  # SQLite does not wait while another connection turns its journal to WAL
                _must_be_sound(path)
                self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
                self._prepare()
                os.close(open_own(folder / MADE))
        except (OSError, sqlite3.Error) as fault:
            raise MultiAllError(
                str(folder),
                f"the store cannot be opened ({fault})",
                "give it room and rights, or move it with `store:`",
            ) from None

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        self._settle(durable=True)
        run("PRAGMA foreign_keys = ON")
        with self._transaction():
            (version,) = run("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise MultiAllError(
                    str(self._folder),
                    f"the store has version {version}, this release knows up to {len(MIGRATIONS)}",
                    "use the newer release, or another `store:`",
                )
            for number, step in enumerate(MIGRATIONS[version:], version + 1):
                for statement in step.split(";"):
                    if statement.strip():
                        run(statement)
                run(f"PRAGMA user_version = {number}")

    def _settle(self, *, durable: bool) -> None:
        """Whether what is committed from now on outlives a power cut of the admin host; whole it is in any case."""
        if durable is not self._durable:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All or nothing; what fails is told as an error of the store. An intent must be `durable`; what can be looked
        at again need not be, and then no disk is waited for.
        """
        with self._guard:
            try:
                self._settle(durable=durable)
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    self._rulesets.clear()  # what was added is not there
                    if self._connection.in_transaction:  # on a full disk SQLite has rolled back by itself
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as fault:
                raise MultiAllError(
                    str(self._folder), f"the store failed ({fault})", "free its disk, check its rights, run again"
                ) from None

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._guard:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as fault:
                raise MultiAllError(
                    str(self._folder), f"the store cannot be read ({fault})", "restore it or remove it"
                ) from None

    # --- the clock --------------------------------------------------------------------------------------------

    def settle_clock(self, now: float) -> tuple[Sequence[float], Sequence[Planned]]:
        """Let what was stored under a clock that was ahead count as of now, from now on.

        Returns by how many seconds each time lay ahead, and the words of operators that have not begun though they were
        said under that clock. The journal keeps the times that were recorded.
        """
        found = {name: self._rows(query, now + AHEAD) for name, query in _LATER.items()}
        if not any(found.values()):
            return (), ()
        with self._transaction() as connection:
            for name, rows in found.items():
                values = [(as_of(at, now), end_of(end, at, now), key) for key, at, end in rows]
                connection.executemany(_COUNTS_AS[name], values)
        said = {key for key, _, _ in found["planned"]}
        late = [each for each in self.promised(now) if each.id in said and is_ahead(each.begins, now)]
        return [at - now for rows in found.values() for _, at, _ in rows], late

    # --- locks ------------------------------------------------------------------------------------------------

    def lock(self, pool: str, holder: Holder, wait: float) -> AbstractContextManager[None]:
        return pool_lock(self._folder, pool, holder, wait)

    # --- runs and journal -------------------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        values = (
            run.id,
            run.verb,
            run.pool,
            json.dumps(run.targets),
            run.plan,
            _encode(run.who),
            _encode(run.host),
            run.pid,
            run.started,
        )
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO runs (id, verb, pool, targets, plan, who, host, pid, started) VALUES (?,?,?,?,?,?,?,?,?)",
                values,
            )

    def end(self, run: str, result: int, at: float) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE runs SET ended = ?, result = ? WHERE id = ?", (at, result, run))

    def intend(self, entries: Sequence[Entry], owed: Sequence[OwedAction]) -> None:
        with self._transaction() as connection:
            connection.executemany("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?)", map(_entry_row, entries))
            connection.executemany(
                "INSERT INTO owed VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET run = excluded.run",
                ((o.pool, o.server, _encode(o.agent), o.verb, json.dumps(o.arguments), o.run) for o in owed),
            )

    def record(self, entries: Sequence[Entry]) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE entries SET stage = ?, detail = ?, at = ? "
                "WHERE run = ? AND server = ? AND agent = ? AND key = ?",
                ((e.stage, _encode(e.detail), e.at, *_place_of(e)) for e in entries),
            )
            connection.executemany(
                "UPDATE entries SET action = ?, before = ?, after = ? "
                "WHERE run = ? AND server = ? AND agent = ? AND key = ?",
                (
                    (e.action, _encode(e.before), _encode(e.after), *_place_of(e))
                    for e in entries
                    if e.before or e.after
                ),
            )

    def settle(self, pool: str, server: str, agents: Sequence[str], at: float) -> int:
        with self._transaction() as connection:
            return connection.execute(
                "UPDATE entries SET stage = 'settled', at = ?, detail = 'a later run found it as wanted or made it so' "
                "WHERE stage = 'intent' AND server = ? AND run IN (SELECT id FROM runs WHERE pool = ?) "
                "AND agent IN (SELECT value FROM json_each(?))",
                (at, server, pool, json.dumps([_encode(agent) for agent in agents])),
            ).rowcount

    def runs(self, limit: int, pool: str | None = None) -> Sequence[Run]:
        rows = self._rows(
            "SELECT * FROM runs WHERE ? IS NULL OR pool = ? "
            "ORDER BY coalesce(noticed, started) DESC, rowid DESC LIMIT ?",
            pool,
            pool,
            limit,
        )
        return [_run(row) for row in rows]

    def run(self, run_id: str) -> Run | None:
        rows = self._rows("SELECT * FROM runs WHERE substr(id, 1, ?) = ? LIMIT 2", len(run_id), run_id)
        exact = [row for row in rows if row[0] == run_id] or rows
        if len(exact) > 1:
            raise UsageError(run_id, "several runs begin so", "give more of the id; `multiall journal list` shows them")
        return _run(exact[0]) if exact else None

    def entries(self, run_id: str, stage: Stage | None = None) -> Sequence[Entry]:
        rows = self._rows("SELECT * FROM entries WHERE run = ? AND (? IS NULL OR stage = ?)", run_id, stage, stage)
        return [_entry(row) for row in rows]

    def pending(self, pool: str | None = None) -> Sequence[Entry]:
        rows = self._rows(
            "SELECT entries.* FROM entries JOIN runs ON runs.id = entries.run "
            "WHERE stage = 'intent' AND (? IS NULL OR pool = ?) ORDER BY at",
            pool,
            pool,
        )
        return [_entry(row) for row in rows]

    # --- what members missed ----------------------------------------------------------------------------------

    def defer(self, pool: str, server: str, run: str, reason: str, at: float) -> None:
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO outbox (pool, server, run, reason, at) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
                (pool, server, run, _encode(reason), at),
            )

    def outbox(self, pool: str | None = None, *, delivered: bool = False) -> Sequence[OutboxEntry]:
        rows = self._rows(
            "SELECT * FROM outbox WHERE (? IS NULL OR pool = ?) AND (delivered_by IS NOT NULL) = ? ORDER BY id",
            pool,
            pool,
            delivered,
        )
        return [
            OutboxEntry(number, pool_, server, run, _decode(reason), at, by, delivered_at)
            for number, pool_, server, run, reason, at, by, delivered_at in rows
        ]

    def deliver(self, pool: str, server: str, run: str, at: float) -> int:
        with self._transaction() as connection:
            return connection.execute(
                "UPDATE outbox SET delivered_by = ?, delivered_at = ? "
                "WHERE pool = ? AND server = ? AND delivered_by IS NULL",
                (run, at, pool, server),
            ).rowcount

    def owed(self, pool: str, server: str | None = None) -> Sequence[OwedAction]:
        rows = self._rows(
            "SELECT * FROM owed WHERE pool = ? AND (? IS NULL OR server = ?) ORDER BY rowid", pool, server, server
        )
        return [
            OwedAction(pool_, server_, _decode(agent), verb, tuple(json.loads(arguments)), run)
            for pool_, server_, agent, verb, arguments, run in rows
        ]

    def paid(self, owed: OwedAction) -> None:
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM owed WHERE pool = ? AND server = ? AND verb = ? AND arguments = ?",
                (owed.pool, owed.server, owed.verb, json.dumps(owed.arguments)),
            )

    def stand(self, standings: Sequence[Standing]) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO standings VALUES (?,?,?,?,?,?)",
                ((s.pool, s.server, s.state, s.run, _encode(s.reason), s.at) for s in standings),
            )

    def standings(self, pool: str) -> Sequence[Standing]:
        rows = self._rows("SELECT pool, server, state, run, reason, at FROM standings WHERE pool = ?", pool)
        return [
            Standing(pool, server, MemberState(state), run, _decode(why), at)
            for pool, server, state, run, why, at in rows
        ]

    # --- topology ---------------------------------------------------------------------------------------------

    def remember(
        self, vantage: str, servers: Mapping[str, bytes], evidence: Sequence[Evidence], events: Sequence[Event]
    ) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO held VALUES (?,?,?)", ((vantage, name, kept) for name, kept in servers.items())
            )
            connection.executemany(
                "INSERT INTO evidence VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET rung = excluded.rung, "
                "at = excluded.at, rtt = excluded.rtt, trouble = excluded.trouble, lag = excluded.lag "
                "WHERE (excluded.at, excluded.rung) > (at, rung) OR at - excluded.at > ?",
                ((*_sample(each), SET_BACK) for each in evidence),
            )
            newest = max((each.at for each in evidence), default=0.0)
            connection.execute("DELETE FROM evidence WHERE at < ?", (newest - OLD,))
            connection.executemany(
                "INSERT INTO events (at, server, before, after, rule, words, cause, evidence) VALUES (?,?,?,?,?,?,?,?)",
                (
                    (e.at, e.server, e.before, e.after, e.rule, _encode(e.words), e.cause, _samples(e.evidence))
                    for e in events
                ),
            )

    def remembered(self, vantage: str) -> Mapping[str, bytes]:
        rows = self._rows("SELECT server, value FROM held WHERE vantage = ?", vantage)
        return {server: bytes(value) for server, value in rows}

    def vantages(self) -> Sequence[str]:
        return [str(name) for (name,) in self._rows("SELECT DISTINCT vantage FROM held ORDER BY vantage")]

    def evidence(self) -> Sequence[Evidence]:
        rows = self._rows("SELECT observer, target, rung, at, rtt, trouble, lag FROM evidence")
        return [_evidence(row) for row in rows]

    def events(self, limit: int, server: str | None = None, until: float | None = None) -> Sequence[Event]:
        rows = self._rows(
            "SELECT id, at, server, before, after, rule, words, cause, evidence FROM events "
            "WHERE (? IS NULL OR server IN (?, '')) AND (? IS NULL OR at <= ?) ORDER BY id DESC LIMIT ?",
            server,
            server,
            until,
            until,
            limit,
        )
        return [
            Event(at, name, before, after, rule, _decode(words), cause, tuple(map(_evidence, json.loads(told))), number)
            for number, at, name, before, after, rule, words, cause, told in rows
        ]

    def promise(self, planned: Planned) -> None:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE planned SET ends = min(ends, ?) WHERE server = ? AND what = ? AND ends > ? AND begins < ?",
                (max(planned.begins, planned.said), planned.server, planned.what, planned.begins, planned.ends),
            )
            connection.execute(
                "INSERT INTO planned (server, what, begins, ends, who, because, said) VALUES (?,?,?,?,?,?,?)",
                (
                    planned.server,
                    planned.what,
                    planned.begins,
                    planned.ends,
                    _encode(planned.who),
                    _encode(planned.because),
                    planned.said,
                ),
            )

    def withdraw(self, server: str, now: float) -> Sequence[Planned]:
        with self._transaction() as connection:
            ended = [each for each in self.promised(now) if each.server == server]
            connection.execute(
                "UPDATE planned SET ends = ?, begins = min(begins, ?) WHERE server = ? AND ends > ?",
                (now, now, server, now),
            )
        return ended

    def promised(self, now: float | None = None) -> Sequence[Planned]:
        rows = self._rows(
            "SELECT id, server, what, begins, ends, who, because, said FROM planned "
            "WHERE ? IS NULL OR ends > ? ORDER BY server, begins, id",
            now,
            now,
        )
        return [
            Planned(server, Downtime(what), begins, ends, _decode(who), _decode(because), number, said=said)
            for number, server, what, begins, ends, who, because, said in rows
        ]

    # --- health -----------------------------------------------------------------------------------------------

    def note_health(self, records: Sequence[HealthRecord], before: float) -> None:
        with self._transaction(durable=False) as connection:
            connection.executemany(
                "INSERT INTO health VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET at = excluded.at, code = excluded.code, "
                "value = excluded.value WHERE excluded.at >= at OR at - excluded.at > ?",
                ((r.server, r.at, r.code, r.memory, SET_BACK) for r in records),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO looks VALUES (?,?,?,?)",
                ((r.server, r.at, self._ruleset(r), _packed(r)) for r in records if any(r.samples.codes)),
            )
            connection.executemany(
                "INSERT INTO turns (at, server, rule, before, after, shows) VALUES (?,?,?,?,?,?)",
                ((c.at, c.server, c.rule, c.before, c.after, _encode(c.shows)) for r in records for c in r.changes),
            )
            if not 0 <= before - self._forgotten < FORGETS:
                for statement in _FORGET:
                    connection.execute(statement, (before, DAY))
                self._forgotten = before

    def _ruleset(self, record: HealthRecord) -> int:
        """The number of the names of a look's rules: many looks share them."""
        names = record.samples.rules
        if names not in self._rulesets:
            told = json.dumps(names)
            self._connection.execute("INSERT INTO rulesets (rules) VALUES (?) ON CONFLICT DO NOTHING", (told,))
            (number,) = self._connection.execute("SELECT id FROM rulesets WHERE rules = ?", (told,)).fetchone()
            if len(self._rulesets) >= RULESETS:
                self._rulesets.clear()
            self._rulesets[names] = int(number)
        return self._rulesets[names]

    def health(self, servers: Sequence[str]) -> Mapping[str, bytes]:
        rows = self._rows(
            "SELECT server, value FROM health WHERE server IN (SELECT value FROM json_each(?))",
            json.dumps(list(servers)),
        )
        return {server: bytes(value) for server, value in rows}

    def latest_health(self) -> Mapping[str, Latest]:
        rows = self._rows("SELECT server, code, at FROM health")
        return {server: Latest(Code.of(code), at) for server, code, at in rows}

    def samples(self, server: str, rule: str, since: float) -> Sequence[Sample]:
        rows = self._rows(
            "SELECT looks.at, rulesets.rules, looks.samples FROM looks JOIN rulesets ON rulesets.id = looks.rules "
            "WHERE server = ? AND looks.at >= ? ORDER BY looks.at",
            server,
            since,
        )
        found = (_sample_of(rule, at, json.loads(rules), bytes(packed)) for at, rules, packed in rows)
        return [each for each in found if each is not None]

    def changes(self, limit: int, server: str | None = None, rule: str | None = None) -> Sequence[Change]:
        rows = self._rows(
            "SELECT at, server, rule, before, after, shows FROM turns "
            "WHERE (? IS NULL OR server = ?) AND (? IS NULL OR rule = ?) ORDER BY id DESC LIMIT ?",
            server,
            server,
            rule,
            rule,
            limit,
        )
        return [
            Change(at, name, about, None if before is None else Code.of(before), Code.of(after), _decode(shows))
            for at, name, about, before, after, shows in rows
        ]

    def waive(self, waiver: Waiver) -> int:
        with self._transaction() as connection:
            return int(
                connection.execute(
                    "INSERT INTO waivers (rule, target, at, ends, who, because) VALUES (?,?,?,?,?,?)",
                    (waiver.rule, waiver.target, waiver.at, waiver.ends, _encode(waiver.who), _encode(waiver.because)),
                ).lastrowid
                or 0
            )

    def waivers(self, now: float | None = None) -> Sequence[Waiver]:
        rows = self._rows(
            "SELECT id, rule, target, at, ends, who, because FROM waivers WHERE ? IS NULL OR ends > ? ORDER BY id",
            now,
            now,
        )
        return [
            Waiver(rule, target, ends, _decode(because), _decode(who), at, number)
            for number, rule, target, at, ends, who, because in rows
        ]

    def revoke(self, number: int, now: float) -> Waiver | None:
        with self._transaction() as connection:
            found = next((each for each in self.waivers(now) if each.number == number), None)
            if found is not None:
                connection.execute("UPDATE waivers SET ends = ? WHERE id = ?", (now, number))
        return found

    # --- snapshots and cache ----------------------------------------------------------------------------------

    def agreed(self, server: str, agent: str) -> bytes | None:
        rows = self._rows("SELECT snapshot FROM agreed WHERE server = ? AND agent = ?", server, _encode(agent))
        return bytes(rows[0][0]) if rows else None

    def agree(self, server: str, agent: str, snapshot: bytes, run: str) -> None:
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO agreed VALUES (?,?,?,?) "
                "ON CONFLICT DO UPDATE SET snapshot = excluded.snapshot, run = excluded.run",
                (server, _encode(agent), snapshot, run),
            )

    def cached(self, key: str) -> bytes | None:
        rows = self._rows("SELECT value FROM cache WHERE key = ?", _encode(key))
        return bytes(rows[0][0]) if rows else None

    def keep(self, key: str, value: bytes) -> None:
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO cache VALUES (?,?) ON CONFLICT DO UPDATE SET value = excluded.value", (_encode(key), value)
            )

    def close(self) -> None:
        with self._guard:
            self._connection.close()


def _packed(record: HealthRecord) -> bytes:
    """Codes and values, six bytes a rule, in the order of the rules' names; NaN stands for no value."""
    codes = record.samples.codes
    values = [math.nan if each is None else max(-_LARGEST, min(_LARGEST, each)) for each in record.samples.values]
    return struct.pack(f"<{len(codes)}H{len(codes)}f", *codes, *values)


def _sample_of(rule: str, at: float, rules: Sequence[str], packed: bytes) -> Sample | None:
    """What one look says of a rule; None where it was not read then."""
    if rule not in rules:
        return None
    place, count = rules.index(rule), len(rules)
    (code,) = struct.unpack_from("<H", packed, 2 * place)
    (value,) = struct.unpack_from("<f", packed, 2 * count + 4 * place)
    return Sample(at, Code.of(code), None if math.isnan(value) else value) if code else None


def _sample(e: Evidence) -> tuple[object, ...]:
    return (e.observer, e.target, int(e.rung), e.at, e.rtt, _encode(e.trouble), e.lag)


def _samples(evidence: Sequence[Evidence]) -> str:
    return json.dumps([_sample(each) for each in evidence[:MOST_TOLD]])


def _evidence(row: Sequence[Any]) -> Evidence:
    observer, target, rung, at, rtt, trouble, lag = row
    return Evidence(observer, target, Rung(rung), at, rtt, _decode(trouble), lag)


def _place_of(e: Entry) -> tuple[str, str, str, str]:
    return (e.run, e.server, _encode(e.agent), _encode(e.key))


def _entry_row(e: Entry) -> tuple[object, ...]:
    before, after = _encode(e.before), _encode(e.after)
    agent, key, detail = _encode(e.agent), _encode(e.key), _encode(e.detail)
    return (e.run, e.server, agent, key, e.action, before, after, e.stage, detail, e.at)


def _entry(row: Sequence[Any]) -> Entry:
    run, server, agent, key, action, before, after, stage, detail, at = row
    return Entry(
        run=run,
        server=server,
        agent=_decode(agent),
        key=_decode(key),
        action=action,
        before=_decode(before),
        after=_decode(after),
        stage=Stage(stage),
        detail=_decode(detail),
        at=at,
    )


def _run(row: Sequence[Any]) -> Run:
    run_id, verb, pool, targets, plan, who, host, pid, started, ended, result, noticed = row
    outcome = None if result is None else Exit(result)
    moved = 0.0 if noticed is None else started - noticed  # its start lay ahead of the clock when it was looked at
    began, end = started - moved, None if ended is None else max(ended - moved, started - moved)
    return Run(
        run_id, verb, pool, tuple(json.loads(targets)), plan, _decode(who), _decode(host), pid, began, end, outcome
    )
