"""The admin host's clock was ahead for a while, and is right again; or it is set back."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.agents.zones.state import DEPARTURES, pack_retired
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.health import Waiver
from multiall_cli.domain.records import RetiredRecord
from multiall_cli.domain.run import Entry, Run, SavedState, Stage
from multiall_cli.domain.scope import Scope, pool_scope, zone_scope
from multiall_cli.domain.topology import Downtime, DowntimeKind, Evidence, ProbeLevel
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.engine.observe import recent_entries
from multiall_cli.fleet import Fleet
from multiall_cli.fleet.zone_queries import retired_records
from tests.fixtures.desk import Done, called

LEAD = 7200.0
ZONE = Zone("a.test.", NameServer("ns1", "127.0.0.1"))
AGENT = "zones:a.test"


@dataclass
class Site:
    """A site of two servers that no one asks, and its store."""

    folder: Path
    store: SqliteStore

    def call(self, *words: str) -> Done:
        return called(["--site", str(self.folder), *words])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "inventory").mkdir()
    servers = "servers:\n  web[1-2]: {address: '192.0.2.[1-2]'}\npools:\n  web: {members: 'web[1-2]'}\n"
    (tmp_path / "inventory" / "a.yaml").write_text(servers)
    (tmp_path / "multiall.yaml").write_text("store: ./state\n")
    store = SqliteStore(tmp_path / "state")
    yield Site(tmp_path, store)
    store.close()


WEB = pool_scope("web")


def _run(number: int, started: float, scope: Scope = WEB) -> Run:
    return Run(f"r{number}", "sync", (scope,), ("web1",), "id", "ann", "here", 1, started)


def test_the_journal_is_led_by_the_newest_run_and_reports_the_clock_once(site: Site) -> None:
    now = time.time()
    for number, started in enumerate((now - 50, now + LEAD)):
        site.store.journal.begin(_run(number, started))
        site.store.journal.end(f"r{number}", Exit.OK, started + 3)
    first = site.call("journal", "list", "-o", "name")
    assert first.err.startswith("clock: 1 stored time is 2 h later than the clock of this host, and count")
    site.store.journal.begin(_run(2, time.time()))
    again = site.call("journal", "list", "-o", "name")
    assert (again.out.split(), again.err) == (["r2", "r1", "r0"], "")
    moved = site.store.journal.runs(3)[1]
    assert now <= moved.started <= time.time()
    assert moved.ended is not None
    assert moved.ended - moved.started == pytest.approx(3)
    with sqlite3.connect(site.folder / "state" / "state.sqlite") as raw:
        assert raw.execute("SELECT started FROM runs WHERE id = 'r1'").fetchone() == (now + LEAD,), "the record stays"


@dataclass
class Fixed:
    """A clock that shows one time."""

    at: float

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def test_the_hour_of_a_brake_begins_when_the_clock_is_right_again(site: Site) -> None:
    """It does not stay closed for as long as the clock was ahead."""
    now = time.time()
    site.store.journal.begin(_run(1, now + LEAD, zone_scope(ZONE.shown)))
    words = ("www.a.test. A", "delete", "30 192.0.2.1", "", Stage.DONE, "")
    site.store.journal.intend([Entry("r1", AGENT, ZONE.shown, "ns1", *words, now + LEAD)])
    site.store.settle_clock(now)
    with Fleet.load(str(site.folder)) as fleet:
        world = fleet.context
        seen = []
        for at in (now + 10, now + 3601):
            site.store.settle_clock(at)
            entries = recent_entries(replace(world, clock=Fixed(at)), AGENT)()
            seen.append([each.key for each in entries])
    assert seen == [["www.a.test. A"], []]


def test_clients_are_waited_for_from_now_on(site: Site) -> None:
    now = time.time()
    retired = RetiredRecord(("www.a.test.", "A"), "192.0.2.1", now + LEAD + 30, noted=now + LEAD)
    site.store.states.put([SavedState(AGENT, ZONE.shown, pack_retired([retired]), DEPARTURES)])
    assert [each.until for each in retired_records(site.store, ZONE, now)] == [pytest.approx(now + 30)]
    assert [each.until for each in retired_records(site.store, ZONE, now + 20)] == [pytest.approx(now + 30)], "not anew"


def test_a_drain_holds_though_the_clock_is_set_back(site: Site) -> None:
    """What is ordered without --from holds from the beginning of time."""
    for verb in ("drain", "maintenance"):
        assert site.call("topology", verb, "web1", "--for", "1h", "--because", "kernel").exit == 0
    assert site.call("topology", "pin", "web2", "down", "--for", "1h", "--because", "disk").exit == 0
    before = time.time() - 86400
    assert [each.holds(before) for each in site.store.downtimes.all(before)] == [True, True, True]
    assert all(each.ends > time.time() + 3500 for each in site.store.downtimes.all(before))


def test_a_newer_word_takes_the_place_of_an_older_one(site: Site) -> None:
    for because in ("kernel", "disk"):
        assert site.call("topology", "drain", "web1", "--for", "1h", "--because", because).exit == 0
    assert [each.because for each in site.store.downtimes.all(time.time())] == ["disk"]
    assert site.call("topology", "undrain", "web1").exit == 0
    assert site.store.downtimes.all(time.time()) == []


def test_what_begins_later_and_was_said_under_another_clock_is_reported(site: Site) -> None:
    now = time.time()
    begins, ends = now + LEAD / 2, now + LEAD * 2
    site.store.downtimes.set(Downtime("web1", DowntimeKind.DRAIN, begins, ends, "ann", "kernel", said=now + LEAD))
    site.store.downtimes.set(Downtime("web2", DowntimeKind.DRAIN, begins, ends, "ann", "meant so", said=now))
    told = site.call("topology", "show")
    assert "web1: its drain was said under that clock, and begins at" in told.err
    assert "web2" not in told.err
    assert site.call("topology", "show").err == ""


def test_evidence_waivers_and_standings_count_as_of_now(site: Site) -> None:
    now = time.time()
    site.store.topology.save_round("here", {}, [Evidence("here", "web1", ProbeLevel.TCP, now + LEAD)], [])
    site.store.waivers.add(Waiver("a", "web1", now + LEAD + 600, "why", "ann", now + LEAD))
    leads, late = site.store.settle_clock(now)
    assert (len(leads), max(leads), late) == (2, pytest.approx(LEAD), [])
    assert [each.at for each in site.store.topology.evidence()] == [now]
    assert [(each.at, each.ends) for each in site.store.waivers.all()] == [(now, pytest.approx(now + 600))]
    assert site.store.settle_clock(now) == ((), ())
    site.store.topology.save_round("here", {}, [Evidence("here", "web1", ProbeLevel.AUTH, now + 1)], [])
    assert [each.rung for each in site.store.topology.evidence()] == [ProbeLevel.AUTH]
