"""What a sync writes down is so: journal, owed actions, what was deployed; and what it looks at is all of the tree."""

from dataclasses import replace
from pathlib import Path

from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import After, Delete, Rollout
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.run import Progress, Stage
from multiall_cli.domain.scope import pool_scope
from multiall_cli.domain.values import Amount
from multiall_cli.engine.sync import SyncOptions
from tests.fixtures.bench import MEANT, Bench, only

WEB = pool_scope("web")


def test_a_change_of_the_trees_own_directory_is_seen(bench: Bench) -> None:
    """Also in a tree that was found as wanted before: it is no entry of itself."""
    bench.declared = replace(bench.declared, dir_mode=0o750)
    (bench.source / "a").write_text("a")
    bench.sync()
    bench.sync()
    bench.member().chmod(0o777)
    assert only(bench.sync()).state is MemberState.CHANGED
    assert bench.member().stat().st_mode & 0o777 == 0o750


def test_an_action_that_was_mended_is_done_as_it_is_declared_now(bench: Bench) -> None:
    """What a failed one owes is not the old command."""
    (bench.source / "a").write_text("a")
    bench.declared = replace(bench.declared, after=(After("run", ("false",)),))
    assert only(bench.sync()).state is MemberState.FAILED
    bench.declared = replace(bench.declared, after=())
    assert only(bench.sync()).state is MemberState.SAME
    assert bench.store.handlers.of(WEB) == []


def test_what_does_not_hold_is_no_success_in_the_journal_either(bench: Bench) -> None:
    """Someone changes the file between apply and the second look."""

    def spoil(step: Progress) -> None:
        if step.name == "applied":
            (bench.member() / "a").write_text("someone else")

    (bench.source / "a").write_text("a")
    bench.world = replace(bench.world, watch=spoil)
    report = bench.sync()
    assert only(report).state is MemberState.FAILED
    stages = {entry.key: entry.stage for entry in bench.store.journal.entries(report.run)}
    assert stages["a"] is Stage.FAILED


def test_what_was_put_there_is_known_though_its_action_failed(bench: Bench) -> None:
    """`delete: deployed` removes it later: nothing becomes an orphan."""
    bench.declared = replace(bench.declared, delete=Delete.DEPLOYED, after=(After("run", ("false",)),))
    for name in ("a", "b"):
        (bench.source / name).write_text(name)
    bench.sync()
    bench.declared = replace(bench.declared, after=())
    (bench.source / "b").unlink()
    bench.sync()
    assert not (bench.member() / "b").exists()


def test_an_interrupt_while_looking_is_told_as_one(bench: Bench) -> None:
    """Not as a plan that has changed."""
    (bench.source / "a").write_text("a")
    bench.world = replace(bench.world, stop=lambda: True)
    assert bench.sync(SyncOptions(open_guards=MEANT, plan="0123456789ab")).exit is Exit.INTERRUPTED


def test_a_canary_is_a_member_that_is_changed(tmp_path: Path) -> None:
    """One that is as wanted already would try nothing out: the first that fails stops the run."""
    bench = Bench(tmp_path, members=4)
    (bench.source / "a").write_text("a")
    bench.sync()
    (bench.source / "a").write_text("b")
    (bench.member(0) / "a").write_text("b")
    bench.declared = replace(bench.declared, after=(After("run", ("false",)),))
    bench.rollout = Rollout((Amount(1), Amount(100, percent=True)), max_fail=Amount(0))
    states = [member.state for member in bench.sync().members]
    assert states == [MemberState.SAME, MemberState.FAILED, MemberState.LEFT, MemberState.LEFT]
    bench.close()


def test_a_plan_tells_what_is_done_afterwards_and_what_is_owed(bench: Bench) -> None:
    """Both ask for a yes: a sync without changes may still run a command."""
    action = After("run", ("sh", "-c", f"test -e {bench.folder}/ready"))
    bench.declared = replace(bench.declared, after=(action,))
    (bench.source / "a").write_text("a")
    first = bench.sync()
    assert [part.handlers for part in first.plan.parts] == [(str(action),)]
    (bench.folder / "ready").touch()
    declined = bench.sync(SyncOptions(open_guards=MEANT, confirm=lambda plan: False))
    assert (declined.exit, declined.plan.pending) == (Exit.REFUSED, (("s0", str(action)),))
    assert [each.handler for each in only(bench.sync()).handlers] == [str(action)]
    assert bench.sync().plan.is_empty
