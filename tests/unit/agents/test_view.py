"""What of a tree is looked at, in which order it is changed, and what of it travels."""

import json

import pytest

from multiall_cli.agents.files import FileItem, FileKind, comparison
from multiall_cli.agents.files.item import TOP, Found
from multiall_cli.agents.files.stream import Transfer, commit_order, settling, transfers
from multiall_cli.domain.change import Change
from multiall_cli.domain.inventory import Delete, FilesDeclaration
from multiall_cli.remote.formats.transfer import BLOCK

FOLDER, FILE = FileItem(FileKind.DIRECTORY, mode=0o755), FileItem(FileKind.FILE, 3, "abc")
HOLDS_MORE = FileItem(FileKind.DIRECTORY, found=Found(holds_more=True))


def _link(target: str) -> FileItem:
    return FileItem(FileKind.LINK, target=target)


def _hard(target: str) -> FileItem:
    return FileItem(FileKind.HARDLINK, target=target)


FOUND = {
    "same": FILE,
    "extra": FILE,
    "changed": FILE,
    "d": FOLDER,
    "d/extra": FILE,
    "d/stranger": FILE,
    "kept": HOLDS_MORE,
    "kept/extra": FILE,
    "link": _link("a"),
    "link changed": _link("elsewhere"),
    "hard": _hard("extra"),
}
DIGESTS = dict.fromkeys(FOUND, "abc") | {"changed": "other"}
DEPLOYED = {
    "extra": "abc",
    "changed": "abc",
    "d": "/",
    "d/extra": "abc",
    "kept": "/",
    "kept/extra": "abc",
    "link": "→ a",
    "link changed": "→ a",
    "hard": "abc",
}


@pytest.mark.parametrize(
    ("delete", "concerned"),
    [
        (Delete.NOTHING, {"same"}),
        (Delete.DEPLOYED, {"same", "extra", "d/extra", "kept/extra", "link", "hard"}),
        (Delete.EVERYTHING, set(FOUND) - {"kept"}),
    ],
)
def test_what_a_plan_is_about(delete: Delete, concerned: set[str]) -> None:
    """The source's paths, and by `delete` what else goes; a directory that holds what no scan takes in never does."""
    assert comparison.concerned(FOUND, {"same": FILE}, DEPLOYED, DIGESTS, delete) == concerned


def test_a_deployed_directory_goes_when_all_in_it_goes() -> None:
    """And stays as long as a stranger is in it."""
    found = {path: FOUND[path] for path in ("same", "d", "d/extra")}
    assert comparison.concerned(found, {"same": FILE}, DEPLOYED, DIGESTS, Delete.DEPLOYED) == {"same", "d", "d/extra"}


def test_only_files_whose_content_decides_something_are_read() -> None:
    """Equal sizes, what may be deleted by any of its names, and large files that may have been renamed."""
    large = FileItem(FileKind.FILE, 1 << 20)
    found = {
        "equal": FILE,
        "other": FileItem(FileKind.FILE, 4),
        "old": large,
        "gone": FILE,
        "alien": FILE,
        "name": _hard("alien"),
    }
    source = {"equal": FILE, "other": FILE, "new": large}
    assert comparison.worth_hashing(found, source, {"gone": "abc"}) == ["equal", "old", "gone"]
    assert comparison.worth_hashing(found, source, {"name": "abc"}) == ["equal", "old", "alien"]


@pytest.mark.parametrize(
    ("declared", "mode", "owner", "mtime"),
    [
        (FilesDeclaration("/srv", "/src"), 0o640, None, None),
        (FilesDeclaration("/srv", "/src", owner="www", file_mode=0o600), 0o600, "www", None),
        (FilesDeclaration("/srv", "/src", owner="source", times=True), 0o640, "ann", 7),
    ],
)
def test_a_declaration_says_what_is_wanted_and_what_is_compared(
    declared: FilesDeclaration, mode: int, owner: str | None, mtime: int | None
) -> None:
    """What is not declared is neither set nor compared."""
    item = FileItem(FileKind.FILE, 3, mode=0o640, owner="ann", group="staff", xattrs="00", found=Found(0o640, 7))
    wanted = comparison.wanted(item, declared, "abc")
    assert (wanted.mode, wanted.owner, wanted.mtime, wanted.xattrs, wanted.digest) == (mode, owner, mtime, None, "abc")
    observed = comparison.observed(item, declared, "abc")
    assert (observed.owner is None, observed.mtime, observed.xattrs) == (owner is None, mtime, None)


def _change(path: str, before: FileItem | None, after: FileItem | None) -> Change[FileItem]:
    return Change(path, before, after)


def test_a_tree_is_changed_in_an_order_that_works() -> None:
    """What is in the way first, directories before what they hold, hard links after their files, deletions last."""
    changes = [
        _change("a", None, _hard("z")),
        _change("d", FOLDER, FILE),
        _change("d/x", FOLDER, None),
        _change("d/x/y", FILE, None),
        _change("gone", FOLDER, None),
        _change("gone/x", FILE, None),
        _change("new", None, FOLDER),
        _change("new/x", None, FILE),
        _change("new.x", None, FILE),
        _change("z", FILE, FileItem(FileKind.FILE, 3, "new")),
    ]
    order = ["d/x/y", "d/x", "d", "new", "new/x", "new.x", "z", "a", "gone/x", "gone"]
    assert [change.key for change in commit_order(changes)] == order


LARGE = FileItem(FileKind.FILE, 4 * BLOCK, "new")
OLD = FileItem(FileKind.FILE, 4 * BLOCK, "old")
HASHES = [bytes([number]) * 16 for number in range(4)]


def _one(change: Change[FileItem], staged: tuple[str, ...] = (), there: list[bytes] | None = None) -> Transfer:
    sent = transfers([change], staged, {"a": there} if there else {}, {"a": HASHES} if there else {})
    return sent[0]


def test_what_travels() -> None:
    """Nothing of what is staged, renamed or only dressed; of a changed large file the blocks that differ; else all."""
    update = _change("a", OLD, LARGE)
    moved = transfers([_change("old", LARGE, None), _change("a", None, LARGE)], (), {}, {})[1]
    found = [
        _one(_change("a", None, LARGE)).blocks,
        _one(update, there=[HASHES[0], b"?" * 16, HASHES[2]]).blocks,
        _one(update, ("new-7",)).staged,
        (moved.blocks, moved.base and moved.base[0]),
        _one(_change("a", LARGE, FileItem(FileKind.FILE, 4 * BLOCK, "new", mode=0o600))).blocks,
        _one(_change("a", LARGE, None)).blocks,
        _one(_change("a", None, FileItem(FileKind.FILE, 0, "empty"))).blocks,
    ]
    assert found == [(0, 1, 2, 3), (1, 3), "new-7", ((), "old"), (), (), ()]


def test_a_staged_file_is_taken_once() -> None:
    """Two files of one content: the second is sent."""
    sent = transfers([_change("a", None, LARGE), _change("b", None, LARGE)], ["new-1"], {}, {})
    assert [(each.staged, len(each.blocks)) for each in sent] == [("new-1", 0), ("", 4)]


def test_directories_are_dressed_at_the_end() -> None:
    """Those that change, with all; those that are changed in, with their time."""
    desired = {TOP: FOLDER, "d": FOLDER, "d/new": FOLDER, "d/new/x": FILE}
    told = settling([_change("d/new", None, FOLDER), _change("d/new/x", None, FILE)], desired)
    by_path = {each["path"]: each for each in told}
    assert by_path["d"] == {"path": "d", "mtime": 0}
    assert (by_path["d/new"]["index"], by_path["d/new"]["mode"]) == (0, 0o755)
    assert json.loads(json.dumps(told)) == told
