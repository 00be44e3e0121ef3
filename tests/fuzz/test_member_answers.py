"""What members answer to each operation: any JSON, records and pieces are a tree, an outcome or that member's fault."""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.clock import SystemClock
from multiall_cli.agents.files import FileTree, file_tree
from multiall_cli.agents.files.item import TOP
from multiall_cli.cli.options import Format, Given
from multiall_cli.cli.render import servers as render
from multiall_cli.cli.render.pools import plan as plan_view
from multiall_cli.cli.render.result import show
from multiall_cli.domain.change import Result
from multiall_cli.domain.errors import MemberFault, MultiAllError, Refused, Unreachable
from multiall_cli.domain.inventory import ADMIN, Delete, FilesDeclaration, Link, Server
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.scope import pool_scope
from multiall_cli.engine.context import Context
from multiall_cli.engine.doctor import examine
from multiall_cli.engine.execute import facts
from multiall_cli.engine.observe import observe
from multiall_cli.planning.diff import diff
from multiall_cli.remote import frames
from multiall_cli.remote.formats import tree_records
from multiall_cli.remote.formats.transfer import BLOCK, DONE, FAILED, PACKED, RAW
from tests.fixtures.bench import contents
from tests.fixtures.contexts import context
from tests.fixtures.desk import printed
from tests.fixtures.told import Remembered, ToldPipe, ToldTransport, answer, greeted
from tests.fuzz.cases import cases
from tests.fuzz.documents import SIGNS, nasty, reshaped
from tests.fuzz.verdict import controls, ended_well, within

BAD = Server(name="bad", address="192.0.2.1", link=Link.SSH)
CONTENT = b"some content\n"
FACTS = {
    "hostname": "web1", "system": "Debian", "kernel": "6.1", "python": "3.11.2", "user": "root", "uid": 0, "cpus": 2,
    "memory": 2**31, "uptime": 1.5, "now": 1.7e9, "machine_id": "abc", "version": "12",
}  # fmt: skip
SCAN = {
    "root": "directory", "same": False, "digest": "0" * 64, "size": 9, "entries": 3, "users": {"0": "root"},
    "groups": {"0": "root"}, "problems": [], "problem_count": 0, "top": [493, 0, 0, 10**18], "now": 1.7e9, "uid": 0,
}  # fmt: skip

_json = st.one_of(nasty.filter(lambda value: not isinstance(value, str) or value.isprintable()), nasty)
_numbers = st.integers(0, 2**32 - 1)
_honest = SimpleNamespace(st_mode=0o644, st_uid=0, st_gid=0, st_size=13, st_mtime_ns=10**18, st_ctime_ns=1, st_ino=7)
PATHS = (b"a", b"b", b"d", b"d/x", b"d/y/z", b"big", b"l", b"l/x", b"../outside/new", b"..", b".", b"/x", b"a\0", b"")
ODD_PATHS = (
    *(sign.encode("utf-8", "surrogatepass") for sign in SIGNS),
    b"\xff\xfe",
    b"x" * 256,
    b".multiall-x",
    b"a/" * 60,
)
_paths = st.one_of(st.sampled_from(PATHS), st.sampled_from([*PATHS, *ODD_PATHS]), st.binary(max_size=8))


def _packed(sizes: Sequence[int]) -> st.SearchStrategy[bytes]:
    """Records of a scan, whole, cut off or not packed at all."""
    stats = st.builds(
        SimpleNamespace, st_mode=_numbers, st_uid=_numbers, st_gid=_numbers, st_size=st.sampled_from(sizes),
        st_mtime_ns=st.sampled_from([0, -1, 10**18, 2**63 - 1, -(2**63)]), st_ctime_ns=st.just(0), st_ino=_numbers,
    )  # fmt: skip
    kinds = st.sampled_from(
        [tree_records.FILE, tree_records.FILE, tree_records.DIRECTORY, tree_records.LINK, tree_records.HARDLINK]
    )
    each = st.builds(
        tree_records.pack, kinds, st.integers(0, 3), st.just(_honest) | stats, _paths, st.just(b"") | _paths,
        st.just(b"") | st.binary(max_size=9),
    )  # fmt: skip

    def packed(parts: list[bytes], cut: int, how: int) -> bytes:
        raw = b"".join(parts)
        return (zlib.compress(raw), zlib.compress(raw)[:-cut], raw, b"")[how]

    return st.builds(packed, st.lists(each, max_size=6), st.integers(1, 9), st.sampled_from([0] * 12 + [1, 2, 3]))


_blocks = st.builds(
    lambda what, index, number, body: what + index.to_bytes(4, "big") + number.to_bytes(4, "big") + body,
    st.sampled_from([RAW, RAW, PACKED, DONE, FAILED, b"C", b"T", b"?"]), st.sampled_from([0, 1, 2, 3, 9]),
    st.sampled_from([0, 0, 1, 2**32 - 1]),
    st.sampled_from([CONTENT, zlib.compress(CONTENT), zlib.compress(bytes(BLOCK * 40)), b"", bytes(BLOCK + 1)]),
)  # fmt: skip
_garbage = st.one_of(
    st.binary(max_size=9),
    st.sampled_from(
        [frames.pack(frames.ERROR, b'{"what": "\\u001b[31m", "todo": 3}'), frames.pack(frames.HEARTBEAT), b""]
    ),
)


def _told(scan: object, packed: bytes, *more: bytes) -> ToldPipe:
    return ToldPipe(greeted(answer(scan, packed), *more))


def _world(pipe: ToldPipe) -> Context:
    told = ToldTransport(lambda server, argv: None if server == ADMIN else pipe)
    return context(told, Remembered(), SystemClock(), parallel=1)  # nothing is written down


@cases(300)
@given(reshaped((FACTS,), _json), st.sampled_from(Format))
@example({"now": 10**400, "memory": 10**400, "python": "²", "user": float("nan")}, Format.JSON)
def test_any_facts_are_shown(told: dict[str, object], form: Format) -> None:
    """By `server facts` and by `doctor`."""
    said = greeted(answer(told))
    answers = list(facts(_world(ToldPipe(said)), [BAD]))
    ended_well(printed(lambda: show(Given(output=form), render.facts(answers))))
    found = list(examine(_world(ToldPipe(said)), [BAD], {}))
    ended_well(printed(lambda: show(Given(output=form), render.findings(found))))


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[FileTree]:
    """A tree whose source was read: a small file, a link, a folder, and one that is compared block by block."""
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "a").write_bytes(CONTENT)
    (source / "d" / "x").write_bytes(CONTENT * 2)
    (source / "l").symlink_to("a")
    (source / "big").write_bytes(bytes(3 * BLOCK))
    declared = FilesDeclaration("/srv/www", str(source), delete=Delete.EVERYTHING, owner="source")
    session = _world(ToldPipe([])).transport.open(ADMIN)
    made = file_tree(declared, {}, Remembered()).read({ADMIN.name: session})  # type: ignore[arg-type]
    yield made
    made.release()


digests = st.one_of(st.binary(max_size=70), st.integers(0, 4).map(lambda count: (b"\1" + bytes(32)) * count))


@cases(400)
@given(reshaped((SCAN,), _json), _packed([0, 13, 2**40, 2**64 - 1]), digests, _garbage, st.sampled_from(Format))
def test_any_scan_is_a_plan_or_a_fault(
    tree: FileTree, scan: object, packed: bytes, digest: bytes, rest: bytes, form: Format
) -> None:
    """What is planned is shown in every format; no path of it leads out of the tree."""
    pipe = _told(scan, packed, answer({}, digest), rest)
    fresh = FileTree(tree.declared, tree.source, tree.root, Remembered(), (BAD,))  # type: ignore[arg-type]
    found = observe(_world(pipe), pool_scope("web"), [fresh], [BAD])
    try:
        ended_well(printed(lambda: show(Given(output=form), plan_view(found.plan))))
        _all_within(found.plan)
    finally:
        found.close()


def _all_within(plan: Plan) -> None:
    for part in plan.parts:
        for change in part.changes:
            parts = change.key.split("/")
            assert change.key == TOP or (".." not in parts and "" not in parts), change.key


verdicts = st.lists(
    st.one_of(
        st.builds(
            lambda index, result, detail, written: f'[{index}, "{result}", "{detail}", {written}]'.encode(),
            st.integers(-1, 9), st.sampled_from(["done", "failed", "conflict", "maybe"]),
            st.sampled_from(["", "x", "\\u001b"]),
            st.sampled_from(["null", "[3, 1, 9, 2]", "[3, 1, 9]", "[-1, 0, 0, 99999999999999999999]", '"x"', "1e999"]),
        ),
        st.binary(max_size=9),
        st.sampled_from([b"[" * 3000, b"{}", b"[0]", b'[0, "done", ' + b"[" * 500 + b"]" * 501, b"[1e999, [], {}]"]),
    ),
    max_size=8,
).map(b"\n".join)  # fmt: skip


@cases(500)
@given(
    st.binary(max_size=60) | st.just(b"\0\0\0\3" + bytes(48)),
    reshaped(({"staged": ["x", "0" * 64 + "-1"]},), _json),
    verdicts,
    _garbage,
)
@example(b"\0\0\0\3" + bytes(48), {"staged": []}, b"[" * 5000, b"")
def test_any_answer_to_apply_is_one_outcome_per_change(
    tree: FileTree, hashes: bytes, prepared: object, told: bytes, rest: bytes
) -> None:
    """What is not told is not done."""
    changes = diff({}, tree.tree)
    pipe = ToldPipe(greeted(answer(prepared, hashes), rest, answer({"changes": 1}, told)))
    try:
        outcomes = list(tree.apply(_world(pipe).transport.open(BAD), changes, "run"))
    except (MemberFault, Unreachable) as fault:
        assert controls(str(fault)) == set()
        return
    assert sorted(each.change.key for each in outcomes) == sorted(change.key for change in changes)
    assert all(each.result is not Result.DONE or b"done" in told or each.change.key == TOP for each in outcomes)


@cases(250)
@given(
    reshaped((SCAN,), _json, most=1),
    _packed([0, 13, 2**30]),
    st.integers(0, 4),
    st.lists(_blocks, max_size=5),
    _garbage,
)
def test_a_hostile_source_changes_nothing_outside_the_tree(
    tmp_path: Path, scan: object, packed: bytes, count: int, blocks: Sequence[bytes], rest: bytes
) -> None:
    """What `cp web1:/x .` takes from a member lands in its folder or nowhere."""
    outside = tmp_path / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "kept").write_bytes(b"kept")
    declared = FilesDeclaration(str(tmp_path / "in" / "tree"), "bad", from_member=True)
    digest = b"\1" + hashlib.sha256(CONTENT).digest()
    world = _world(_told(scan, packed, answer({}, digest * count), answer({}, *blocks), rest))
    try:
        source = {BAD.name: world.transport.open(BAD)}
        agent = FileTree(declared, BAD, "/x", Remembered()).read(source)  # type: ignore[arg-type]
        try:
            session = world.transport.open(ADMIN)
            changes = diff(agent.observe(session), agent.tree)
            outcomes = list(agent.apply(session, changes, "run"))
            assert len(outcomes) == len(changes)
        finally:
            agent.release()
    except (MemberFault, Unreachable, Refused) as fault:
        assert controls(str(fault)) == set()
    assert contents(outside) == {"kept": b"kept"}
    assert {each.name for each in tmp_path.iterdir()} <= {"in", "outside"}


BOMBS = {
    "records": zlib.compress(bytes(300 << 20), 9),
    "many records": zlib.compress(tree_records.pack(tree_records.LINK, 0, _honest, b"a", b"x") * 50_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_of_records_is_not_unpacked_without_end(tree: FileTree, bomb: str) -> None:
    """Of three hundred megabytes of nothing, no entry is made."""
    session = _world(_told(SCAN, BOMBS[bomb], answer({}, b""))).transport.open(BAD)
    with within(700):
        try:
            tree.observe(session)
        except MultiAllError as fault:
            assert "garbage" in str(fault)


@pytest.mark.parametrize("operation", ["digest", "prepare"])
def test_an_endless_answer_is_not_held(tree: FileTree, operation: str) -> None:
    """A member that never stops sending is told so."""
    endless = [("stdout", frames.pack(frames.DATA, bytes(60000)))] * 6000
    session = _world(ToldPipe([*greeted(), *endless])).transport.open(BAD)
    with within(700), pytest.raises(MemberFault, match="more than"):
        tree.apply(session, diff({}, tree.tree), "run")
