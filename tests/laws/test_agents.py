"""The contract of every sync agent, held by FS-SA over real folders."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given

from multiall_cli.agents.files import FileTree
from multiall_cli.domain.change import Action, Result
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import After, Delete, FilesDeclaration
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.run import Progress
from multiall_cli.domain.scope import pool_scope
from multiall_cli.planning.diff import diff
from tests.fixtures.bench import Bench, contents, not_done, only, rsync_differences, server
from tests.fixtures.pipes import Machine
from tests.fixtures.trees import File, Hard, Tree, plant, trees
from tests.scale import examples

WEB = pool_scope("web")

STRICT = FilesDeclaration("", "", delete=Delete.EVERYTHING, owner="source", times=True, xattrs=True)
A_FILE = File(0, (0,), 0o644, 10**18, 0, b"")
FEW = examples(40)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One pool for all examples of a property: each example plants its own trees."""
    bench = Bench(tmp_path_factory.mktemp("law"), Machine(warm=True))
    yield bench
    bench.close()


def _ready(bench: Bench) -> FileTree:
    agent = bench.agent()
    return agent.read({agent.source.name: bench.machine.open(agent.source)})


def _some(bench: Bench) -> None:
    (bench.source / "d").mkdir()
    (bench.source / "a").write_text("a")
    (bench.source / "d" / "b").write_text("b")
    (bench.source / "l").symlink_to("a")


# --- converges --------------------------------------------------------------------------------------------------


@pytest.mark.root
@FEW
@given(wanted=trees, there=trees)
def test_any_tree_becomes_any_other_by_content(shared: Bench, wanted: Tree, there: Tree) -> None:
    """From a folder: names, kinds, content, modes and hard links are as in the source, and then nothing is left."""
    shared.declared = FilesDeclaration("", "", delete=Delete.EVERYTHING)
    _becomes(shared, wanted, there, "-rlpHcniO")


@pytest.mark.root
@FEW
@given(wanted=trees, there=trees)
@example(wanted={b"a": A_FILE}, there={b"a": Hard(0), b"b": Hard(0)})  # dressing one name shows in the other's times
def test_any_tree_becomes_any_other_with_owners_times_and_attributes(shared: Bench, wanted: Tree, there: Tree) -> None:
    """All that is declared is compared and set; rsync finds nothing more to do."""
    shared.declared = STRICT
    _becomes(shared, wanted, there, "-aHAXnciO")


def _becomes(bench: Bench, wanted: Tree, there: Tree, options: str) -> None:
    plant(wanted, bench.source)
    plant(there, bench.member())
    first = bench.sync()
    assert (not_done(first), first.exit) == ({}, Exit.OK)
    assert rsync_differences(bench.source, bench.member(), options) == ""
    assert bench.sync().plan.changes == 0
    assert bench.store.journal.pending() == []


@pytest.mark.root
@FEW
@given(wanted=trees)
def test_an_empty_member_gets_all_of_a_members_tree(shared: Bench, wanted: Tree) -> None:
    """With a member as the source, directory times included."""
    shared.declared = STRICT
    plant(wanted, shared.source)
    plant({}, shared.member())
    shared.member().rmdir()
    agent = replace(shared.agent(), source=server(1))
    report = shared.sync(agents=[agent])
    assert (not_done(report), report.exit) == ({}, Exit.OK)
    assert rsync_differences(shared.source, shared.member()) == ""


def test_a_second_plan_is_empty(bench: Bench) -> None:
    """What was made so needs nothing more, and a run without changes leaves no run in the journal."""
    _some(bench)
    bench.sync()
    again = bench.sync()
    assert (again.plan.changes, only(again).state, again.run) == (0, MemberState.SAME, "")


def test_losing_the_cache_decides_nothing_otherwise(bench: Bench) -> None:
    """Also what was deployed, by which a file that left the source is deleted, and one of the member's own is not."""
    bench.declared = FilesDeclaration("", "", delete=Delete.DEPLOYED)
    _some(bench)
    bench.sync()
    (bench.member() / "own").write_text("own")
    (bench.source / "a").unlink()
    with closing(sqlite3.connect(bench.folder / "state" / "state.sqlite")) as raw, raw:
        assert raw.execute("DELETE FROM cache").rowcount > 0
    assert [change.key for part in bench.sync().plan.parts for change in part.changes] == ["a"]
    assert (bench.member() / "own").read_text() == "own"


# --- observes ---------------------------------------------------------------------------------------------------


def _stamps(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ctime_ns) for path in [root, *root.rglob("*")]}


def test_looking_writes_nothing(warm_bench: Bench) -> None:
    """Neither the member nor the source is touched until the plan is confirmed; no root is made."""
    _some(warm_bench)
    warm_bench.sync()
    (warm_bench.source / "a").write_text("other")
    before = _stamps(warm_bench.folder / "member0"), _stamps(warm_bench.source)
    agent = _ready(warm_bench)
    changes = diff(agent.observe(warm_bench.machine.open(server())), agent.tree)
    agent.release()
    assert [change.key for change in changes] == ["a"]
    assert before == (_stamps(warm_bench.folder / "member0"), _stamps(warm_bench.source))


def test_looking_at_a_member_without_the_tree_makes_none(warm_bench: Bench) -> None:
    """A missing root is a plan that creates it, not a folder."""
    _some(warm_bench)
    agent = _ready(warm_bench)
    changes = diff(agent.observe(warm_bench.machine.open(server())), agent.tree)
    agent.release()
    assert {change.action for change in changes} == {Action.CREATE}
    assert not (warm_bench.folder / "member0").exists()


# --- tells ------------------------------------------------------------------------------------------------------


def test_each_change_has_exactly_one_outcome(bench: Bench) -> None:
    """Also where some fail: a directory that is not empty cannot become a file."""
    _some(bench)
    (bench.member() / "a").mkdir(parents=True)
    os.mkfifo(bench.member() / "a" / "fifo")
    report = bench.sync()
    planned = [change.key for part in report.plan.parts for change in part.changes]
    assert sorted(planned) == sorted(outcome.change.key for outcome in only(report).outcomes)
    assert list(not_done(report)) == ["a"]


def test_what_changed_since_the_plan_is_left_alone(bench: Bench) -> None:
    """Changed, replaced, created or gone meanwhile: each is a conflict, and none is overwritten."""
    for name in ("changed", "swapped", "gone", "deleted", "quiet"):
        (bench.source / name).write_text("old")
    bench.sync()
    for name in ("changed", "swapped", "gone", "quiet"):
        (bench.source / name).write_text("the new one")
    (bench.source / "deleted").unlink()
    (bench.source / "created").write_text("ours")

    def meanwhile(step: Progress) -> None:
        if step.name != "intended":
            return
        (bench.member() / "changed").write_text("theirs")
        (bench.member() / "deleted").write_text("theirs")
        (bench.member() / "created").write_text("theirs")
        (bench.member() / "gone").unlink()
        (bench.member() / "swapped").unlink()
        (bench.member() / "swapped").mkdir()

    bench.world = replace(bench.world, watch=meanwhile)
    report = bench.sync()
    names = ("changed", "swapped", "gone", "deleted", "created")
    assert {path: result for path, (result, _) in not_done(report).items()} == dict.fromkeys(names, Result.CONFLICT)
    kept = {"changed": b"theirs", "deleted": b"theirs", "created": b"theirs", "swapped": "/", "quiet": b"the new one"}
    assert contents(bench.member()) == kept
    assert report.exit is Exit.PARTIAL


# --- an absent member -------------------------------------------------------------------------------------------


def test_an_absent_member_is_deferred_and_catches_up_exactly_once(tmp_path: Path) -> None:
    """What it missed is noted once per run that changed something, delivered by the run that sees it again."""
    acted = tmp_path / "acted"
    declared = FilesDeclaration(
        "", "", delete=Delete.EVERYTHING, after=(After("run", ("sh", "-c", f"echo x >> {acted}")),)
    )
    bench = Bench(tmp_path, members=2, declared=declared)
    try:
        (bench.source / "a").write_text("1")
        (bench.source / "gone").write_text("1")
        assert bench.sync().exit is Exit.OK
        bench.machine.away = {"s1"}
        (bench.source / "a").write_text("2")
        first = bench.sync()
        (bench.source / "gone").unlink()
        bench.sync()
        idle = bench.sync()
        assert [member.state for member in first.members] == [MemberState.CHANGED, MemberState.DEFERRED]
        assert (first.exit, idle.run) == (Exit.PARTIAL, "")
        assert len(bench.store.backlog.entries(WEB)) == 2
        bench.machine.away = set()
        acted.unlink()
        back = bench.sync()
        assert (back.exit, [member.caught_up for member in back.members]) == (Exit.OK, [0, 2])
        assert contents(bench.member(1)) == {"a": b"2"}
        assert acted.read_text() == "x\n"
        assert (bench.store.backlog.entries(WEB), len(bench.store.backlog.entries(WEB, delivered=True))) == ([], 2)
        assert [member.caught_up for member in bench.sync().members] == [0, 0]
    finally:
        bench.close()


def test_a_deletion_that_a_member_missed_is_not_resurrected(tmp_path: Path) -> None:
    """With `delete: deployed`, what it still has of an earlier run goes when it is back."""
    bench = Bench(tmp_path, members=2, declared=FilesDeclaration("", "", delete=Delete.DEPLOYED))
    try:
        (bench.source / "a").write_text("1")
        (bench.source / "old").write_text("1")
        bench.sync()
        bench.machine.away = {"s1"}
        (bench.source / "old").unlink()
        bench.sync()
        (bench.source / "a").write_text("2")
        bench.sync()
        bench.machine.away = set()
        bench.sync()
        assert contents(bench.member(1)) == contents(bench.member(0)) == {"a": b"2"}
    finally:
        bench.close()


def test_an_observation_of_many_files_is_quick(warm_bench: Bench) -> None:
    """Two thousand unchanged files are not read again: the second look is answered from what is known."""
    for number in range(2000):
        (warm_bench.source / f"f{number:04}").write_text(f"{number}")
    warm_bench.sync()
    started = time.monotonic()
    assert warm_bench.sync().plan.changes == 0
    assert time.monotonic() - started < 5
