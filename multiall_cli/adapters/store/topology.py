"""Downtimes, and what scans saw."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from multiall_cli.adapters.store.database import Database, decode, encode
from multiall_cli.domain.baseline import AHEAD
from multiall_cli.domain.topology import Downtime, DowntimeKind, Event, Evidence, ProbeLevel

SET_BACK = AHEAD  # seconds by which a sample may be older than the saved one; more: the clock was set back
OLD = 86400  # seconds after which a sample shows nothing of how things are
MOST_SAMPLES = 20  # samples that are saved with one event


class SqliteDowntimes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, planned: Downtime) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE downtimes SET ends = min(ends, ?) WHERE server = ? AND what = ? AND ends > ? AND begins < ?",
                (max(planned.begins, planned.said), planned.server, planned.what, planned.begins, planned.ends),
            )
            connection.execute(
                "INSERT INTO downtimes (server, what, begins, ends, who, because, said) VALUES (?,?,?,?,?,?,?)",
                (
                    planned.server,
                    planned.what,
                    planned.begins,
                    planned.ends,
                    encode(planned.who),
                    encode(planned.because),
                    planned.said,
                ),
            )

    def end(self, server: str, now: float) -> Sequence[Downtime]:
        with self._database.transaction() as connection:
            ended = [each for each in self.all(now) if each.server == server]
            connection.execute(
                "UPDATE downtimes SET ends = ?, begins = min(begins, ?) WHERE server = ? AND ends > ?",
                (now, now, server, now),
            )
        return ended

    def all(self, now: float | None = None) -> Sequence[Downtime]:
        rows = self._database.rows(
            "SELECT id, server, what, begins, ends, who, because, said FROM downtimes "
            "WHERE ? IS NULL OR ends > ? ORDER BY server, begins, id",
            now,
            now,
        )
        return [
            Downtime(server, DowntimeKind(what), begins, ends, decode(who), decode(because), number, said=said)
            for number, server, what, begins, ends, who, because, said in rows
        ]


class SqliteTopology:
    def __init__(self, database: Database) -> None:
        self._database = database

    def save_round(
        self, vantage: str, servers: Mapping[str, bytes], evidence: Sequence[Evidence], events: Sequence[Event]
    ) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO server_states VALUES (?,?,?)",
                ((vantage, name, kept) for name, kept in servers.items()),
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
                    (e.at, e.server, e.before, e.after, e.rule, encode(e.words), e.cause, _samples(e.evidence))
                    for e in events
                ),
            )

    def servers(self, vantage: str) -> Mapping[str, bytes]:
        rows = self._database.rows("SELECT server, value FROM server_states WHERE vantage = ?", vantage)
        return {server: bytes(value) for server, value in rows}

    def vantages(self) -> Sequence[str]:
        return [
            str(name) for (name,) in self._database.rows("SELECT DISTINCT vantage FROM server_states ORDER BY vantage")
        ]

    def evidence(self) -> Sequence[Evidence]:
        rows = self._database.rows("SELECT observer, target, rung, at, rtt, trouble, lag FROM evidence")
        return [_evidence(row) for row in rows]

    def events(self, limit: int, server: str | None = None, until: float | None = None) -> Sequence[Event]:
        rows = self._database.rows(
            "SELECT id, at, server, before, after, rule, words, cause, evidence FROM events "
            "WHERE (? IS NULL OR server IN (?, '')) AND (? IS NULL OR at <= ?) ORDER BY id DESC LIMIT ?",
            server,
            server,
            until,
            until,
            limit,
        )
        return [
            Event(at, name, before, after, rule, decode(words), cause, tuple(map(_evidence, json.loads(told))), number)
            for number, at, name, before, after, rule, words, cause, told in rows
        ]


def _sample(e: Evidence) -> tuple[object, ...]:
    return (e.observer, e.target, int(e.rung), e.at, e.rtt, encode(e.trouble), e.lag)


def _samples(evidence: Sequence[Evidence]) -> str:
    return json.dumps([_sample(each) for each in evidence[:MOST_SAMPLES]])


def _evidence(row: Sequence[Any]) -> Evidence:
    observer, target, rung, at, rtt, trouble, lag = row
    return Evidence(observer, target, ProbeLevel(rung), at, rtt, decode(trouble), lag)
