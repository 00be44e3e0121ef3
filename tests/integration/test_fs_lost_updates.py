"""Writers that come between the last look and the rename: no version of theirs is lost, none of ours is half made."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from multiall_cli.domain.change import Result
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Delete
from multiall_cli.engine.doctor import examine
from multiall_cli.remote.ops import renameat2
from multiall_cli.remote.ops.atomic_rename import install, lstat, move_aside, restore
from multiall_cli.remote.ops.staging import Stale
from tests.fixtures.bench import Bench, contents, not_done, server
from tests.fixtures.contexts import WithTransport
from tests.fixtures.pipes import Kept

RACES = 500
_FORKED = multiprocessing.get_context("fork")


@dataclass
class Place:
    """A stage and a tree's directory, as open handles; a file is known by its content."""

    stage: int
    parent: int

    def write(self, folder: int, name: bytes, text: str) -> os.stat_result:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
        os.write(handle, text.encode())
        os.close(handle)
        return lstat(folder, name)

    def read(self, folder: int, name: bytes) -> str:
        handle = os.open(name, os.O_RDONLY, dir_fd=folder)
        try:
            return os.read(handle, 100).decode()
        finally:
            os.close(handle)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    handles = []
    for name in ("stage", "parent"):
        (tmp_path / name).mkdir()
        handles.append(os.open(tmp_path / name, os.O_RDONLY))
    yield Place(*handles)
    for handle in handles:
        os.close(handle)


def test_what_was_replaced_is_in_the_stage(place: Place) -> None:
    old = place.write(place.parent, b"a", "old")
    place.write(place.stage, b"new", "new")
    install(place.stage, b"new", place.parent, b"a", old)
    assert (place.read(place.parent, b"a"), place.read(place.stage, b"new")) == ("new", "old")


def test_a_version_that_was_renamed_in_meanwhile_stays(place: Place) -> None:
    """It is not what was looked at, so it is put back."""
    old = place.write(place.parent, b"a", "old")
    place.write(place.parent, b"theirs", "theirs")
    os.rename(b"theirs", b"a", src_dir_fd=place.parent, dst_dir_fd=place.parent)
    place.write(place.stage, b"new", "new")
    with pytest.raises(Stale):
        install(place.stage, b"new", place.parent, b"a", old)
    assert (place.read(place.parent, b"a"), place.read(place.stage, b"new")) == ("theirs", "new")


def test_a_second_version_that_comes_while_the_first_is_put_back_stays(place: Place) -> None:
    """Ours lies in the place and theirs in the stage; then a newer one of theirs takes ours away."""
    placed = place.write(place.parent, b"a", "ours").st_ino
    place.write(place.stage, b"new", "theirs")
    place.write(place.parent, b"b", "theirs, newer")
    os.rename(b"b", b"a", src_dir_fd=place.parent, dst_dir_fd=place.parent)
    restore(place.stage, b"new", place.parent, b"a", placed)
    assert place.read(place.parent, b"a") == "theirs, newer"


def test_a_new_file_never_replaces(place: Place) -> None:
    place.write(place.parent, b"a", "theirs")
    place.write(place.stage, b"new", "new")
    with pytest.raises(FileExistsError):
        install(place.stage, b"new", place.parent, b"a", None)
    assert place.read(place.parent, b"a") == "theirs"


def test_a_deletion_takes_only_what_was_looked_at(place: Place) -> None:
    old = place.write(place.parent, b"a", "old")
    os.unlink(b"a", dir_fd=place.parent)
    place.write(place.parent, b"a", "theirs")
    with pytest.raises(Stale):
        move_aside(place.parent, b"a", place.stage, b"out", old)
    assert (place.read(place.parent, b"a"), os.listdir(place.stage)) == ("theirs", [])


def _write_on(folder: str, ended: Event, last: "Synchronized[int]") -> None:
    """Put version after version in the place, each by a rename."""
    os.chdir(folder)
    while not ended.is_set():
        with open("next", "w") as file:
            file.write(str(last.value + 1))
        os.rename("next", "a")
        last.value += 1


def test_a_writer_that_races_loses_no_version(place: Place, tmp_path: Path) -> None:
    """Whatever came out of its place for ours is what was looked at; the writer's last version is never overwritten."""
    ended, last = _FORKED.Event(), _FORKED.Value("q", 0)
    place.write(place.parent, b"a", "0")
    writer = _FORKED.Process(target=_write_on, args=(str(tmp_path / "parent"), ended, last), daemon=True)
    writer.start()
    replaced = stale = 0
    try:
        while replaced + stale < RACES or not (replaced and stale):
            name = b"new-%d" % (replaced + stale)
            place.write(place.stage, name, "ours")
            old = lstat(place.parent, b"a")
            try:
                install(place.stage, name, place.parent, b"a", old)
                assert lstat(place.stage, name).st_ino == old.st_ino
                replaced += 1
            except Stale:
                stale += 1
            os.unlink(name, dir_fd=place.stage)
    finally:
        ended.set()
        writer.join()
    assert place.read(place.parent, b"a") in (str(last.value), "ours")


# --- whole syncs -------------------------------------------------------------------------------------------------


def _without_ctypes(folder: Path) -> tuple[str, ...]:
    """A python3 that cannot ask the kernel for an exchange, as where the C library has none."""
    program = folder / "without_ctypes"
    program.write_text("import sys\nsys.modules['ctypes'] = None\nexec(sys.argv[-1])\n")
    return (sys.executable, "-IS", os.fspath(program))


@pytest.mark.parametrize("exchange", [True, False])
def test_replaced_files_are_kept_until_the_next_run(bench: Bench, exchange: bool) -> None:
    """Whoever still writes to one through an open handle finds it there."""
    if not exchange:
        bench.machine.python["s0"] = _without_ctypes(bench.folder)
    (bench.source / "d").mkdir()
    (bench.source / "d" / "a").write_text("1")
    (bench.source / "b").write_text("1")
    bench.sync()
    with open(bench.member() / "d" / "a", "a") as late:
        (bench.source / "d" / "a").write_text("2")
        run = bench.sync().run
        late.write(", and a late word")
    kept = bench.workshop() / "replaced"
    assert (bench.member() / "d" / "a").read_text() == "2"
    assert (kept / run / "d" / "a").read_text() == "1, and a late word"
    (bench.source / "b").write_text("2")
    second = bench.sync().run
    assert contents(kept) == {second: "/", f"{second}/b": b"1"}
    assert contents(bench.member()) == contents(bench.source)


@pytest.mark.parametrize("change", ["replaced", "deleted", "link", "to a directory"])
def test_whoever_puts_a_new_version_in_during_the_apply_keeps_it(bench: Bench, change: str) -> None:
    """It comes after the last look at the tree: a conflict, with the version in its place."""
    bench.declared = replace(bench.declared, delete=Delete.EVERYTHING, trash=0)
    (bench.source / "a").write_text("1")
    (bench.source / "z").write_text("1")
    bench.sync()
    (bench.source / "a").unlink()
    _CHANGES[change](bench.source / "a")
    (bench.member() / "new").write_text("theirs")

    def act(operation: str, piece: bytes) -> None:
        if operation == "apply" and (bench.member() / "new").exists():
            os.rename(bench.member() / "new", bench.member() / "a")

    opened = bench.machine.open
    bench.world = replace(bench.world, adapters=WithTransport(bench.world.adapters, _Told(opened, act)))
    report = bench.sync()
    assert not_done(report)["a"][0] is Result.CONFLICT
    assert (bench.member() / "a").read_text() == "theirs"
    assert report.exit is Exit.PARTIAL


_CHANGES: dict[str, Callable[[Path], object]] = {
    "replaced": lambda path: path.write_text("2"),
    "deleted": lambda path: None,
    "link": lambda path: path.symlink_to("z"),
    "to a directory": lambda path: path.mkdir(),
}


@dataclass
class _Told:
    """A transport whose sessions tell of each piece before it is sent."""

    opened: Callable[..., Kept]
    act: Callable[[str, bytes], None]

    def open(self, server: object) -> Kept:
        session = self.opened(server)
        session.on_piece = self.act
        return session


@pytest.mark.parametrize("exchange", [True, False])
def test_the_doctor_names_trees_whose_file_system_cannot_exchange(bench: Bench, exchange: bool) -> None:
    """There the last moment is not safe; nothing is left of the trial."""
    if not exchange:
        bench.machine.python["s0"] = _without_ctypes(bench.folder)
    bench.member().mkdir(parents=True)
    roots = [str(bench.member()), str(bench.member() / "missing")]
    found = [each.what for each in examine(bench.world, [server()], {"s0": roots})][1:]
    assert len(found) == (0 if exchange else 1)
    assert all(f"the file system of {bench.member()} cannot exchange two names" in what for what in found)
    assert os.listdir(bench.member()) == []


def test_this_machine_can_exchange(tmp_path: Path) -> None:
    """Else the tests above would try the other way alone."""
    handle = os.open(tmp_path, os.O_RDONLY)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    assert renameat2.exchange(handle, b"a", handle, b"b")
    os.close(handle)
    assert (tmp_path / "a").read_text() == "b"
