"""Links and folders that other users control: a root session never writes where they would lead it."""

import multiprocessing
import os
import pwd
import shutil
import stat
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from multiall_cli.domain.exits import Exit
from multiall_cli.engine.sync import SyncOptions
from multiall_cli.remote.ops.dirfd import PathWalk, make_directory, open_directory
from multiall_cli.remote.refusal import Refusal
from tests.fixtures.bench import MEANT, Bench, only
from tests.limits import HANG
from tests.scale import share

pytestmark = pytest.mark.root

STRANGER = 12345
SWAPS = share(10_000, 500)
_FORKED = multiprocessing.get_context("fork")


# --- which folders lead where ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Folder:
    """A directory with its owner (and a group of the same number) and its mode; `link`: to a directory of root's."""

    owner: int = 0
    mode: int = 0o755
    link: bool = False


def _make(parent: Path, name: str, made: Folder) -> Path:
    path = parent / name
    if made.link:
        path.symlink_to(parent.parent / "elsewhere")
        os.chown(path, made.owner, made.owner, follow_symlinks=False)
    else:
        path.mkdir()
        os.chown(path, made.owner, made.owner)
        path.chmod(made.mode)
    return path


FOLLOWED = {
    "root's folder": (Folder(), Folder()),
    "a user's folder in root's": (Folder(), Folder(STRANGER)),
    "a user's folder in that user's": (Folder(STRANGER), Folder(STRANGER)),
    "a folder open to all, in one open to all": (Folder(0, 0o777), Folder(0, 0o777)),
    "root's folder in a sticky one": (Folder(0, 0o1777), Folder()),
    "a user's folder in a sticky one": (Folder(0, 0o1777), Folder(STRANGER)),
    "a group's folder in that group's": (Folder(0, 0o775), Folder(0, 0o775)),
    "root's link in root's folder": (Folder(), Folder(link=True)),
}

REFUSED = {
    "root's folder in a user's": (Folder(STRANGER), Folder()),
    "another user's folder in a user's": (Folder(STRANGER), Folder(STRANGER + 1)),
    "root's folder in a user's sticky one": (Folder(STRANGER, 0o1777), Folder()),
    "root's folder in one open to all": (Folder(0, 0o777), Folder()),
    "a user's folder in one open to all": (Folder(0, 0o777), Folder(STRANGER)),
    "root's link in a user's folder": (Folder(STRANGER), Folder(link=True)),
    "root's link in a folder open to all": (Folder(0, 0o777), Folder(link=True)),
    "root's link in a sticky folder": (Folder(0, 0o1777), Folder(link=True)),
    "a user's link in root's folder": (Folder(), Folder(STRANGER, link=True)),
}


@pytest.mark.parametrize(("holder", "child"), FOLLOWED.values(), ids=FOLLOWED)
def test_a_step_that_nobody_else_can_turn_is_made(tmp_path: Path, holder: Folder, child: Folder) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = _make(_make(tmp_path, "holder", holder), "child", child)
    os.close(open_directory(os.fsencode(path)))


@pytest.mark.parametrize(("holder", "child"), REFUSED.values(), ids=REFUSED)
def test_a_step_that_others_can_turn_is_refused(tmp_path: Path, holder: Folder, child: Folder) -> None:
    """Whoever may write to a folder can put another directory or link under that name, root's own included."""
    (tmp_path / "elsewhere").mkdir()
    path = _make(_make(tmp_path, "holder", holder), "child", child)
    with pytest.raises(Refusal) as told:
        open_directory(os.fsencode(path))
    assert "child of" in told.value.what
    assert told.value.todo


def test_a_group_of_one_trusted_user_alone_is_no_stranger(tmp_path: Path) -> None:
    """Root's own group may write to root's folder: nobody else is in it."""
    holder = tmp_path / "holder"
    holder.mkdir()
    holder.chmod(0o775)
    (holder / "child").mkdir()
    os.close(open_directory(os.fsencode(holder / "child")))


def test_the_way_back_leads_where_the_way_there_came_from(tmp_path: Path) -> None:
    """A link's text may have `..`: a user moves the directory that we are in, to where other things are above it."""
    _make(_make(tmp_path, "holder", Folder(STRANGER)), "child", Folder(STRANGER))
    walk = PathWalk(os.fsencode(tmp_path / "holder" / "child" / ".."))
    try:
        while walk.left != [b".."]:
            walk.step()
        os.rename(tmp_path / "holder" / "child", tmp_path / "child")
        with pytest.raises(Refusal, match="was moved meanwhile"):
            walk.step()
        os.rename(tmp_path / "child", tmp_path / "holder" / "child")
    finally:
        walk.close()
    os.close(open_directory(os.fsencode(tmp_path / "holder" / "child" / ".." / ".." / "holder")))


def _with_acl(path: Path, users: dict[int, int], group: int) -> None:
    """An ACL: rights by user, and those of the folder's own group; the mask lets all of them be."""
    entries = [(1, 7, _NOBODY), *((2, rights, user) for user, rights in sorted(users.items()))]
    entries += [(4, group, _NOBODY), (16, 7, _NOBODY), (32, 5, _NOBODY)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", packed)


_NOBODY = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("holder", "child", "refused"),
    [
        (({STRANGER: 7}, 5), ({}, 7), f"user {STRANGER}"),
        (({STRANGER: 7}, 5), ({STRANGER: 5}, 5), f"user {STRANGER}"),
        (({}, 7), ({STRANGER: 7}, 5), f"group {STRANGER}"),
        (({STRANGER: 7}, 5), ({STRANGER: 7}, 5), ""),
        (({STRANGER: 5}, 5), ({}, 5), ""),
    ],
    ids=["another's child", "read only child", "mask is not the group", "theirs", "nobody writes"],
)
def test_who_an_acl_names_counts_by_its_rights(
    tmp_path: Path, holder: tuple[dict[int, int], int], child: tuple[dict[int, int], int], refused: str
) -> None:
    """The group's bits of the mode are the mask, and say nothing of the group or of who is named."""
    path = _make(_make(tmp_path, "holder", Folder()), "child", Folder())
    for each, (users, group) in ((path.parent, holder), (path, child)):
        os.chown(each, 0, STRANGER)
        _with_acl(each, users, group)
    if refused:
        with pytest.raises(Refusal, match=f"but {refused} can replace it"):
            open_directory(os.fsencode(path))
    else:
        os.close(open_directory(os.fsencode(path)))


def test_a_user_controls_what_a_group_of_theirs_can_write_to(tmp_path: Path) -> None:
    """`www-data` owns a site; its folder for uploads is a deployer's, and open to that user's group."""
    user = pwd.getpwnam("www-data")
    path = _make(_make(tmp_path, "holder", Folder(user.pw_uid)), "child", Folder(STRANGER, 0o775))
    os.chown(path, STRANGER, user.pw_gid)
    os.close(open_directory(os.fsencode(path)))
    path.chmod(0o755)
    with pytest.raises(Refusal):
        open_directory(os.fsencode(path))


@pytest.mark.parametrize(("group", "is_safe"), [("staff", True), ("www-data", False)])
def test_an_empty_group_of_the_system_is_no_stranger(tmp_path: Path, group: str, is_safe: bool) -> None:
    """/var/local is root:staff with mode 2775 on Debian; a service's own group has that service in it."""
    holder = tmp_path / "holder"
    (holder / "child").mkdir(parents=True)
    shutil.chown(holder, 0, group)
    holder.chmod(0o2775)
    if is_safe:
        os.close(open_directory(os.fsencode(holder / "child")))
        return
    with pytest.raises(Refusal):
        open_directory(os.fsencode(holder / "child"))


def test_who_shares_a_folder_with_a_group_of_theirs_may_use_it() -> None:
    """Two admins who keep a site in a folder of their group; for root the same group is a stranger."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        holder = _make(Path(folder), "holder", Folder(0, 0o775))
        os.chown(holder, 0, STRANGER)
        path = _make(holder, "child", Folder(STRANGER))
        with pytest.raises(Refusal, match=f"group {STRANGER} can replace it"):
            open_directory(os.fsencode(path))
        walk = _FORKED.Process(target=_open_as_stranger, args=(path,))
        walk.start()
        walk.join(HANG)
        assert walk.exitcode == 0


def _open_as_stranger(path: Path) -> None:
    os.setgroups([])
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    open_directory(os.fsencode(path))


def test_what_is_made_in_a_users_folder_is_that_users(tmp_path: Path) -> None:
    """Else the next session would have to refuse it."""
    holder = _make(tmp_path, "holder", Folder(STRANGER))
    os.close(make_directory(os.fsencode(holder / "a" / "b")))
    assert [(holder / name).stat().st_uid for name in ("a", "a/b")] == [STRANGER, STRANGER]
    os.close(make_directory(os.fsencode(holder / "a" / "b")))


def test_nothing_is_made_where_anybody_could_rename_it(tmp_path: Path) -> None:
    holder = _make(tmp_path, "holder", Folder(0, 0o777))
    with pytest.raises(Refusal, match="everyone can rename it"):
        make_directory(os.fsencode(holder / "a"))
    assert os.listdir(holder) == []


def test_what_a_link_leads_to_is_not_made(tmp_path: Path) -> None:
    """The disk that it leads to may just not be mounted."""
    (tmp_path / "www").symlink_to(tmp_path / "disk" / "www")
    with pytest.raises(FileNotFoundError):
        make_directory(os.fsencode(tmp_path / "www" / "app"))
    assert os.listdir(tmp_path) == ["www"]


# --- syncs against an unprivileged user ---------------------------------------------------------------------------


@pytest.fixture
def home(warm_bench: Bench) -> Iterator[Bench]:
    """A member whose tree lies in a user's folder; beside the member's folder lies a victim of root's."""
    bench = warm_bench
    bench.member().parent.mkdir()
    os.chown(bench.member().parent, STRANGER, STRANGER)
    victim = bench.folder / "victim"
    victim.mkdir(mode=0o700)
    (victim / "precious").write_text("precious")
    (bench.source / "precious").write_text("ours")
    yield bench
    assert {path.name: path.read_text() for path in victim.iterdir()} == {"precious": "precious"}


def test_a_link_of_roots_that_a_user_moved_is_not_followed(home: Bench) -> None:
    """An earlier sync made the link, as root, in a folder of the user; the user gives it the name of a tree."""
    www = home.member().parent / "www"
    www.mkdir()
    os.chown(www, STRANGER, STRANGER)
    (www / "data").symlink_to(home.folder / "victim")
    os.rename(www / "data", home.member())
    report = home.sync()
    assert report.exit is Exit.PARTIAL
    assert f"in a folder that user {STRANGER} can write to; following it as user 0 is not safe" in only(report).reason


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_a_root_that_is_swapped_while_the_plan_is_read_is_refused(home: Bench, kind: str) -> None:
    """The plan was made for another directory: not one of its changes is made in this one."""
    assert home.sync().exit is Exit.OK
    (home.source / "precious").write_text("ours, changed")
    other = home.member().with_name("other")

    def swap(plan: object) -> bool:
        if kind == "link":
            other.symlink_to(home.folder / "victim")
        else:
            other.mkdir()
            os.chown(other, STRANGER, STRANGER)
            (other / "precious").write_text("ours")
        os.rename(home.member(), home.member().with_name("before"))
        os.rename(other, home.member())
        return True

    report = home.sync(SyncOptions(open_guards=MEANT, confirm=swap))
    assert report.exit is Exit.PARTIAL
    words = "is a symbolic link" if kind == "link" else "the tree's root is no longer the directory that was observed"
    assert words in only(report).reason


def test_a_staging_folder_of_another_tree_is_refused(home: Bench) -> None:
    """The user renames the one that root made for another tree: it would be emptied as this one's."""
    assert home.sync().exit is Exit.OK
    os.rename(home.workshop(), home.workshop().with_name(".multiall-other"))
    agent = home.agent()
    other = replace(agent, declared=replace(agent.declared, path=str(home.member().with_name("other"))))
    report = home.sync(agents=[other])
    assert "is not the staging folder of" in only(report).reason


def test_a_staging_folder_that_bears_no_name_is_refused_each_time(home: Bench) -> None:
    """That of an earlier release, which the user may have taken from any tree: a second try is no answer."""
    workshop = home.workshop()
    workshop.mkdir(mode=0o700)
    (workshop / "trash").mkdir(mode=0o700)
    (workshop / "trash" / "precious").mkdir()
    (home.source / "a").write_text("a")
    for _ in range(2):
        assert "is not the staging folder of" in only(home.sync()).reason


def test_syncs_while_a_user_swaps_the_root_never_write_outside(home: Bench) -> None:
    """An unprivileged process names its own directory, root's link and root's folder as the tree is named."""
    ended, swaps = _FORKED.Event(), _FORKED.Value("q", 0)
    holder = home.member().parent
    (holder / "mine").mkdir()
    os.chown(holder / "mine", STRANGER, STRANGER)
    (holder / "link").symlink_to(home.folder / "victim")
    (holder / "folder").mkdir(mode=0o700)
    (holder / "folder" / "precious").write_text("precious")
    attacker = _FORKED.Process(target=_swap, args=(str(holder), home.member().name, ended, swaps), daemon=True)
    attacker.start()
    refused = 0
    try:
        turn = 0
        while swaps.value < SWAPS or turn < 20:
            turn += 1
            (home.source / "precious").write_text(f"{turn}")
            refused += home.sync().exit is not Exit.OK
    finally:
        ended.set()
        attacker.join()
    kept = [holder / name / "precious" for name in ("folder", home.member().name) if _is_roots(holder / name)]
    assert [path.read_text() for path in kept] == ["precious"]
    assert refused > 0


def _is_roots(path: Path) -> bool:
    found = path.lstat() if path.is_symlink() or path.exists() else None
    return found is not None and stat.S_ISDIR(found.st_mode) and found.st_uid == 0


def _swap(holder: str, name: str, ended: Event, swaps: "Synchronized[int]") -> None:
    """Rename each in turn to the tree's name and back, with a user's rights."""
    os.chdir(holder)  # the way to it is root's alone
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    while not ended.is_set():
        for each in ("mine", "link", "mine", "folder"):
            try:
                os.rename(each, name)
                os.rename(name, each)
            except OSError:
                continue
            swaps.value += 1
