"""Checks of servers, their history, and waivers."""

import json
import math
import sqlite3
import struct
from collections.abc import Mapping, Sequence

from multiall_cli.adapters.store.database import Database, decode, encode
from multiall_cli.domain.baseline import AHEAD, Code, HealthSummary
from multiall_cli.domain.health import DAY, HealthRecord, Sample, Transition, Waiver

SET_BACK = AHEAD  # seconds by which a check may be older than the saved one; more: the clock was set back
FORGETS = 60.0  # seconds between two times at which old health is deleted
RULESETS = 1000  # lists of rules whose numbers are remembered
_LARGEST = 3.4e38  # of what four bytes hold
# A day at a time, so that one check under a clock that is wrong does not delete all.
_FORGET = (
    "DELETE FROM check_samples WHERE at < min(?, (SELECT min(at) FROM check_samples) + ?)",
    "DELETE FROM transitions WHERE at < min(?, (SELECT min(at) FROM transitions) + ?)",
    "DELETE FROM health WHERE at < min(?, (SELECT min(at) FROM health) + ?)",
)


class SqliteHealth:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._rulesets: dict[tuple[str, ...], int] = {}
        self._forgotten = -math.inf  # up to when health was deleted last
        database.on_rollback.append(self._rulesets.clear)  # a failed transaction saved none of them

    def save_checks(self, records: Sequence[HealthRecord], before: float) -> None:
        with self._database.transaction(durable=False) as connection:
            connection.executemany(
                "INSERT INTO health VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET at = excluded.at, code = excluded.code, "
                "value = excluded.value WHERE excluded.at >= at OR at - excluded.at > ?",
                ((r.server, r.at, r.code, r.memory, SET_BACK) for r in records),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO check_samples VALUES (?,?,?,?)",
                ((r.server, r.at, self._ruleset(connection, r), _packed(r)) for r in records if any(r.samples.codes)),
            )
            connection.executemany(
                "INSERT INTO transitions (at, server, rule, before, after, shows) VALUES (?,?,?,?,?,?)",
                ((c.at, c.server, c.rule, c.before, c.after, encode(c.shows)) for r in records for c in r.changes),
            )
            if not 0 <= before - self._forgotten < FORGETS:
                for statement in _FORGET:
                    connection.execute(statement, (before, DAY))
                self._forgotten = before

    def _ruleset(self, connection: sqlite3.Connection, record: HealthRecord) -> int:
        """The number of the names of a look's rules: many looks share them."""
        names = record.samples.rules
        if names not in self._rulesets:
            told = json.dumps(names)
            connection.execute("INSERT INTO rulesets (rules) VALUES (?) ON CONFLICT DO NOTHING", (told,))
            (number,) = connection.execute("SELECT id FROM rulesets WHERE rules = ?", (told,)).fetchone()
            if len(self._rulesets) >= RULESETS:
                self._rulesets.clear()
            self._rulesets[names] = int(number)
        return self._rulesets[names]

    def servers(self, names: Sequence[str]) -> Mapping[str, bytes]:
        rows = self._database.rows(
            "SELECT server, value FROM health WHERE server IN (SELECT value FROM json_each(?))",
            json.dumps(list(names)),
        )
        return {server: bytes(value) for server, value in rows}

    def latest(self) -> Mapping[str, HealthSummary]:
        rows = self._database.rows("SELECT server, code, at FROM health")
        return {server: HealthSummary(Code.of(code), at) for server, code, at in rows}

    def samples(self, server: str, rule: str, since: float) -> Sequence[Sample]:
        rows = self._database.rows(
            "SELECT s.at, rulesets.rules, s.samples FROM check_samples AS s JOIN rulesets ON rulesets.id = s.rules "
            "WHERE server = ? AND s.at >= ? ORDER BY s.at",
            server,
            since,
        )
        found = (_sample_of(rule, at, json.loads(rules), bytes(packed)) for at, rules, packed in rows)
        return [each for each in found if each is not None]

    def transitions(self, limit: int, server: str | None = None, rule: str | None = None) -> Sequence[Transition]:
        rows = self._database.rows(
            "SELECT at, server, rule, before, after, shows FROM transitions "
            "WHERE (? IS NULL OR server = ?) AND (? IS NULL OR rule = ?) ORDER BY id DESC LIMIT ?",
            server,
            server,
            rule,
            rule,
            limit,
        )
        return [
            Transition(at, name, about, None if before is None else Code.of(before), Code.of(after), decode(shows))
            for at, name, about, before, after, shows in rows
        ]


class SqliteWaivers:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, waiver: Waiver) -> int:
        with self._database.transaction() as connection:
            return int(
                connection.execute(
                    "INSERT INTO waivers (rule, target, at, ends, who, because) VALUES (?,?,?,?,?,?)",
                    (waiver.rule, waiver.target, waiver.at, waiver.ends, encode(waiver.who), encode(waiver.because)),
                ).lastrowid
                or 0
            )

    def all(self, now: float | None = None) -> Sequence[Waiver]:
        rows = self._database.rows(
            "SELECT id, rule, target, at, ends, who, because FROM waivers WHERE ? IS NULL OR ends > ? ORDER BY id",
            now,
            now,
        )
        return [
            Waiver(rule, target, ends, decode(because), decode(who), at, number)
            for number, rule, target, at, ends, who, because in rows
        ]

    def revoke(self, number: int, now: float) -> Waiver | None:
        with self._database.transaction() as connection:
            found = next((each for each in self.all(now) if each.number == number), None)
            if found is not None:
                connection.execute("UPDATE waivers SET ends = ? WHERE id = ?", (now, number))
        return found


def _packed(record: HealthRecord) -> bytes:
    """Codes and values, six bytes a rule, in the order of the rules' names; NaN stands for no value."""
    codes = record.samples.codes
    values = [math.nan if each is None else max(-_LARGEST, min(_LARGEST, each)) for each in record.samples.values]
    return struct.pack(f"<{len(codes)}H{len(codes)}f", *codes, *values)


def _sample_of(rule: str, at: float, rules: Sequence[str], packed: bytes) -> Sample | None:
    """Return the result of a rule in one check; None if the check did not read it."""
    if rule not in rules:
        return None
    place, count = rules.index(rule), len(rules)
    (code,) = struct.unpack_from("<H", packed, 2 * place)
    (value,) = struct.unpack_from("<f", packed, 2 * count + 4 * place)
    return Sample(at, Code.of(code), None if math.isnan(value) else value) if code else None
