"""The admin host's clock was ahead for a while, and is right again; or it is set back."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from multiall_cli.adapters.sqlite import SqliteStore
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.health import Waiver
from multiall_cli.domain.records import Departure
from multiall_cli.domain.run import Run
from multiall_cli.domain.topology import Downtime, Evidence, Planned, Rung
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.engine.desk import Desk, books, departed, remember
from multiall_cli.engine.zones import lost_lately
from multiall_cli.fleet import Fleet
from tests.fixtures.desk import Done, called

LEAD = 7200.0
ZONE = Zone("a.test.", NameServer("ns1", "127.0.0.1"))


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


def _run(number: int, started: float, pool: str = "web") -> Run:
    return Run(f"r{number}", "sync", pool, ("web1",), "id", "ann", "here", 1, started)


def test_the_journal_is_led_by_the_newest_run_and_reports_the_clock_once(site: Site) -> None:
    now = time.time()
    for number, started in enumerate((now - 50, now + LEAD)):
        site.store.begin(_run(number, started))
        site.store.end(f"r{number}", Exit.OK, started + 3)
    first = site.call("journal", "list", "-o", "name")
    assert first.err.startswith("clock: 1 stored time is 2 h later than the clock of this host, and count")
    site.store.begin(_run(2, time.time()))
    again = site.call("journal", "list", "-o", "name")
    assert (again.out.split(), again.err) == (["r2", "r1", "r0"], "")
    moved = site.store.runs(3)[1]
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
    site.store.begin(_run(1, now + LEAD, books(ZONE)))
    site.store.settle_clock(now)
    with Fleet.load(str(site.folder)) as fleet:
        world = fleet.context
        seen = []
        for at in (now + 10, now + 3601):
            site.store.settle_clock(at)
            desk = Desk(replace(world, clock=Fixed(at)), None, fleet.topology.current())  # type: ignore[arg-type]
            assert lost_lately(desk, ZONE) == {}
            seen.append([each.id for each in site.store.runs(9, books(ZONE)) if each.started >= at - 3600])
    assert seen == [["r1"], []]


def test_clients_are_waited_for_from_now_on(site: Site) -> None:
    now = time.time()
    remember(site.store, ZONE, [Departure(("www.a.test.", "A"), "192.0.2.1", now + LEAD + 30, noted=now + LEAD)])
    assert [each.until for each in departed(site.store, ZONE, now)] == [pytest.approx(now + 30)]
    assert [each.until for each in departed(site.store, ZONE, now + 20)] == [pytest.approx(now + 30)], "not anew"


def test_a_drain_holds_though_the_clock_is_set_back(site: Site) -> None:
    """What is ordered without --from holds from the beginning of time."""
    for verb in ("drain", "maintenance"):
        assert site.call("topology", verb, "web1", "--for", "1h", "--because", "kernel").exit == 0
    assert site.call("topology", "pin", "web2", "down", "--for", "1h", "--because", "disk").exit == 0
    before = time.time() - 86400
    assert [each.holds(before) for each in site.store.promised(before)] == [True, True, True]
    assert all(each.ends > time.time() + 3500 for each in site.store.promised(before))


def test_a_newer_word_takes_the_place_of_an_older_one(site: Site) -> None:
    for because in ("kernel", "disk"):
        assert site.call("topology", "drain", "web1", "--for", "1h", "--because", because).exit == 0
    assert [each.because for each in site.store.promised(time.time())] == ["disk"]
    assert site.call("topology", "undrain", "web1").exit == 0
    assert site.store.promised(time.time()) == []


def test_what_begins_later_and_was_said_under_another_clock_is_reported(site: Site) -> None:
    now = time.time()
    begins, ends = now + LEAD / 2, now + LEAD * 2
    site.store.promise(Planned("web1", Downtime.DRAIN, begins, ends, "ann", "kernel", said=now + LEAD))
    site.store.promise(Planned("web2", Downtime.DRAIN, begins, ends, "ann", "meant so", said=now))
    told = site.call("topology", "show")
    assert "web1: its drain was said under that clock, and begins at" in told.err
    assert "web2" not in told.err
    assert site.call("topology", "show").err == ""


def test_evidence_waivers_and_standings_count_as_of_now(site: Site) -> None:
    now = time.time()
    site.store.remember("here", {}, [Evidence("here", "web1", Rung.TCP, now + LEAD)], [])
    site.store.waive(Waiver("a", "web1", now + LEAD + 600, "why", "ann", now + LEAD))
    leads, late = site.store.settle_clock(now)
    assert (len(leads), max(leads), late) == (2, pytest.approx(LEAD), [])
    assert [each.at for each in site.store.evidence()] == [now]
    assert [(each.at, each.ends) for each in site.store.waivers()] == [(now, pytest.approx(now + 600))]
    assert site.store.settle_clock(now) == ((), ())
    site.store.remember("here", {}, [Evidence("here", "web1", Rung.AUTH, now + 1)], [])
    assert [each.rung for each in site.store.evidence()] == [Rung.AUTH]
