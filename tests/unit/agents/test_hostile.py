"""What a hostile member sends is data: it is told as garbage of that member, and ends nobody else's run."""

import json
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.agents.files import FileItem, FileKind, file_tree
from multiall_cli.agents.files.content import Content, NoContent, split_hashes
from multiall_cli.agents.files.item import TOP
from multiall_cli.agents.files.scanned_tree import MISSING, inflate, unpack
from multiall_cli.agents.files.source import Source
from multiall_cli.agents.files.stream import Stream, Transfer
from multiall_cli.agents.files.wire import read_bounded
from multiall_cli.domain.change import Change, Result
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import ADMIN, FilesDeclaration, Link, Server
from multiall_cli.remote.formats import tree_records
from multiall_cli.remote.formats.transfer import BLOCK, CHANGE, DONE, RAW
from tests.fixtures.told import Remembered
from tests.limits import HANG

BAD = Server(name="bad", address="192.0.2.1", link=Link.SSH)
STAT = SimpleNamespace(st_mode=0o644, st_uid=0, st_gid=0, st_size=3, st_mtime_ns=1, st_ctime_ns=1, st_ino=1)


NO_CONTENT: Content = None  # type: ignore[assignment]  # a stream's answer asks nothing of it


@dataclass
class Told:
    """An answer that was prepared."""

    told: Iterable[bytes]
    said: Mapping[str, object]

    def pieces(self) -> Iterator[bytes]:
        yield from self.told

    def value(self) -> Mapping[str, object]:
        return self.said


@dataclass
class Liar:
    """A session whose member answers every operation as it was told to."""

    answers: dict[str, Told]
    server: Server = BAD
    asked: list[str] = field(default_factory=list)

    def call(self, operation: str, payload: Iterable[bytes] = (), timeout: float | None = None, **_: object) -> Told:
        self.asked.append(operation)
        list(payload)
        return self.answers[operation]

    def close(self) -> None:
        return


def _record(path: bytes, kind: bytes = tree_records.LINK, target: bytes = b"x") -> bytes:
    return tree_records.pack(kind, 0, STAT, path, target)


PATHS = (b"../x", b"/etc", b"a/../b", b"a//b", b"a/", b".", b"..", b"a\0b", b"", b"./a", b"x" * 5000)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_leads_out_of_the_tree_is_garbage(path: bytes) -> None:
    """As a name, and as the first name of a hard link."""
    for packed in (_record(path), _record(b"ok", tree_records.HARDLINK, path)):
        with pytest.raises(MemberFault, match="its answer to 'scan' is garbage: the path"):
            unpack("bad", packed, {}, {})


def test_a_links_text_is_only_text() -> None:
    """It may be anything: it is never followed."""
    entries = unpack("bad", _record(b"l", target=b"../../etc"), {}, {})
    assert entries["l"].target == "../../etc"


@given(st.binary(max_size=300))
def test_any_records_are_entries_or_garbage(noise: bytes) -> None:
    """Nothing else comes of them."""
    try:
        entries = unpack("bad", noise, {}, {})
    except MemberFault:
        return
    assert all(path and not path.startswith("/") for path in entries)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.just("²"), inner, max_size=3),
    max_leaves=6,
)
_values = st.dictionaries(
    st.sampled_from(["root", "same", "digest", "users", "groups", "problems", "problem_count", "top", "now", "size"]),
    _json | st.sampled_from(["directory", "x" * 64]),
)


@given(_values, st.booleans())
def test_any_value_of_a_scan_is_a_tree_or_garbage(said: dict[str, object], with_root: bool) -> None:
    """Numbers as large as they like, names of users that are no numbers, digests that are none."""
    said = {**said, "root": "directory"} if with_root else said
    agent = file_tree(FilesDeclaration("/srv", "/source"), {}, Remembered())  # type: ignore[arg-type]
    content = _content()
    source = Source(replace(MISSING, missing=False), {TOP: FileItem(FileKind.DIRECTORY)}, frozenset(), content)
    agent = replace(agent, was_read=source)
    content.close()
    try:
        found = agent.observe(Liar({"scan": Told([zlib.compress(_record(b"a"))], said)}))  # type: ignore[arg-type]
    except MemberFault:
        return
    assert set(found) <= {TOP, "a"}


def test_an_unchanged_tree_that_was_never_told_is_garbage() -> None:
    """`same` means something only where there is something to be the same as."""
    agent = file_tree(FilesDeclaration("/srv", "/source"), {}, Remembered())  # type: ignore[arg-type]
    with pytest.raises(MemberFault, match="garbage"):
        agent.read({ADMIN.name: Liar({"scan": Told([], {"root": "directory", "same": True, "digest": "0" * 64})})})  # type: ignore[arg-type]


def test_a_cache_that_is_broken_costs_time_and_no_truth() -> None:
    """What cannot be unpacked is asked for again."""
    memory = Remembered()
    agent = file_tree(FilesDeclaration("/srv", "/source"), {}, memory)  # type: ignore[arg-type]
    complete = Told([zlib.compress(_record(b"a"))], {"root": "directory", "same": False, "digest": "0" * 64})
    agent.read({ADMIN.name: Liar({"scan": complete})}).release()  # type: ignore[arg-type]
    (key,) = (each for each in memory.cache.values if each.startswith("scan:"))
    memory.cache.values[key] = memory.cache.values[key][:32] + b"broken"
    session = Liar({"scan": complete})
    agent.read({ADMIN.name: session}).release()  # type: ignore[arg-type]
    assert session.asked == ["scan"]


def test_a_bomb_is_not_unpacked() -> None:
    """A member cannot make the admin hold more than the limit."""
    bomb = zlib.compress(bytes(1 << 20))
    with pytest.raises(MemberFault, match="more than 1000 bytes of records"):
        inflate("bad", [bomb], 1000)


@pytest.mark.parametrize("pieces", [[b"no zlib"], [zlib.compress(_record(b"a") * 9)[:-5]]])
def test_records_that_do_not_unpack_to_their_end_are_garbage(pieces: list[bytes]) -> None:
    """Half a tree must not look like a tree: what is missing would be deleted."""
    with pytest.raises(MemberFault, match="garbage"):
        inflate("bad", pieces)


def test_cut_off_block_hashes_are_garbage() -> None:
    """One of two files is told."""
    with pytest.raises(MemberFault, match="cut off"):
        split_hashes(b"\0\0\0\0", 2, "bad")


def _content(*pieces: bytes) -> Content:
    return Content(Liar({"read_blocks": Told(pieces, {})}), "/source")  # type: ignore[arg-type]


def _piece(what: bytes, index: int, number: int, body: bytes = b"abc") -> bytes:
    return what + index.to_bytes(4, "big") + number.to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "pieces",
    [
        [b"x"],
        [],
        [_piece(DONE, 0, 0)],
        [_piece(RAW, 7, 0)],
        [_piece(RAW, 0, 99)],
        [_piece(CHANGE, 0, 0)],
        [_piece(RAW, 0, 0, bytes(BLOCK + 1))],
    ],
    ids=["cut off", "nothing", "no block", "another file", "another block", "a change", "more than a block"],
)
def test_a_source_that_sends_nonsense_makes_no_one_wait(pieces: list[bytes]) -> None:
    """Whoever waits for a block hears that it will not come."""
    content = _content(*pieces)
    content.want({"a": (FileItem(FileKind.FILE, size=3), [0])})
    with pytest.raises(NoContent):
        list(content.pieces("a", [0]))
    content.close()


def test_verdicts_that_are_none_leave_their_changes_failed() -> None:
    """Exactly one outcome per change, whatever the member tells; a word that is too long is cut."""
    changes = [Change(f"{at}", None, FileItem(FileKind.DIRECTORY)) for at in range(4)]
    stream = Stream([Transfer(change) for change in changes], NO_CONTENT, {})
    lines = [[0, "done", "", None], [0, "failed", "again", None], [9, "done", "", None],
             [2, "conflict", "x" * 9999, None], [3, "maybe", "", None], [3, "done", ""], 5]  # fmt: skip
    told = b"\n".join(json.dumps(line).encode() for line in lines) + b"\n[1, \xff\n" + b"[" * 5000
    outcomes = list(stream.outcomes(told))
    assert [each.result for each in outcomes] == [Result.DONE, Result.FAILED, Result.CONFLICT, Result.FAILED]
    assert len(outcomes[2].detail) == 500


@given(st.binary(max_size=200))
def test_any_verdicts_give_one_outcome_per_change(noise: bytes) -> None:
    """In the order of the changes."""
    changes = [Change("a", None, FileItem(FileKind.DIRECTORY)), Change("b", None, FileItem(FileKind.DIRECTORY))]
    outcomes = list(Stream([Transfer(change) for change in changes], NO_CONTENT, {}).outcomes(noise))
    assert [each.change for each in outcomes] == changes


@pytest.mark.parametrize(
    "told", [[1, 2, 3], [1, 2, 3, "4"], [-1, 0, 0, 0], [1 << 63, 0, 0, 0], [0, 0, 0, 1 << 64], "abcd"]
)
def test_an_identity_that_is_none_is_not_remembered(told: object) -> None:
    """What cannot be one is as good as not told; the file is read when it is looked at again."""
    change = Change("a", None, FileItem(FileKind.FILE, size=1, digest="ab" * 32))
    stream = Stream([Transfer(change)], NO_CONTENT, {})
    assert [each.result for each in stream.outcomes(json.dumps([0, "done", "", told]).encode())] == [Result.DONE]
    assert stream.written == {}
    list(stream.outcomes(json.dumps([0, "done", "", [1, 2, 3, 4]]).encode()))
    assert stream.written == {"a": ((1, 2, 3, 4), bytes.fromhex("ab" * 32))}


def test_a_source_that_is_slow_is_waited_for_with_signs_of_life() -> None:
    """The member hears from us meanwhile: what it would take for a lost link is only a slow source."""
    go = threading.Event()

    def late() -> Iterator[bytes]:
        go.wait(HANG)
        yield _piece(RAW, 0, 0)

    content = Content(Liar({"read_blocks": Told(late(), {})}), "/source", sign_of_life=0.01)  # type: ignore[arg-type]
    content.want({"a": (FileItem(FileKind.FILE, size=3), [0])})
    pieces = content.pieces("a", [0])
    assert [next(pieces), next(pieces)] == [b"", b""]
    go.set()
    assert [each for each in pieces if each] == [_piece(RAW, 0, 0)]
    content.close()


def test_a_block_that_comes_twice_is_garbage() -> None:
    """A source cannot fill the disk of the admin host by sending one block for ever."""
    content = _content(_piece(RAW, 0, 0), _piece(RAW, 0, 0))
    content.want({"a": (FileItem(FileKind.FILE, size=3), [0]), "b": (FileItem(FileKind.FILE, size=3), [0])})
    assert len(list(content.pieces("a", [0]))) == 1
    with pytest.raises(NoContent, match="no one asked for"):
        list(content.pieces("b", [0]))
    content.close()


def test_an_endless_answer_is_not_held() -> None:
    """Digests, hashes and verdicts are as many as were asked for."""
    sent = []

    def endless() -> Iterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield bytes(100)

    with pytest.raises(MemberFault, match="its answer to 'digest' is garbage: more than 330 bytes"):
        read_bounded("bad", "digest", Told(endless(), {}), 330)
    assert len(sent) == 4
