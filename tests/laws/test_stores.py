"""The contract of every store."""

import os
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from multiall_cli.adapters.sqlite import MIGRATIONS, SqliteStore
from multiall_cli.domain.baseline import Code, Latest
from multiall_cli.domain.errors import Locked, MultiAllError, UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.health import Change, HealthRecord, Sample, Samples, Waiver
from multiall_cli.domain.run import Entry, Holder, MemberState, OwedAction, Run, Stage, Standing
from multiall_cli.domain.topology import Downtime, Event, Evidence, Planned, Rung
from multiall_cli.ports.store import Store

ODD = ("plain", "\udcff\udcfe", "new\nline", "\0nul", "ünï", "'; DROP TABLE runs; --", '"\\')
"""Names and words as members may give them: any bytes."""
ME = Holder("ann", "adm1", 4242, 1_700_000_000.0, "pool sync web")


@pytest.fixture(params=[SqliteStore])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Every store that there is, new and empty."""
    made = request.param(tmp_path / "state")
    yield made
    made.close()


def _run(run_id: str = "r1", pool: str = "web", started: float = 1.0) -> Run:
    return Run(run_id, "sync", pool, ("a", "b"), "plan", "ann", "adm1", 1, started)


def _entry(key: str = "k", run: str = "r1", server: str = "a", stage: Stage = Stage.INTENT, detail: str = "") -> Entry:
    return Entry(run, server, "files:/srv", key, "update", "before", "after", stage, detail, 1.0)


def _owed(run: str = "r1", server: str = "a", agent: str = "files:/srv") -> OwedAction:
    return OwedAction("web", server, agent, "reload", ("nginx",), run)


# --- journal ------------------------------------------------------------------------------------------------------


def test_a_run_is_remembered_as_it_was_begun_and_ended(store: Store) -> None:
    """Found by its id or the beginning of it."""
    store.begin(_run("r1"))
    store.begin(_run("r2", started=2.0))
    store.end("r1", Exit.PARTIAL, 9.0)
    first = store.run("r1")
    assert first is not None
    assert (first.ended, first.result, first.targets) == (9.0, Exit.PARTIAL, ("a", "b"))
    assert store.run("r2") == _run("r2", started=2.0)
    assert [run.id for run in store.runs(5)] == ["r2", "r1"]
    assert ([run.id for run in store.runs(1)], store.runs(5, "db"), store.run("x")) == (["r2"], [], None)


def test_a_beginning_that_several_runs_share_is_refused(store: Store) -> None:
    """Unless it is one's whole id."""
    for each in ("r1", "r12", "r13"):
        store.begin(_run(each))
    with pytest.raises(UsageError, match="several runs begin so"):
        store.run("r")
    found = store.run("r1")
    assert found is not None
    assert found.id == "r1"


def test_an_intent_is_pending_until_its_outcome_is_recorded(store: Store) -> None:
    """Each with its own stage and detail."""
    store.begin(_run())
    store.intend([_entry("a"), _entry("b"), _entry("c")], [])
    assert [entry.key for entry in store.pending("web")] == ["a", "b", "c"]
    store.record([_entry("a", stage=Stage.DONE), _entry("b", stage=Stage.CONFLICT, detail="gone")])
    assert [entry.key for entry in store.pending()] == ["c"]
    assert [(entry.key, entry.detail) for entry in store.entries("r1", Stage.CONFLICT)] == [("b", "gone")]
    assert len(store.entries("r1")) == 3


@pytest.mark.parametrize(("before", "after", "kept"), [("", "", ("old", "new")), ("", "other", ("", "other"))])
def test_what_was_intended_stays_unless_its_outcome_says_otherwise(
    store: Store, before: str, after: str, kept: tuple[str, str]
) -> None:
    store.begin(_run())
    store.intend([replace(_entry("a"), before="old", after="new")], [])
    store.record([replace(_entry("a"), before=before, after=after, stage=Stage.DONE, detail="well")])
    (entry,) = store.entries("r1")
    assert (entry.before, entry.after, entry.stage, entry.detail) == (*kept, Stage.DONE, "well")


def test_settling_closes_the_open_intents_of_one_member_in_one_pool(store: Store) -> None:
    """What has an outcome, other members, other pools and other agents stay as they are."""
    store.begin(_run())
    store.begin(_run("r2", pool="db"))
    store.intend([_entry("a"), _entry("b"), _entry("a", server="b"), _entry("a", run="r2")], [])
    store.record([_entry("b", stage=Stage.FAILED)])
    assert store.settle("web", "a", ["files:/elsewhere"], 5.0) == 0
    assert store.settle("web", "a", ["files:/srv"], 5.0) == 1
    assert {(entry.run, entry.server) for entry in store.pending()} == {("r1", "b"), ("r2", "a")}
    assert [entry.key for entry in store.entries("r1", Stage.SETTLED)] == ["a"]
    assert store.settle("web", "a", ["files:/srv"], 6.0) == 0


def test_an_intent_and_what_it_owes_are_written_together_or_not_at_all(store: Store) -> None:
    """An entry that is there already fails the whole."""
    store.begin(_run())
    store.intend([_entry("a")], [])
    with pytest.raises(MultiAllError):
        store.intend([_entry("b"), _entry("a")], [_owed()])
    assert ([entry.key for entry in store.pending()], store.owed("web")) == (["a"], [])


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_names_and_words_of_any_bytes_come_back(store: Store, odd: str) -> None:
    """Keys, details, reasons, agents and cache keys; nothing that a member says can break the journal."""
    store.begin(_run())
    entry = Entry("r1", "a", f"files:{odd}", odd, "update", odd, odd, Stage.INTENT, odd, 1.0)
    store.intend([entry], [OwedAction("web", "a", f"files:{odd}", "run", (odd,), "r1")])
    store.record([entry])
    assert list(store.entries("r1")) == list(store.pending()) == [entry]
    assert [(owed.agent, owed.arguments) for owed in store.owed("web")] == [(f"files:{odd}", (odd,))]
    store.paid(store.owed("web")[0])
    store.defer("web", "a", "r1", odd, 1.0)
    store.stand([Standing("web", "a", MemberState.FAILED, "r1", odd, 1.0)])
    store.agree("a", f"files:{odd}", b"snapshot", "r1")
    store.keep(odd, b"value")
    assert ([each.reason for each in store.outbox()], [each.reason for each in store.standings("web")]) == (
        [odd],
        [odd],
    )
    assert (store.owed("web"), store.agreed("a", f"files:{odd}"), store.cached(odd)) == ([], b"snapshot", b"value")


# --- the topology ---------------------------------------------------------------------------------------------------


def _event(server: str, at: float, after: str = "up", words: str = "") -> Event:
    return Event(at, server, "unknown", after, "answered", words, "", (Evidence("adm", server, Rung.TCP, at, 0.1),))


def test_of_each_observer_and_server_the_newest_evidence_is_kept(store: Store) -> None:
    """Whatever the order in which it comes; of one moment the higher rung."""
    store.remember("adm", {}, [Evidence("adm", "a", Rung.TCP, 2.0), Evidence("b", "a", Rung.TIMEOUT, 1.0)], ())
    store.remember("adm", {}, [Evidence("adm", "a", Rung.TIMEOUT, 1.0)], ())
    store.remember("adm", {}, [Evidence("adm", "a", Rung.AUTH, 2.0, 0.5, "slow", 0.01)], ())
    assert sorted(store.evidence(), key=str) == [
        Evidence("adm", "a", Rung.AUTH, 2.0, 0.5, "slow", 0.01),
        Evidence("b", "a", Rung.TIMEOUT, 1.0),
    ]


def test_evidence_of_a_clock_that_was_set_back_is_believed(store: Store) -> None:
    """Else what was seen under the wrong time would be the newest for as long as it was wrong."""
    store.remember("adm", {}, [Evidence("adm", "a", Rung.TCP, 90_000.0)], ())
    store.remember("adm", {}, [Evidence("adm", "a", Rung.TIMEOUT, 5.0)], ())
    assert store.evidence() == [Evidence("adm", "a", Rung.TIMEOUT, 5.0)]


def test_what_is_held_of_servers_is_each_vantages_own(store: Store) -> None:
    """The last value of each name."""
    store.remember("adm", {"a": b"1", "b": b"2"}, (), ())
    store.remember("adm", {"a": b"3"}, (), ())
    store.remember("other", {"a": b"9"}, (), ())
    assert (store.remembered("adm"), store.remembered("nobody")) == ({"a": b"3", "b": b"2"}, {})
    assert store.vantages() == ["adm", "other"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_events_come_newest_first_as_they_were_told(store: Store, odd: str) -> None:
    """Those of a server with those of the whole; and none after a moment."""
    told = [_event("a", 1.0), _event("b", 2.0, words=odd), _event("", 3.0, "frozen"), _event("a", 4.0, "down")]
    store.remember("adm", {}, (), told[:2])
    store.remember("adm", {}, (), told[2:])
    found = store.events(10)
    assert [replace(each, id=0) for each in found] == told[::-1]
    assert [each.at for each in store.events(2)] == [4.0, 3.0]
    assert [each.at for each in store.events(10, "a")] == [4.0, 3.0, 1.0]
    assert [each.at for each in store.events(10, until=2.0)] == [2.0, 1.0]
    assert len({each.id for each in found}) == len(told)


def test_an_operators_word_ends_when_it_was_to_end_or_is_withdrawn(store: Store) -> None:
    """A newer word of the same kind takes its place; other kinds stay."""
    first = Planned("a", Downtime.DRAIN, 0.0, 10.0, "ann", "kernel")
    store.promise(first)
    store.promise(Planned("a", Downtime.DRAIN, 5.0, 20.0, "bob", "longer"))
    store.promise(Planned("a", Downtime.MAINTENANCE, 6.0, 8.0, "bob", "disk"))
    store.promise(Planned("b", Downtime.PINNED_UP, 50.0, 60.0, "bob", "later"))
    held = [each for each in store.promised(7.0) if each.holds(7.0)]
    assert [(each.what, each.because) for each in held] == [
        (Downtime.DRAIN, "longer"),
        (Downtime.MAINTENANCE, "disk"),
    ]
    assert [each.because for each in store.promised(9.0)] == ["longer", "later"]
    assert [each.because for each in store.withdraw("b", 9.0)] == ["later"], "also what has not begun"
    assert [each.because for each in store.promised(9.0)] == ["longer"]
    assert len(store.promised()) == 4, "what there was is kept"


def test_an_earlier_window_leaves_a_later_one_alone(store: Store) -> None:
    """Saturday's was said first, then tonight's."""
    store.promise(Planned("a", Downtime.MAINTENANCE, 100.0, 200.0, "ann", "saturday"))
    store.promise(Planned("a", Downtime.MAINTENANCE, 10.0, 20.0, "ann", "tonight"))
    assert [each.because for each in store.promised(5.0) if each.holds(150.0)] == ["saturday"]
    assert [each.because for each in store.promised(5.0) if each.holds(15.0)] == ["tonight"]


def test_old_evidence_is_let_go(store: Store) -> None:
    """A day later it shows nothing of how things are."""
    store.remember("adm", {}, [Evidence("b", "a", Rung.TCP, 1.0)], ())
    store.remember("adm", {}, [Evidence("adm", "a", Rung.TCP, 100_000.0)], ())
    assert store.evidence() == [Evidence("adm", "a", Rung.TCP, 100_000.0)]


def test_a_round_is_written_whole_or_not_at_all(store: Store) -> None:
    """Evidence that cannot be written takes the events with it."""
    bad = Evidence("adm", "a", Rung.TCP, "not a time")  # type: ignore[arg-type]
    with pytest.raises(MultiAllError):
        store.remember("adm", {"a": b"1"}, [bad], [_event("a", 1.0)])
    assert (store.remembered("adm"), store.evidence(), store.events(5)) == ({}, [], [])


# --- what members missed -----------------------------------------------------------------------------------------


def test_what_a_member_missed_is_noted_once_per_run_and_delivered_once(store: Store) -> None:
    """Delivered entries are kept, with the run that delivered them."""
    for run in ("r1", "r1", "r2"):
        store.defer("web", "a", run, "away", 1.0)
    store.defer("web", "b", "r1", "away", 1.0)
    store.defer("db", "a", "r1", "away", 1.0)
    assert [(each.server, each.run) for each in store.outbox("web")] == [("a", "r1"), ("a", "r2"), ("b", "r1")]
    assert [store.deliver("web", "a", "r3", 2.0), store.deliver("web", "a", "r4", 3.0)] == [2, 0]
    assert [(each.pool, each.server) for each in store.outbox()] == [("web", "b"), ("db", "a")]
    assert {each.delivered_by for each in store.outbox("web", delivered=True)} == {"r3"}


def test_an_action_is_owed_once_however_many_ask_for_it(store: Store) -> None:
    """Two trees and two runs that want the same reload: one reload, in the order in which they were first owed."""
    store.begin(_run())
    store.begin(_run("r2"))
    store.intend([], [_owed(), _owed(agent="files:/etc"), _owed(server="b")])
    store.intend([], [_owed("r2")])
    assert [(each.server, each.run) for each in store.owed("web")] == [("a", "r2"), ("b", "r1")]
    store.paid(store.owed("web", "a")[0])
    assert (store.owed("web", "a"), len(store.owed("web", "b"))) == ([], 1)


def test_the_last_standing_and_snapshot_count(store: Store) -> None:
    """By member."""
    for state in (MemberState.FAILED, MemberState.SAME):
        store.stand([Standing("web", "a", state, "r1", "", 1.0)])
        store.agree("a", "files:/srv", state.value.encode(), "r1")
    assert [each.state for each in store.standings("web")] == [MemberState.SAME]
    assert (store.agreed("a", "files:/srv"), store.agreed("b", "files:/srv")) == (b"same", None)


# --- locks and threads ---------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from multiall_cli.adapters.sqlite import SqliteStore
from multiall_cli.domain.run import Holder
store = SqliteStore(Path(sys.argv[1]))
with store.lock("web", Holder("bob", "adm2", 77, 1.0, "pool sync web"), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the pool web until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "state")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_a_pool_that_another_process_holds_is_locked(tmp_path: Path, other_process: subprocess.Popen[str]) -> None:
    """The message names who holds it; other pools are free; when it dies, the kernel frees the pool."""
    store = SqliteStore(tmp_path / "state")
    with (
        pytest.raises(Locked, match=r"bob@adm2 \(pid 77, `pool sync web`\) since 1970-01-01"),
        store.lock("web", ME, 0),
    ):
        pass
    with store.lock("db", ME, 0):
        other_process.kill()
        other_process.wait()
    with store.lock("web", ME, 0):
        pass
    store.close()


def test_a_lock_is_waited_for(tmp_path: Path, other_process: subprocess.Popen[str]) -> None:
    """As long as was asked for."""
    store = SqliteStore(tmp_path / "state")
    assert other_process.stdin is not None
    other_process.stdin.close()
    with store.lock("web", ME, 30.0):
        assert other_process.wait() == 0
    store.close()


def test_a_lock_is_free_after_an_error_within(store: Store) -> None:
    """Whatever ended the run."""

    def fails() -> None:
        with store.lock("web", ME, 0):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with store.lock("web", ME, 0):
        pass


def _together(*works: Callable[[], None]) -> list[BaseException]:
    """Run them at once; what they raised."""
    begin, faults = threading.Barrier(len(works)), []

    def one(work: Callable[[], None]) -> None:
        begin.wait()
        try:
            work()
        except Exception as fault:  # noqa: BLE001  (told to the test)
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def test_threads_may_use_it_at_once(store: Store) -> None:
    """No entry of either is lost."""
    store.begin(_run())

    def write(server: str) -> None:
        for number in range(50):
            store.intend([_entry(f"{number}", server=server)], [])
            store.record([_entry(f"{number}", server=server, stage=Stage.DONE)])

    assert _together(lambda: write("a"), lambda: write("b")) == []
    assert (len(store.entries("r1", Stage.DONE)), store.pending()) == (100, [])


def test_a_new_store_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    """Each makes it or finds it made."""
    for turn in range(40):
        faults = _together(*[lambda turn=turn: SqliteStore(tmp_path / f"{turn}").close()] * 4)  # type: ignore[misc]
        assert faults == []


# --- the file ------------------------------------------------------------------------------------------------------


def test_a_store_is_for_its_owner_only(tmp_path: Path) -> None:
    """The journal names paths and people."""
    SqliteStore(tmp_path / "state").close()
    modes = [os.stat(path).st_mode & 0o777 for path in (tmp_path / "state", tmp_path / "state" / "state.sqlite")]
    assert modes == [0o700, 0o600]


def test_a_store_is_migrated_from_version_0_and_then_left_as_it_is(tmp_path: Path) -> None:
    """What was kept is there when it is opened again."""
    first = SqliteStore(tmp_path)
    first.keep("k", b"v")
    first.close()
    again = SqliteStore(tmp_path)
    assert again.cached("k") == b"v"
    again.close()
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()


def test_a_store_of_a_newer_release_is_refused_and_not_touched(tmp_path: Path) -> None:
    """Downgrading must not lose what only the newer one knows."""
    SqliteStore(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(MultiAllError, match=f"the store has version 99, this release knows up to {len(MIGRATIONS)}"):
        SqliteStore(tmp_path)
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_store_is_told(tmp_path: Path, content: bytes) -> None:
    """And left as it is."""
    (tmp_path / "state.sqlite").write_bytes(content)
    with pytest.raises(MultiAllError, match=r"the store (cannot be opened|failed)"):
        SqliteStore(tmp_path)
    assert (tmp_path / "state.sqlite").read_bytes() == content


# --- health ---------------------------------------------------------------------------------------------------------


def _look(server: str, at: float, changes: tuple[Change, ...] = (), **codes: int) -> HealthRecord:
    samples = Samples(tuple(codes), tuple(codes.values()), [code / 4 for code in codes.values()])
    code = Code(max(codes.values(), default=Code.OK))
    return HealthRecord(server, at, code, f"{server} {at}".encode(), samples, changes)


def test_of_health_the_last_look_and_the_history_are_kept(store: Store) -> None:
    store.note_health([_look("a", 1.0, disk=200, load=300), _look("b", 1.0, disk=404)], 0.0)
    store.note_health([_look("a", 2.0, load=200)], 0.0)
    assert store.health(["a", "b", "c"]) == {"a": b"a 2.0", "b": b"b 1.0"}
    assert store.latest_health() == {"a": Latest(Code.OK, 2.0), "b": Latest(Code.MISSING, 1.0)}
    assert store.samples("a", "load", 0.0) == [Sample(1.0, Code.WARN_LIMIT, 75.0), Sample(2.0, Code.OK, 50.0)]
    assert store.samples("a", "disk", 0.0) == [Sample(1.0, Code.OK, 50.0)]
    assert (store.samples("a", "load", 1.5), store.samples("c", "load", 0.0)) == ([Sample(2.0, Code.OK, 50.0)], [])


def test_a_look_without_a_number_has_none(store: Store) -> None:
    """And one that is too large for four bytes is as large as those can be."""
    samples = Samples(("a", "b"), (200, 200), (None, 1e300))
    store.note_health([HealthRecord("s", 1.0, Code.OK, b"", samples)], 0.0)
    assert store.samples("s", "a", 0.0)[0].value is None
    assert (store.samples("s", "b", 0.0)[0].value or 0.0) > 3e38


def test_of_looks_that_could_not_be_noted_nothing_is_taken_for_known(store: Store) -> None:
    """Not even the names of their rules."""
    broken = HealthRecord("b", 1.0, Code.OK, b"", Samples(("disk",), (-1,), (None,)))
    with pytest.raises(struct.error):
        store.note_health([_look("a", 1.0, disk=200), broken], 0.0)
    assert store.health(["a"]) == {}
    store.note_health([_look("a", 2.0, disk=200)], 0.0)
    assert store.samples("a", "disk", 0.0) == [Sample(2.0, Code.OK, 50.0)]


def test_history_that_is_too_old_is_forgotten(store: Store) -> None:
    change = Change(1.0, "a", "disk", Code.OK, Code.MISSING, "gone")
    store.note_health([_look("a", 1.0, (change,), disk=404)], 0.0)
    assert store.changes(9) == [change]
    store.note_health([_look("b", 1.0, disk=404)], 1.0)
    store.note_health([_look("a", 500.0, disk=200)], 300.0)
    assert ([each.at for each in store.samples("a", "disk", 0.0)], store.changes(9)) == ([500.0], [])
    assert store.health(["a", "b"]) == {"a": b"a 500.0"}, "of a server that no one looks at nothing is kept for ever"


@pytest.mark.parametrize("odd", ODD)
def test_turns_come_newest_first_as_they_were_told(store: Store, odd: str) -> None:
    turns = tuple(Change(float(at), "a", f"r{at % 2}", None, Code.MISSING, odd) for at in range(4))
    store.note_health(
        [_look("a", 9.0, turns, disk=200), _look("b", 9.0, (Change(9.0, "b", "r0", Code.OK, Code.OK),))], 0.0
    )
    assert store.changes(9, "a") == list(reversed(turns))
    assert store.changes(1, "a", "r0") == [turns[2]]
    assert [each.server for each in store.changes(9, rule="r0")] == ["b", "a", "a"]


@pytest.mark.parametrize("odd", ODD)
def test_waivers_hold_until_they_end_or_are_revoked(store: Store, odd: str) -> None:
    waiver = Waiver("disk", "@web", 10.0, odd, odd, 1.0)
    numbers = [store.waive(waiver), store.waive(replace(waiver, ends=20.0))]
    assert store.waivers(9.0) == [replace(waiver, number=numbers[0]), replace(waiver, ends=20.0, number=numbers[1])]
    assert [each.number for each in store.waivers(10.0)] == [numbers[1]]
    assert (store.revoke(numbers[1], 11.0) or waiver).because == odd
    assert (store.waivers(12.0), store.revoke(numbers[1], 12.0), store.revoke(99, 0.0)) == ([], None, None)
    assert [each.ends for each in store.waivers()] == [10.0, 11.0]
