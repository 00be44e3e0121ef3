"""Owners, modes, times, holes and special files: nothing of someone else's is changed, nothing is left unsaid."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from multiall_cli.domain.change import Result
from multiall_cli.domain.errors import Refused
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Delete
from multiall_cli.domain.report import MemberState
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.remote.ops.scan import Scan
from tests.fixtures.bench import MEANT, Bench, contents, not_done, only, small_disk
from tests.fixtures.pipes import socket_at

STRANGER = 12345


def _remarks(bench: Bench) -> list[str]:
    """What the plan says beside its changes."""
    said: list[str] = []

    def read(plan: object) -> bool:
        said.extend(note for part in plan.parts for note in part.notes)  # type: ignore[attr-defined]
        return False

    bench.sync(SyncOptions(open_guards=MEANT, confirm=read))
    return said


# --- files with other names ---------------------------------------------------------------------------------------


@pytest.mark.root
def test_a_file_with_names_outside_the_tree_is_replaced_and_not_changed(bench: Bench) -> None:
    """A hard link to someone else's file at a path of ours: that file keeps its owner and its mode."""
    bench.declared = replace(bench.declared, owner="root", group="root")
    (bench.source / "a").write_text("same")
    (bench.source / "a").chmod(0o644)
    theirs = bench.folder / "theirs"
    theirs.write_text("same")
    theirs.chmod(0o600)
    os.chown(theirs, STRANGER, STRANGER)
    bench.member().mkdir(parents=True)
    os.link(theirs, bench.member() / "a")
    report = bench.sync()
    assert (not_done(report), report.exit) == ({}, Exit.OK)
    assert (theirs.stat().st_uid, stat.S_IMODE(theirs.stat().st_mode)) == (STRANGER, 0o600)
    assert ((bench.member() / "a").stat().st_uid, (bench.member() / "a").stat().st_nlink) == (0, 1)
    assert bench.sync().plan.changes == 0


def test_all_names_in_the_tree_of_a_shared_file_go_along(bench: Bench) -> None:
    """Two names in the tree, one outside: both become names of the new file in one run."""
    (bench.source / "a").write_text("same")
    os.link(bench.source / "a", bench.source / "b")
    bench.sync()
    os.link(bench.member() / "a", bench.folder / "outside")
    (bench.source / "a").chmod(0o600)
    report = bench.sync()
    assert (not_done(report), report.exit) == ({}, Exit.OK)
    assert (bench.member() / "a").stat().st_ino == (bench.member() / "b").stat().st_ino
    assert stat.S_IMODE((bench.folder / "outside").stat().st_mode) == 0o644
    assert bench.sync().plan.changes == 0


# --- owners ------------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_an_owner_by_number_is_reached_whatever_the_member_calls_it(bench: Bench) -> None:
    """The source's owner has no name where it was read; the same number has one where it is looked at."""
    for owner in ("1", "12345"):
        bench.declared = replace(bench.declared, owner=owner, group=owner)
        (bench.source / "a").write_text(owner)
        report = bench.sync()
        assert (not_done(report), report.exit) == ({}, Exit.OK)
        assert ((bench.member() / "a").stat().st_uid, (bench.member() / "a").stat().st_gid) == (int(owner), int(owner))
        assert bench.sync().plan.changes == 0


def test_a_new_tree_is_not_open_until_it_is_whole(bench: Bench) -> None:
    """Its directory is closed at the source: it is on the member before the first file is put in its place."""
    bench.source.chmod(0o700)
    (bench.source / "a").write_text("secret")
    program = bench.folder / "ends-at-the-first-file"
    program.write_text(
        "import ctypes, os, sys\n"
        "ctypes.CDLL = lambda *given, **named: type('Ends', (), {'renameat2': lambda *given: os._exit(9)})\n"
        "exec(sys.argv[-1])\n"
    )
    bench.machine.python["s0"] = (sys.executable, "-IS", os.fspath(program))
    assert only(bench.sync()).state is not MemberState.CHANGED
    assert not (bench.member() / "a").exists()
    assert stat.S_IMODE(bench.member().stat().st_mode) == 0o700


@pytest.mark.root
def test_a_new_owner_of_a_shared_top_directory_does_not_open_it(bench: Bench) -> None:
    """A tree that deletes nothing has no say in the mode of its directory, also where it gives it an owner."""
    bench.declared = replace(bench.declared, delete=Delete.NOTHING, owner=str(STRANGER))
    (bench.source / "a").write_text("a")
    bench.member().mkdir(parents=True)
    bench.member().chmod(0o700)
    assert bench.sync().exit is Exit.OK
    found = bench.member().stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (STRANGER, 0o700)


@pytest.mark.root
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_that_is_replaced_keeps_its_owner_where_none_is_declared(bench: Bench, kind: str) -> None:
    """A file of a service stays readable for it; setuid bits survive the change of owner."""
    _write(bench.source / "a", kind, "1")
    bench.sync()
    os.chown(bench.member() / "a", STRANGER, STRANGER + 1, follow_symlinks=False)
    _write(bench.source / "a", kind, "2")
    if kind == "file":
        (bench.source / "a").chmod(0o4750)
    assert bench.sync().exit is Exit.OK
    found = (bench.member() / "a").lstat()
    assert (found.st_uid, found.st_gid) == (STRANGER, STRANGER + 1)
    assert kind == "link" or stat.S_IMODE(found.st_mode) == 0o4750


def _write(path: Path, kind: str, text: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "file":
        path.write_text(text)
    else:
        path.symlink_to(text)


# --- directories -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delete", [Delete.EVERYTHING, Delete.DEPLOYED, Delete.NOTHING])
@pytest.mark.parametrize("exists", [True, False])
def test_the_mode_of_the_trees_own_directory(bench: Bench, delete: Delete, exists: bool) -> None:
    """It is synced; only one that others share, since nothing is deleted in it, is left as it is once it is there."""
    bench.declared = replace(bench.declared, delete=delete)
    (bench.source / "a").write_text("a")
    bench.source.chmod(0o700)
    if exists:
        bench.member().mkdir(parents=True)
        bench.member().chmod(0o755)
    assert bench.sync().exit is Exit.OK
    kept = exists and delete is Delete.NOTHING
    assert stat.S_IMODE(bench.member().stat().st_mode) == (0o755 if kept else 0o700)
    assert bench.sync().plan.changes == 0


def test_times_of_directories_are_synced_too(bench: Bench) -> None:
    bench.declared = replace(bench.declared, times=True)
    (bench.source / "d").mkdir()
    (bench.source / "d" / "a").write_text("a")
    os.utime(bench.source / "d", ns=(10**18, 10**18))
    bench.sync()
    assert (bench.member() / "d").stat().st_mtime_ns == 10**18
    os.utime(bench.source / "d", ns=(2 * 10**18, 2 * 10**18))
    report = bench.sync()
    assert (report.plan.changes, (bench.member() / "d").stat().st_mtime_ns) == (1, 2 * 10**18)
    assert bench.sync().plan.changes == 0


def test_the_time_of_a_directory_with_excluded_entries_is_nobodys_difference(bench: Bench) -> None:
    """Logs that come and go in it must not make a plan of every run."""
    bench.declared = replace(bench.declared, times=True, exclude=("*.log",))
    (bench.source / "d").mkdir()
    (bench.source / "d" / "a").write_text("a")
    bench.sync()
    (bench.member() / "d" / "x.log").write_text("x")
    assert bench.sync().plan.changes == 0


def test_names_that_are_our_own_are_refused_in_a_source(bench: Bench) -> None:
    """They would be left out in silence; excluded ones are meant to be."""
    (bench.source / "a").write_text("a")
    (bench.source / "d").mkdir()
    (bench.source / "d" / ".multiall-note").write_text("a")
    with pytest.raises(Refused, match=r"the source has 'd/.multiall-note', but names that begin with"):
        bench.sync()
    bench.declared = replace(bench.declared, exclude=(".multiall-note",))
    assert bench.sync().exit is Exit.OK


# --- depth and holes ---------------------------------------------------------------------------------------------


@contextmanager
def _deep(bench: Bench, name: str, levels: int) -> Iterator[None]:
    """So many directories in each other in the source; removed by rm, which knows no limit, with all made of them."""
    handle = os.open(bench.source, os.O_RDONLY)
    handles = [handle]
    for _ in range(levels):
        os.mkdir(name, dir_fd=handles[-1])
        handles.append(os.open(name, os.O_RDONLY, dir_fd=handles[-1]))
        if len(handles) > 200:
            os.close(handles.pop(0))
    file = os.open("a", os.O_WRONLY | os.O_CREAT, dir_fd=handles[-1])
    os.write(file, b"deep")
    for opened in (file, *handles):
        os.close(opened)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", bench.source / name, bench.member().parent], check=True)


def test_a_tree_deeper_than_any_recursion_is_synced(bench: Bench) -> None:
    with _deep(bench, "d", 600):
        report = bench.sync()
        assert (not_done(report), report.exit) == ({}, Exit.OK)
        assert bench.sync().plan.changes == 0
        os.rename(bench.source / "d", bench.source.parent / "d")
        (bench.source / "b").write_text("b")
        report = bench.sync()
        assert (not_done(report), report.exit, os.listdir(bench.member())) == ({}, Exit.OK, ["b"])
        os.utime(next((bench.workshop() / "trash").iterdir()), (0, 0))
        (bench.source / "b").write_text("c")
        assert bench.sync().exit is Exit.OK
        assert not (bench.workshop() / "trash").exists()
        os.rename(bench.source.parent / "d", bench.source / "d")


def test_a_path_that_is_too_long_is_named(bench: Bench) -> None:
    with _deep(bench, "d" * 200, 21), pytest.raises(Exception, match=r"dddd.*a path of 4220 bytes") as told:
        bench.sync()
    assert "garbage" not in str(told.value)


def test_holes_are_kept_and_do_not_travel(bench: Bench) -> None:
    """A file of 200 MB with three blocks of data takes as much room as at the source."""
    with open(bench.source / "sparse", "wb") as file:
        for place in (0, 50 << 20, 100 << 20):
            file.seek(place)
            file.write(os.urandom(4096))
        file.truncate(200 << 20)
    report = bench.sync()
    assert (not_done(report), report.exit) == ({}, Exit.OK)
    found = (bench.member() / "sparse").stat()
    assert (found.st_size, found.st_blocks * 512 < 4 << 20) == (200 << 20, True)
    with open(bench.source / "sparse", "r+b") as file:
        file.seek(150 << 20)
        file.write(b"more")
    assert bench.sync().exit is Exit.OK
    assert (bench.member() / "sparse").stat().st_blocks * 512 < 5 << 20
    assert (bench.source / "sparse").read_bytes() == (bench.member() / "sparse").read_bytes()


# --- what is no plain file ---------------------------------------------------------------------------------------


def test_a_folder_of_the_source_whose_name_begins_as_ours_can_be_excluded_as_a_folder(bench: Bench) -> None:
    (bench.source / "a").write_text("a")
    (bench.source / ".multiall-notes").mkdir()
    bench.declared = replace(bench.declared, exclude=(".multiall-notes/",))
    assert bench.sync().exit is Exit.OK
    assert contents(bench.member()) == {"a": b"a"}


class _Removes:
    """A request that removes a folder at its first sign of life, when the names beside it have been read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def heartbeat(self) -> None:
        if self._path.exists():
            self._path.rmdir()


def test_a_staging_folder_that_vanishes_during_a_scan_spoils_nothing(tmp_path: Path) -> None:
    """Another run ends meanwhile, whose tree lies in this one."""
    (tmp_path / ".a").mkdir()
    (tmp_path / ".multiall-x").mkdir(mode=0o700)
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        scan = Scan(_Removes(tmp_path / ".multiall-x"), None, xattrs=False)
        scan.scan_tree(handle)
    finally:
        os.close(handle)
    assert (len(scan.packed), scan.problems, scan.ours) == (1, [], [])


def test_special_files_of_the_source_are_named_in_the_plan(bench: Bench) -> None:
    (bench.source / "a").write_text("a")
    os.mkfifo(bench.source / "fifo")
    socket_at(bench.source / "sock")
    assert _remarks(bench) == [
        "fifo of the source: a named pipe is not copied; exclude it to say that this is meant",
        "sock of the source: a socket is not copied; exclude it to say that this is meant",
    ]
    bench.declared = replace(bench.declared, exclude=("fifo", "sock"))
    assert _remarks(bench) == []


def test_a_special_file_in_the_way_is_named_in_the_plan(bench: Bench) -> None:
    (bench.source / "a").write_text("a")
    bench.member().mkdir(parents=True)
    os.mkfifo(bench.member() / "a")
    assert "a: a named pipe is there, where a file belongs; remove it, or exclude it" in _remarks(bench)
    assert not_done(bench.sync())["a"][1] == "a named pipe is in its place; remove it, or exclude it"


def test_what_is_in_the_way_of_a_file_gets_no_other_names(bench: Bench) -> None:
    """The first name of a file could not be put in its place: the second one would be a name of what is there."""
    (bench.source / "a").write_text("a")
    os.link(bench.source / "a", bench.source / "b")
    bench.member().mkdir(parents=True)
    os.mkfifo(bench.member() / "a")
    (bench.member() / "b").write_text("old")
    said = not_done(bench.sync())
    assert said["b"] == (Result.CONFLICT, "the file that it is a hard link to was not installed; see that file")
    assert (bench.member() / "a").stat().st_nlink == 1
    assert (bench.member() / "b").read_text() == "old"
    (bench.member() / "a").unlink()
    assert bench.sync().exit is Exit.OK
    assert contents(bench.member()) == {"a": b"a", "b": b"a"}


def test_a_directory_that_holds_more_and_must_become_a_file_is_named_in_the_plan(bench: Bench) -> None:
    bench.declared = replace(bench.declared, exclude=("*.log",))
    (bench.source / "d").write_text("a file")
    (bench.member() / "d" / "deep").mkdir(parents=True)
    (bench.member() / "d" / "deep" / "x.log").write_text("x")
    (said,) = _remarks(bench)
    assert said.startswith("d: a directory that holds excluded or special entries is to become a file")
    report = bench.sync()
    assert only(report).state is MemberState.FAILED
    assert "holds entries that are excluded or special" in not_done(report)["d"][1]
    assert (bench.member() / "d" / "deep" / "x.log").read_text() == "x"


@pytest.mark.root
def test_a_mount_point_where_a_file_belongs_is_named_in_the_plan(bench: Bench) -> None:
    (bench.source / "m").write_text("a file")
    bench.member().mkdir(parents=True)
    with small_disk(bench.member() / "m", "1m"):
        assert "m: is a mount point, where a file belongs; unmount it, or exclude it" in _remarks(bench)
        report = bench.sync()
        assert not_done(report)["m"] == (
            Result.FAILED,
            "it is a mount point or in use; unmount it, or exclude it",
        )


def test_a_file_that_vanishes_during_a_run_is_said_to_have_vanished(bench: Bench) -> None:
    (bench.source / "a").write_text("1")
    (bench.source / "b").write_text("1")
    bench.sync()
    for name in ("a", "b"):
        (bench.source / name).write_text("2, longer")

    def vanish(step: object) -> None:
        if getattr(step, "name", "") == "intended":
            (bench.source / "a").unlink(missing_ok=True)
            (bench.member() / "b").unlink(missing_ok=True)

    bench.world = replace(bench.world, watch=vanish)
    failed = not_done(bench.sync())
    assert failed["a"] == (Result.FAILED, "the source: it vanished during the run")
    assert failed["b"] == (Result.CONFLICT, "it vanished since it was observed")
    assert contents(bench.member()) == {"a": b"1"}
