"""Trouble on members and at the source: full disks, races, strangers, limits; nothing is lost, and it is told."""

import fcntl
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from multiall_cli.adapters.local import LocalProcess
from multiall_cli.adapters.remote_bundle import ARGUMENTS, bundle
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.change import Result
from multiall_cli.domain.errors import Locked, MultiAllError, Refused
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Delete, Rollout
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.run import Holder, Progress
from multiall_cli.domain.scope import pool_scope
from multiall_cli.domain.values import Amount
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.remote import frames
from multiall_cli.remote.formats.transfer import BLOCK
from tests.fixtures.bench import MEANT, Bench, contents, not_done, only, rsync_differences, server, small_disk
from tests.fixtures.pipes import Counted, Cut, as_user, socket_at

WEB = pool_scope("web")

STRANGER = 12345


@pytest.fixture
def open_bench() -> Iterator[Bench]:
    """A bench whose folders every user may enter, as those of a machine's users are."""
    folder = Path(tempfile.mkdtemp(prefix="multiall-test-"))
    folder.chmod(0o755)
    made = Bench(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


def _at(bench: Bench, step: str, act: Callable[[], None]) -> None:
    """Do something when the run comes to a step."""
    bench.world = replace(bench.world, watch=lambda each: act() if each.name == step else None)


def _files(bench: Bench, count: int) -> None:
    for number in range(count):
        (bench.source / f"f{number:02}").write_text(f"{number}")


@contextmanager
def _counted(bench: Bench) -> Iterator[list[Counted]]:
    """The pipes to the member, each with the bytes that went over it (the loop's own program included)."""
    pipes: list[Counted] = []

    def wrap(pipe: object) -> Counted:
        pipes.append(Counted(pipe))  # type: ignore[arg-type]
        return pipes[-1]

    bench.machine.wrap["s0"] = wrap
    yield pipes
    bench.machine.wrap.clear()


# --- full disks ---------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_a_full_disk_on_a_member_is_told_and_not_left_full(bench: Bench) -> None:
    """No path is half made, what was staged is removed, and the run says so in words."""
    for number in range(8):
        (bench.source / f"large{number}").write_bytes(os.urandom(1 << 20))
    with small_disk(bench.folder / "member0", "4m") as disk:
        bench.member().mkdir()
        (bench.member() / "large0").write_text("old")
        report = bench.sync()
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        assert contents(bench.member()) == {"large0": b"old"}
        assert (report.exit, only(report).state) == (Exit.PARTIAL, MemberState.FAILED)
        assert "No space left on device" in only(report).reason
        assert free > 3 << 20


@pytest.mark.root
def test_a_disk_that_was_full_is_no_harm_to_the_next_run(bench: Bench) -> None:
    """Once there is room, the same sync goes through."""
    (bench.source / "large").write_bytes(os.urandom(2 << 20))
    with small_disk(bench.folder / "member0", "3m") as disk:
        (disk / "ballast").write_bytes(bytes(2 << 20))
        assert bench.sync().exit is Exit.PARTIAL
        (disk / "ballast").unlink()
        assert bench.sync().exit is Exit.OK
        assert contents(bench.member()) == contents(bench.source)


SYNC = """
import json, sys
from pathlib import Path
from tests.fixtures.bench import Bench, not_done
bench = Bench(Path(sys.argv[1]))
report = bench.sync()
bench.close()
print(json.dumps([report.exit, not_done(report)]))
"""
"""A sync in a process of its own, which puts its temporary files where TMPDIR says."""


@pytest.mark.root
def test_a_full_spool_of_the_admin_host_is_told_and_changes_nothing(bench: Bench) -> None:
    """The admin's temporary folder has no room for what the members need: named as the source's trouble."""
    (bench.source / "large").write_bytes(os.urandom(4 << 20))
    (bench.source / "small").write_text("small")
    with small_disk(bench.folder / "spool", "1m") as disk:
        env = {**os.environ, "TMPDIR": str(disk)}
        line = [sys.executable, "-c", SYNC, str(bench.folder)]
        done = subprocess.run(line, cwd=Path(__file__).parents[2], env=env, capture_output=True, check=True)
        code, refused = json.loads(done.stdout)
        assert code == Exit.PARTIAL
        assert "the admin host's temporary folder failed (No space left on device)" in refused["large"][1]
        assert "large" not in contents(bench.member())
    assert bench.sync().exit is Exit.OK


@pytest.mark.root
def test_a_full_disk_of_the_store_stops_the_run_before_anything_is_changed(bench: Bench) -> None:
    """What cannot be journalled is not done; the store says what is wrong and stays whole."""
    with small_disk(bench.folder / "full", "1m") as disk:
        full = Bench(bench.folder, bench.machine, store_folder=disk / "state")
        (disk / "ballast").write_bytes(bytes(_free(disk) - 100_000))
        for number in range(2000):
            (full.source / f"a file with a long name {number}").touch()
        with pytest.raises(MultiAllError) as told:
            full.sync()
        assert "full" in told.value.what
        assert "the store failed" in told.value.what
        assert contents(full.member()) == {}
        (disk / "ballast").unlink()
        assert full.store.journal.pending() == []
        full.store.close()


def _free(disk: Path) -> int:
    return os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize


# --- meanwhile ----------------------------------------------------------------------------------------------------


def test_a_source_file_that_changes_while_it_is_read_is_not_taken(bench: Bench) -> None:
    """It changes between the plan and the reading: the member keeps what it has and hears the reason."""
    (bench.source / "busy").write_text("old")
    (bench.source / "calm").write_text("old")
    bench.sync()
    (bench.source / "busy").write_text("newer")
    (bench.source / "calm").write_text("newer")
    _at(bench, "intended", lambda: (bench.source / "busy").write_text("newest and longer"))  # type: ignore[func-returns-value,arg-type]
    report = bench.sync()
    assert contents(bench.member()) == {"busy": b"old", "calm": b"newer"}
    assert (list(not_done(report)), report.exit) == (["busy"], Exit.PARTIAL)


def test_a_source_that_is_missing_or_empty_is_refused(bench: Bench) -> None:
    """An empty source would empty the members: nothing is changed."""
    (bench.source / "a").write_text("a")
    bench.sync()
    (bench.source / "a").unlink()
    with pytest.raises(Refused, match="is empty; nothing was changed"):
        bench.sync()
    bench.source.rmdir()
    with pytest.raises(Refused, match="does not exist; nothing was changed"):
        bench.sync()
    assert contents(bench.member()) == {"a": b"a"}


def test_a_source_whose_every_entry_is_excluded_is_refused(bench: Bench) -> None:
    """Excluded entries do not count: there would be nothing to give."""
    (bench.source / "a.log").write_text("a")
    bench.declared = replace(bench.declared, exclude=("*.log",))
    with pytest.raises(Refused, match="is empty"):
        bench.sync()


def test_a_tree_on_a_file_system_without_links_is_synced(bench: Bench) -> None:
    """As FAT is, that of an EFI partition: neither symbolic nor hard links."""
    program = bench.folder / "without-links"
    program.write_text(
        "import errno, os, sys\n"
        "def refuse(*given, **named):\n"
        "    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))\n"
        "os.symlink = os.link = refuse\n"
        "exec(sys.argv[-1])\n"
    )
    bench.machine.python["s0"] = (sys.executable, "-IS", os.fspath(program))
    for text in ("1", "2"):
        (bench.source / "a").write_text(text)
        report = bench.sync()
        assert (only(report).reason, report.exit) == ("", Exit.OK)
        assert bench.sync().plan.changes == 0
    assert contents(bench.member()) == {"a": b"2"}


@pytest.mark.root
def test_a_tree_that_a_user_may_not_make_is_refused_and_leaves_nothing(open_bench: Bench) -> None:
    """In another user's folder that their group shares: what they make there would have to be that user's."""
    open_bench.machine.python["s0"] = as_user(STRANGER)
    (open_bench.source / "a").write_text("a")
    holder = open_bench.member().parent
    holder.mkdir()
    os.chown(holder, STRANGER + 1, STRANGER)
    holder.chmod(0o2775)
    member = only(open_bench.sync())
    assert f"would be created in a folder where user {STRANGER + 1} can rename it" in member.reason
    assert member.todo.startswith("make root the owner of its parent folder")
    assert list(holder.iterdir()) == []


def test_a_file_in_place_of_the_staging_folder_is_named(bench: Bench) -> None:
    (bench.source / "a").write_text("a")
    bench.member().mkdir(parents=True)
    bench.workshop().write_text("")
    member = only(bench.sync())
    assert f"{bench.workshop()} is not a directory, so it is not a staging folder" in member.reason
    assert member.todo == "remove or rename it"


@pytest.mark.root
def test_a_declared_owner_that_cannot_be_given_is_said_and_nothing_is_replaced(open_bench: Bench) -> None:
    """Only what nobody declared may be left as it is: here the group is inherited, the owner is not."""
    bench = open_bench
    bench.machine.python["s0"] = as_user(STRANGER)
    bench.declared = replace(bench.declared, owner="1")
    (bench.source / "a").write_text("new")
    bench.member().mkdir(parents=True)
    (bench.member() / "a").write_text("old")
    for path in (bench.member().parent, bench.member(), bench.member() / "a"):
        os.chown(path, STRANGER, STRANGER)
    member = only(bench.sync())
    assert member.state is MemberState.FAILED
    assert "not permitted" in member.reason
    assert (bench.member() / "a").read_text() == "old"


@pytest.mark.root
def test_an_unreadable_file_of_the_source_is_named(open_bench: Bench) -> None:
    """Read with a stranger's rights: the file is named, and nothing is changed."""
    (open_bench.source / "secret").write_text("a")
    (open_bench.source / "secret").chmod(0o600)
    open_bench.machine.python["(admin)"] = as_user(STRANGER)
    with pytest.raises(MultiAllError, match="secret") as told:
        open_bench.sync()
    assert "Permission denied" in str(told.value)


@pytest.mark.root
def test_an_unreadable_folder_of_a_member_is_told(open_bench: Bench) -> None:
    """What cannot be seen is not taken for missing: the member fails with the folder's name, unchanged."""
    (open_bench.source / "a").write_text("a")
    (open_bench.member() / "closed").mkdir(parents=True)
    (open_bench.member() / "closed" / "kept").write_text("kept")
    (open_bench.member() / "closed").chmod(0o700)
    os.chown(open_bench.member(), STRANGER, STRANGER)
    open_bench.machine.python["s0"] = as_user(STRANGER)
    report = open_bench.sync()
    assert only(report).state is MemberState.FAILED
    assert "'closed' below" in only(report).reason
    assert "Permission denied" in only(report).reason
    assert contents(open_bench.member()) == {"closed": "/", "closed/kept": b"kept"}


@pytest.mark.root
def test_a_member_that_does_not_own_its_root_is_synced_all_the_same(open_bench: Bench) -> None:
    """Rights to write in the tree are enough: the root's own time and mode are not a reason to fail."""
    (open_bench.source / "a").write_text("a")
    open_bench.member().mkdir(parents=True)
    open_bench.member().chmod(0o777)
    open_bench.machine.python["s0"] = as_user(STRANGER)
    report = open_bench.sync()
    assert (not_done(report), only(report).reason, report.exit) == ({}, "", Exit.OK)
    assert contents(open_bench.member())["a"] == b"a"


def test_a_member_of_the_pool_may_be_the_source(tmp_path: Path) -> None:
    """The source member is left as it is, the others become like it."""
    bench = Bench(tmp_path, members=2)
    try:
        bench.member(0).mkdir(parents=True)
        (bench.member(0) / "a").write_text("a")
        agents = [bench.agent(0), bench.agent(1)]
        sourced = [replace(each, source=server(0), root=str(bench.member(0))) for each in agents]
        report = bench.sync(agents=sourced)
        assert [member.state for member in report.members] == [MemberState.SAME, MemberState.CHANGED]
        assert contents(bench.member(1)) == {"a": b"a"}
    finally:
        bench.close()


# --- what is not ours stays -----------------------------------------------------------------------------------------


def test_what_no_scan_takes_in_survives_with_all_above_it(bench: Bench) -> None:
    """Excluded files, sockets and fifos inside a deleted directory, and the directory itself, stay."""
    bench.declared = replace(bench.declared, exclude=("*.log",))
    (bench.source / "a").write_text("a")
    for name in ("logs/deep", "sockets", "fifos", "empty"):
        (bench.member() / name).mkdir(parents=True)
        (bench.member() / name / "extra").write_text("extra")
    (bench.member() / "logs/deep/kept.log").write_text("kept")
    listening = socket.socket(socket.AF_UNIX)
    folder = os.open(bench.member() / "sockets", os.O_RDONLY)
    listening.bind(f"/proc/self/fd/{folder}/s")
    os.close(folder)
    listening.close()
    os.mkfifo(bench.member() / "fifos" / "f")
    assert (bench.sync().exit, bench.sync().plan.changes) == (Exit.OK, 0)
    kept = {"logs": "/", "logs/deep": "/", "logs/deep/kept.log": b"kept", "sockets": "/", "sockets/s": "special"}
    assert contents(bench.member()) == {"a": b"a", **kept, "fifos": "/", "fifos/f": "special"}


def test_a_directory_with_another_trees_workshop_stays(bench: Bench) -> None:
    """The trash of a tree that lies within this one keeps that tree's deleted files: it is not swept away."""
    (bench.source / "a").write_text("a")
    (bench.member() / "d" / ".multiall-inner" / "trash").mkdir(parents=True)
    report = bench.sync()
    assert (not_done(report), report.exit) == ({}, Exit.OK)
    assert (bench.member() / "d" / ".multiall-inner" / "trash").exists()


@pytest.mark.root
def test_a_socket_in_the_way_of_a_file_is_a_conflict(bench: Bench) -> None:
    """Something that no scan takes in is never replaced."""
    (bench.source / "a").write_text("a")
    bench.member().mkdir(parents=True)
    socket_at(bench.member() / "a")
    report = bench.sync()
    assert not_done(report)["a"] == (Result.CONFLICT, "a socket is in its place; remove it, or exclude it")
    assert stat.S_ISSOCK((bench.member() / "a").lstat().st_mode)


def test_only_what_was_deployed_and_is_unchanged_is_deleted(bench: Bench) -> None:
    """`delete: deployed`: files and links that an earlier sync put there go, unless someone changed them."""
    bench.declared = replace(bench.declared, delete=Delete.DEPLOYED)
    for name in ("stays", "goes", "changed"):
        (bench.source / name).write_text(name)
    (bench.source / "d").mkdir()
    (bench.source / "d" / "in it").write_text("in it")
    (bench.source / "link goes").symlink_to("a")
    (bench.source / "link changed").symlink_to("a")
    os.link(bench.source / "goes", bench.source / "hard goes")
    os.link(bench.source / "stays", bench.source / "twin goes")
    bench.sync()
    (bench.member() / "stranger").write_text("stranger")
    (bench.member() / "changed").write_text("changed here")
    (bench.member() / "link changed").unlink()
    (bench.member() / "link changed").symlink_to("elsewhere")
    for name in ("goes", "changed", "d/in it", "link goes", "link changed", "hard goes", "twin goes"):
        (bench.source / name).unlink()
    (bench.source / "d").rmdir()
    report = bench.sync()
    assert (not_done(report), report.exit) == ({}, Exit.OK)
    kept = {"stays": b"stays", "stranger": b"stranger", "changed": b"changed here", "link changed": "→ elsewhere"}
    assert contents(bench.member()) == kept


def test_nothing_is_deleted_where_that_is_not_asked_for(bench: Bench) -> None:
    """`delete: false` leaves what the source lacks, deployed or not."""
    bench.declared = replace(bench.declared, delete=Delete.NOTHING)
    _files(bench, 2)
    bench.sync()
    (bench.source / "f00").unlink()
    (bench.member() / "stranger").write_text("s")
    assert bench.sync().plan.changes == 0
    assert set(contents(bench.member())) == {"f00", "f01", "stranger"}


# --- trash --------------------------------------------------------------------------------------------------------


def test_the_trash_keeps_deleted_files_for_its_days(bench: Bench) -> None:
    """A deleted file can be taken back from the run's folder; after the days it is gone."""
    _files(bench, 2)
    bench.sync()
    (bench.source / "f00").unlink()
    run = bench.sync().run
    kept = bench.workshop() / "trash" / run
    assert (kept / "f00").read_text() == "0"
    (bench.source / "f02").write_text("2")
    bench.sync()
    assert kept.exists()
    long_ago = time.time() - 8 * 86400
    os.utime(kept, (long_ago, long_ago))
    (bench.source / "f03").write_text("3")
    bench.sync()
    assert sorted(os.listdir(bench.workshop())) == ["run", "tree"]


def test_without_trash_a_deleted_file_is_gone(bench: Bench) -> None:
    """`trash: 0` keeps nothing but the note of the last run."""
    bench.declared = replace(bench.declared, trash=0)
    _files(bench, 2)
    bench.sync()
    (bench.source / "f00").unlink()
    bench.sync()
    assert set(contents(bench.member())) == {"f01"}
    assert sorted(os.listdir(bench.workshop())) == ["run", "tree"]


# --- attackers ----------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_a_directory_swapped_for_a_link_while_syncs_run_never_leads_outside(warm_bench: Bench) -> None:
    """Two hundred syncs against a thread that swaps a directory for a link to one outside: that one is untouched."""
    bench = warm_bench
    outside = bench.folder / "outside"
    outside.mkdir()
    (outside / "victim").write_text("victim")
    (outside / "victim").chmod(0o600)
    (outside / "sub").mkdir(mode=0o700)
    (bench.source / "d" / "sub").mkdir(parents=True)
    before = _signature(outside)
    bench.member().mkdir(parents=True)
    swapped, aside, ended = bench.member() / "d", bench.member() / "aside", threading.Event()
    swaps = 0

    def attack() -> None:
        nonlocal swaps
        while not ended.is_set():
            try:
                os.rename(swapped, aside)
                os.symlink(outside, swapped)
                swaps += 1
                os.unlink(swapped)
                os.rename(aside, swapped)
            except OSError:
                continue

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        for turn in range(200):
            _turn(bench.source / "d", turn)
            bench.sync()
    finally:
        ended.set()
        attacker.join()
    assert _signature(outside) == before
    assert swaps > 200


def _turn(folder: Path, turn: int) -> None:
    """New, changed, dressed and deleted files in the directory that is fought for."""
    (folder / "victim").write_text(f"{turn}")
    (folder / "victim").chmod(0o666 if turn % 2 else 0o644)
    (folder / "sub" / f"new{turn % 3}").write_text(f"{turn}")
    (folder / "sub").chmod(0o777 if turn % 2 else 0o755)
    (folder / "sub" / f"new{(turn + 1) % 3}").unlink(missing_ok=True)


def _signature(root: Path) -> list[tuple[str, int, int, int, bytes]]:
    """All that must not change of a tree; its root's change time counts too."""
    return [
        (str(path), path.lstat().st_mode, path.lstat().st_ctime_ns, path.lstat().st_uid, _content(path))
        for path in [root, *sorted(root.rglob("*"))]
    ]


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


@pytest.mark.root
def test_a_root_behind_a_strangers_link_is_refused(bench: Bench) -> None:
    """Following it would let its owner say where root writes."""
    (bench.source / "a").write_text("a")
    real = bench.folder / "real"
    real.mkdir()
    bench.member().parent.mkdir()
    bench.member().symlink_to(real)
    os.chown(bench.member(), STRANGER, STRANGER, follow_symlinks=False)
    report = bench.sync()
    assert (report.exit, contents(real)) == (Exit.PARTIAL, {})
    assert f"is a symbolic link of user {STRANGER}; following it as user 0 is not safe" in only(report).reason


def test_a_root_behind_our_own_link_is_fine(bench: Bench) -> None:
    """/srv/www → /data/www is what admins do."""
    (bench.source / "a").write_text("a")
    real = bench.folder / "real"
    real.mkdir()
    bench.member().parent.mkdir()
    bench.member().symlink_to(real)
    assert (bench.sync().exit, contents(real)) == (Exit.OK, {"a": b"a"})


@pytest.mark.root
@pytest.mark.parametrize("fault", ["owner", "mode", "link"])
def test_a_workshop_that_is_someone_elses_is_refused(bench: Bench, fault: str) -> None:
    """Whoever owns the folder in which files are put together owns the files."""
    (bench.source / "a").write_text("a")
    bench.member().mkdir(parents=True)
    if fault == "link":
        (bench.folder / "elsewhere").mkdir()
        bench.workshop().symlink_to(bench.folder / "elsewhere")
    else:
        bench.workshop().mkdir(mode=0o700)
        if fault == "owner":
            os.chown(bench.workshop(), STRANGER, STRANGER)
        else:
            bench.workshop().chmod(0o770)
    report = bench.sync()
    assert (report.exit, contents(bench.member())) == (Exit.PARTIAL, {})
    if fault != "link":
        assert "so it is not this user's staging folder" in only(report).reason


@pytest.mark.root
def test_a_file_set_beside_a_mount_in_wait_for_ours_is_not_written(bench: Bench) -> None:
    """On another file system within the tree, new files are made beside their place: never through what waits there."""
    (bench.source / "m").mkdir()
    (bench.source / "m" / "a").write_text("ours")
    bench.member().mkdir(parents=True)
    with small_disk(bench.member() / "m", "1m") as mount:
        (mount / "theirs").write_text("theirs")
        os.link(mount / "theirs", mount / ".multiall-a")
        bench.declared = replace(bench.declared, delete=Delete.NOTHING)
        bench.sync()
        assert (mount / "theirs").read_text() == "theirs"
        assert (mount / "a").read_text() == "ours"


# --- mounts, links, large files ---------------------------------------------------------------------------------------


@pytest.mark.root
def test_another_file_system_within_the_tree_is_synced_as_well(bench: Bench) -> None:
    """Files, links and hard links are made, changed and deleted there; the mount itself stays."""
    inner = bench.source / "m"
    inner.mkdir(mode=0o755)
    (inner / "a").write_text("a")
    (inner / "b").write_text("b")
    (inner / "l").symlink_to("a")
    os.link(inner / "a", inner / "hard")
    bench.member().mkdir(parents=True)
    with small_disk(bench.member() / "m", "2m") as mount:
        first = bench.sync()
        assert (not_done(first), first.exit) == ({}, Exit.OK)
        assert rsync_differences(bench.source, bench.member(), "-rlpHcniO") == ""
        (inner / "a").write_text("changed")
        (inner / "b").unlink()
        (inner / "l").unlink()
        (inner / "l").symlink_to("b")
        second = bench.sync()
        assert (not_done(second), second.exit) == ({}, Exit.OK)
        assert rsync_differences(bench.source, bench.member(), "-rlpHcniO") == ""
        assert sorted(os.listdir(mount)) == ["a", "hard", "l"]


@pytest.mark.root
def test_a_full_file_system_within_the_tree_keeps_nothing_half_made(bench: Bench) -> None:
    """The file that had no room there is told as failed, and its half is removed."""
    (bench.source / "m").mkdir()
    (bench.source / "m" / "large").write_bytes(os.urandom(2 << 20))
    bench.member().mkdir(parents=True)
    with small_disk(bench.member() / "m", "1m") as mount:
        report = bench.sync()
        assert not_done(report)["m/large"] == (Result.FAILED, "No space left on device")
        assert os.listdir(mount) == []


def test_a_changed_name_of_a_hard_linked_file_takes_all_names_along(bench: Bench) -> None:
    """New content under one name is new content under all; one that is split off becomes a file of its own."""
    (bench.source / "a").write_text("a")
    os.link(bench.source / "a", bench.source / "b")
    os.link(bench.source / "a", bench.source / "c")
    bench.sync()
    with open(bench.source / "a", "w") as file:
        file.write("changed in place")
    (bench.source / "c").unlink()
    (bench.source / "c").write_text("its own")
    assert (bench.sync().exit, bench.sync().plan.changes) == (Exit.OK, 0)
    assert rsync_differences(bench.source, bench.member(), "-rlpHcniO") == ""
    assert (bench.member() / "a").stat().st_ino == (bench.member() / "b").stat().st_ino


def test_more_directories_than_one_message_holds_all_get_their_modes(bench: Bench) -> None:
    """Modes and times of directories are set at the end, in several messages."""
    for number in range(2100):
        (bench.source / f"d{number:04}").mkdir(mode=0o751)
    report = bench.sync()
    assert (not_done(report), report.exit) == ({}, Exit.OK)
    assert {stat.S_IMODE(path.stat().st_mode) for path in bench.member().iterdir()} == {0o751}


def test_of_a_large_file_only_the_changed_blocks_travel(bench: Bench) -> None:
    """One byte in twenty megabytes costs a block or so."""
    body = bytearray(os.urandom(160 * BLOCK))
    (bench.source / "large").write_bytes(body)
    bench.sync()
    body[77 * BLOCK + 5] ^= 1
    (bench.source / "large").write_bytes(body + b"and a tail")
    with _counted(bench) as pipes:
        bench.sync()
    assert contents(bench.member()) == contents(bench.source)
    assert BLOCK < pipes[0].sent < 2 * BLOCK


def test_a_renamed_large_file_sends_no_content(bench: Bench) -> None:
    """The new name is built from the old one's blocks, on the member."""
    (bench.source / "old name").write_bytes(os.urandom(20 * BLOCK))
    bench.sync()
    (bench.source / "old name").rename(bench.source / "new name")
    with _counted(bench) as pipes:
        bench.sync()
    assert contents(bench.member()) == contents(bench.source)
    assert pipes[0].sent < BLOCK


# --- several admins -------------------------------------------------------------------------------------------------


def test_a_second_admin_on_the_same_member_is_refused(bench: Bench) -> None:
    """Two admin hosts have two stores; the kernel's lock on the member keeps them apart."""
    (bench.source / "a").write_text("a")
    bench.machine.timeout = 3.0
    with _locked_workshop(bench):
        report = bench.sync()
    assert only(report).state is MemberState.FAILED
    assert f"another run is changing {bench.member()}" in only(report).reason
    assert report.exit is Exit.LOCKED
    assert bench.sync().exit is Exit.OK


def test_a_run_of_another_admin_host_since_the_plan_is_named_and_nothing_is_mixed(bench: Bench) -> None:
    """Another store, another source: it came and went while this plan was read. One of the two changes the tree."""
    other = Bench(bench.folder / "other", bench.machine)
    (bench.source / "a").write_text("a of ours")
    (other.source / "b").write_text("b of theirs")

    def they_sync(plan: object) -> bool:
        tree = replace(other.agent(), declared=replace(other.agent().declared, path=str(bench.member())), by="ann@adm2")
        assert other.sync(agents=[tree]).exit is Exit.OK
        return True

    report = bench.sync(SyncOptions(open_guards=MEANT, confirm=they_sync))
    assert (report.exit, only(report).overtaken) == (Exit.LOCKED, True)
    assert " by ann@adm2, started 20" in report.stopped
    assert only(report).todo == "wait for it, then run again"
    assert contents(bench.member()) == {"b": b"b of theirs"}
    assert bench.sync().exit is Exit.OK
    other.store.close()


def test_another_run_between_the_apply_and_the_verification_is_named(bench: Bench) -> None:
    """What is looked at then is that run's doing, not ours."""
    (bench.source / "a").write_text("a")

    def they_begin() -> None:
        (bench.workshop() / "run").unlink()
        (bench.workshop() / "run").symlink_to(json.dumps({"run": "r2", "by": "ann@adm2", "since": 1.5e9}))

    _at(bench, "applied", they_begin)
    report = bench.sync()
    assert report.exit is Exit.LOCKED
    assert "r2 by ann@adm2, started 2017-07-14" in only(report).reason


def test_copies_into_one_folder_do_not_keep_each_other_out(bench: Bench) -> None:
    """Of a shared folder, each copy has its own names: there is nothing to be mixed."""
    bench.declared = replace(bench.declared, delete=Delete.NOTHING, exclude=("/*", "!/a"))
    (bench.source / "a").write_text("a")

    def they_copy(plan: object) -> bool:
        other = Bench(bench.folder / "other", bench.machine)
        (other.source / "b").write_text("b")
        declared = replace(other.agent().declared, path=str(bench.member()), exclude=("/*", "!/b"))
        assert other.sync(agents=[replace(other.agent(), declared=declared)]).exit is Exit.OK
        other.store.close()
        return True

    assert bench.sync(SyncOptions(open_guards=MEANT, confirm=they_copy)).exit is Exit.OK
    assert contents(bench.member()) == {"a": b"a", "b": b"b"}
    assert not bench.workshop().exists()


def test_an_earlier_run_on_the_member_is_waited_for(bench: Bench) -> None:
    """Its link was lost without a word: it lets go of the tree a while after, and that while is given to it."""
    (bench.source / "a").write_text("a")
    with _locked_workshop(bench) as let_go:
        _at(bench, "intended", let_go)
        assert bench.sync().exit is Exit.OK
    assert contents(bench.member()) == {"a": b"a"}


@contextmanager
def _locked_workshop(bench: Bench) -> Iterator[Callable[[], None]]:
    """As another admin host's run holds it; what is yielded lets go of it shortly after."""
    bench.workshop().mkdir(parents=True, mode=0o700)
    handle = os.open(bench.workshop(), os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    timer = threading.Timer(0.3, lambda: fcntl.flock(handle, fcntl.LOCK_UN))
    yield timer.start
    timer.cancel()
    os.close(handle)


def test_a_slow_line_is_no_silence(bench: Bench) -> None:
    """Whatever comes, be it a byte, begins the silence anew; an empty piece is a sign of life."""
    pipe = LocalProcess([sys.executable, *ARGUMENTS])
    request = {"operation": "ping", "arguments": {}, "patience": 2.0}
    pipe.send(bundle() + frames.pack(frames.REQUEST, json.dumps(request).encode()))
    pause = threading.Event()
    for byte in frames.pack(frames.DATA) + frames.pack(frames.DATA, b"ab"):
        pause.wait(0.25)
        pipe.send(bytes([byte]))
    pipe.send(frames.pack(frames.END))
    pipe.finish()
    said = b""
    while (output := pipe.receive(10.0)) is not None:
        said += output[1]
    assert said.endswith(frames.pack(frames.VALUE, b'{"bytes": 2}'))
    pipe.close()


def test_a_loop_lets_go_of_the_tree_where_the_admin_falls_silent(bench: Bench) -> None:
    """A half-open link: no end of its input ever comes, and still it must not keep the next run out."""
    pipe = LocalProcess([sys.executable, *ARGUMENTS])
    arguments = {"root": str(bench.member()), "run": "r"}
    request = {"operation": "apply", "arguments": arguments, "patience": 0.2}
    pipe.send(bundle() + frames.pack(frames.REQUEST, json.dumps(request).encode()))
    while pipe.receive(10.0) is not None:
        pass
    assert pipe.exit_code() == 0
    pipe.close()


def test_a_second_run_on_the_same_pool_names_who_holds_it(bench: Bench) -> None:
    """Locked, with name, host, pid and verb; nothing is looked at."""
    (bench.source / "a").write_text("a")
    other = SqliteStore(bench.folder / "state")
    holder = Holder("ann", "adm1", 4242, time.time(), "pool sync web")
    with (
        other.locks.hold(pool_scope("web"), holder, 0),
        pytest.raises(Locked, match=r"it is held by ann@adm1 \(pid 4242, `pool sync web`\)"),
    ):
        bench.sync()
    other.close()
    assert bench.sync().exit is Exit.OK


# --- limits ---------------------------------------------------------------------------------------------------------


def test_too_many_failures_end_a_rollout_before_the_next_batch(tmp_path: Path) -> None:
    """A canary that fails is the only one that was touched; the others are left, and it is said why."""
    rollout = Rollout((Amount(1), Amount(2)), max_fail=Amount(0))
    bench = Bench(tmp_path, members=4, rollout=rollout)
    try:
        (bench.source / "a").write_text("a")
        (bench.member(0) / "a").mkdir(parents=True)
        os.mkfifo(bench.member(0) / "a" / "fifo")
        report = bench.sync()
        left = [MemberState.FAILED, *[MemberState.LEFT] * 3]
        assert [member.state for member in report.members] == left
        assert (report.stopped, report.exit) == ("1 of 4 members failed or are away; max_fail is 0", Exit.PARTIAL)
        assert not bench.member(1).exists()
    finally:
        bench.close()


def test_batches_are_taken_in_turn(tmp_path: Path) -> None:
    """First one, then two at a time: no member of a batch begins before the last batch has ended."""
    bench = Bench(tmp_path, members=5, rollout=Rollout((Amount(1), Amount(2))))
    seen: list[Progress] = []
    bench.world = replace(bench.world, watch=seen.append)
    try:
        (bench.source / "a").write_text("a")
        assert bench.sync().exit is Exit.OK
        done = [step.server for step in seen if step.name in ("intended", "member done")]
        assert (set(done[:2]), set(done[2:6]), set(done[6:])) == ({"s0"}, {"s1", "s2"}, {"s3", "s4"})
    finally:
        bench.close()


def test_a_plan_that_deletes_much_is_refused_until_it_is_meant(bench: Bench) -> None:
    """The guard names the numbers and the flag; nothing is changed before it is forced."""
    _files(bench, 20)
    bench.sync()
    for number in range(10):
        (bench.source / f"f{number:02}").unlink()
    with pytest.raises(Refused, match=r"would delete 10 of 21 items \(48 %\).*--force-guard files.deletions"):
        bench.sync(SyncOptions())
    assert len(contents(bench.member())) == 20
    assert bench.sync(SyncOptions(open_guards=frozenset({"files.deletions"}))).exit is Exit.OK


def test_a_plan_that_is_no_longer_so_is_refused(bench: Bench) -> None:
    """`--plan ID` holds only as long as the plan is the same."""
    _files(bench, 1)
    with pytest.raises(Refused, match=r"the plan is now [0-9a-f]{12}, not 0123"):
        bench.sync(SyncOptions(plan="0123"))
    assert contents(bench.folder / "member0") == {}


def test_a_plan_that_is_not_confirmed_changes_nothing(bench: Bench) -> None:
    """The answer no ends the run without a trace in the journal."""
    _files(bench, 1)
    report = bench.sync(SyncOptions(confirm=lambda plan: False))
    assert (report.exit, report.run, bench.store.journal.runs(5)) == (Exit.REFUSED, "", [])
    assert contents(bench.folder / "member0") == {}


def test_a_member_that_is_lost_in_mid_run_is_deferred(tmp_path: Path) -> None:
    """It was seen, and its link is cut while it is changed: an outbox entry, and the others go on."""
    bench = Bench(tmp_path, members=2)
    try:
        (bench.source / "large").write_bytes(os.urandom(8 * BLOCK))
        bench.machine.wrap["s0"] = lambda pipe: Cut(pipe, 4 * BLOCK)
        report = bench.sync()
        assert [member.state for member in report.members] == [MemberState.DEFERRED, MemberState.CHANGED]
        assert [entry.server for entry in bench.store.backlog.entries(WEB)] == ["s0"]
        bench.machine.wrap.clear()
        assert [member.caught_up for member in bench.sync().members] == [1, 0]
    finally:
        bench.close()


def test_a_file_of_200_megabytes_passes_through_little_memory(tmp_path: Path) -> None:
    """The admin's peak stays below 150 MB, whatever a file's size."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.fixtures.bench import Bench\n"
        "from tests.laws.measure import peak_mb\n"
        "bench = Bench(Path(sys.argv[1]))\n"
        "report = bench.sync()\n"
        "bench.close()\n"
        "print(int(report.exit), int(peak_mb()))\n"
    )
    (tmp_path / "source").mkdir()
    block = os.urandom(1 << 20)
    with open(tmp_path / "source" / "large", "wb") as file:
        for number in range(200):
            file.write(number.to_bytes(4, "big") + block[4:])
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    exit_code, megabytes = map(int, ran.stdout.split())
    assert exit_code == 0
    assert megabytes < 150
    assert (tmp_path / "member0" / "tree" / "large").stat().st_size == 200 << 20


def test_a_member_without_python_is_told(bench: Bench) -> None:
    """The message names what is missing and what to do."""
    _files(bench, 1)
    bench.machine.python["s0"] = ("sh", "-c", 'echo "sh: 1: python3: not found" >&2; exit 127')
    report = bench.sync()
    assert only(report).reason == "python3 is missing"
    assert only(report).todo == "install it (3.6 or newer) or take the server out of the pool"
