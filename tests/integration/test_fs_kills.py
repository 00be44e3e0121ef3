"""kill -9 at every point: no file is ever mixed or lost, and the next run makes it all so.

`./dev test` takes some of the points, at random; `./dev soak` takes all.
"""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from multiall_cli.domain.exits import Exit
from multiall_cli.domain.scope import pool_scope
from multiall_cli.remote.formats.transfer import BLOCK
from tests.fixtures.before_after import assert_old_or_new, assert_store_whole, plant_new, plant_old
from tests.fixtures.bench import Bench, contents, rsync_differences
from tests.fixtures.mortal_admin import declaration
from tests.fixtures.pipes import MUTATIONS, Cut, mortal_python
from tests.scale import share

STRIDE = share(1, 4)
"""A test run takes one point in four."""


def _points(most: int, luck: str) -> range:
    """The numbers of the points, from 1 on; the first is drawn by the seed of the run."""
    return range(Random(luck).randint(1, STRIDE), most, STRIDE)


WEB = pool_scope("web")


def _assert_converges(folder: Path) -> None:
    """One more run, and all is as wanted; what was owed is done; nothing is pending."""
    bench = Bench(folder, declared=declaration(folder))
    try:
        assert bench.sync().exit is Exit.OK
        assert rsync_differences(bench.source, bench.member(), "-rlpHcniO") == ""
        assert (bench.store.journal.pending(), bench.store.handlers.of(WEB)) == ([], [])
        assert set((folder / "acted").read_text().split()) == {"one", "two"}
        assert not [path for path in bench.workshop().glob("stage/*") if path.is_file()]
    finally:
        bench.close()


@pytest.mark.parametrize("what", ["step", "piece"])
def test_the_admin_killed_at_any_point_loses_nothing(tmp_path: Path, what: str, pytestconfig: pytest.Config) -> None:
    """At each step of the run and before each piece that is sent, until a run lives to its end."""
    plant_new(tmp_path / "new")
    plant_old(tmp_path / "old")
    old, new = contents(tmp_path / "old"), contents(tmp_path / "new")
    for number in _points(100, f"{pytestconfig.getoption('randomly_seed', 1)} {what}"):
        folder = tmp_path / f"{what}{number}"
        shutil.copytree(tmp_path / "new", folder / "source", symlinks=True)
        (folder / "source" / "twin").unlink()
        os.link(folder / "source" / "small", folder / "source" / "twin")
        plant_old(folder / "member0" / "tree")
        command = [sys.executable, "-m", "tests.fixtures.mortal_admin", str(folder), what, str(number)]
        ended = subprocess.run(command, check=False, capture_output=True, cwd=Path(__file__).parents[2])
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr.decode()
        assert_old_or_new(contents(folder / "member0" / "tree"), old, new)
        assert_store_whole(folder / "state" / "state.sqlite")
        _assert_converges(folder)
        shutil.rmtree(folder)
        if ended.returncode == 0:
            break
    assert number > 8


def test_a_members_loop_killed_before_any_change_to_its_disk_loses_nothing(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Before each write, link, rename, mkdir, …, until a run lives to its end; the member is told as failed."""
    plant_old(tmp_path / "old")
    deaths = 0
    for number in _points(200, f"{pytestconfig.getoption('randomly_seed', 1)} loop"):
        bench = Bench(tmp_path / f"at{number}", declared=declaration(tmp_path / f"at{number}"))
        plant_new(bench.source)
        plant_old(bench.member())
        old, new = contents(tmp_path / "old"), contents(bench.source)
        bench.machine.python["s0"] = mortal_python(bench.folder, number)
        report = bench.sync()
        bench.close()
        assert_old_or_new(contents(bench.member()), old, new)
        _assert_converges(bench.folder)
        shutil.rmtree(bench.folder)
        if report.exit is Exit.OK:
            break
        assert report.exit is Exit.PARTIAL
        assert report.members[0].reason.startswith("the remote loop ended during '")
        deaths += 1
    assert deaths * STRIDE > 2 * len(MUTATIONS)


def test_a_link_cut_in_mid_file_goes_on_where_it_was(bench: Bench) -> None:
    """What was staged before the cut is not sent again."""
    for name in ("a", "b", "c"):
        (bench.source / name).write_bytes(os.urandom(10 * BLOCK))
    bench.machine.wrap["s0"] = lambda pipe: Cut(pipe, 25 * BLOCK)
    first = bench.sync()
    assert (first.exit, first.members[0].reason) == (Exit.PARTIAL, "the link was cut")
    assert contents(bench.member()) == {}
    sent = 0

    def count(_: str, piece: bytes) -> None:
        nonlocal sent
        sent += len(piece)

    opened = bench.machine.open

    def watched(server: object) -> object:
        session = opened(server)  # type: ignore[arg-type]
        session.on_piece = count
        return session

    bench.machine.wrap.clear()
    bench.machine.open = watched  # type: ignore[method-assign,assignment]
    assert bench.sync().exit is Exit.OK
    assert contents(bench.member()) == contents(bench.source)
    assert 10 * BLOCK < sent < 11 * BLOCK
    assert len(bench.store.backlog.entries(WEB, delivered=True)) == 1


def test_an_action_that_a_killed_run_owed_is_done_by_the_next(bench: Bench) -> None:
    """All files were written, the reload was not: the next run, which has nothing to change, reloads."""
    bench.declared = declaration(bench.folder)
    (bench.source / "a").write_text("a")

    class Died(BaseException):
        """The admin's end."""

    def die(step: object) -> None:
        if getattr(step, "name", "") == "applied":
            raise Died

    world = bench.world
    bench.world = replace(world, watch=die)
    with pytest.raises(Died):
        bench.sync()
    assert (contents(bench.member()), len(bench.store.handlers.of(WEB))) == ({"a": b"a"}, 2)
    bench.world = world
    report = bench.sync()
    assert (report.plan.changes, report.exit) == (0, Exit.OK)
    assert (bench.folder / "acted").read_text().split() == ["one", "two"]
    assert (bench.store.handlers.of(WEB), bench.store.journal.pending()) == ([], [])
