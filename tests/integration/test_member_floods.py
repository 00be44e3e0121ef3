"""Members that send without end, or next to nothing for ever: each costs a bounded time and a bounded memory."""

import os
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from multiall_cli.adapters.local import LocalProcess
from multiall_cli.adapters.loop_client import LoopClient
from multiall_cli.adapters.time_budget import SILENCES
from multiall_cli.agents.files import FileTree, file_tree
from multiall_cli.agents.files.scanned_tree import inflate
from multiall_cli.agents.files.wire import read_bounded
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import FilesDeclaration
from multiall_cli.domain.report import MemberState
from multiall_cli.domain.scope import pool_scope
from multiall_cli.remote import frames
from multiall_cli.remote.formats import tree_records
from tests.fixtures.bench import Bench, only
from tests.laws.measure import peak_mb

WEB = pool_scope("web")

SILENCE = 0.1  # seconds; so an operation may go on for one second without progress

HOSTILE = f"""
import os, struct, sys, time
out = sys.stdout.buffer
def send(kind, body=b""):
    out.write(kind + struct.pack(">I", len(body)) + body); out.flush()
out.write({frames.HELLO!r}); out.flush()
"""

ENDLESS = {
    "signs of life": "while True: send(b'B'); time.sleep(0.02)",
    "a flood of signs of life": "while True: out.write(b'B\\0\\0\\0\\0' * 10000)",
    "empty pieces": "while True: send(b'D'); time.sleep(0.02)",
    "a frame that drips": (
        "out.write(b'D' + struct.pack('>I', 1000))\nwhile True: out.write(b'x'); out.flush(); time.sleep(0.02)"
    ),
    "a header that drips": "out.write(b'D'); out.flush()\nwhile True: os.write(2, b'words'); time.sleep(0.02)",
}


def _resident(program: str) -> LoopClient:
    return LoopClient(LocalProcess([sys.executable, "-ISc", HOSTILE + program]), "bad")


@pytest.mark.parametrize("program", ENDLESS.values(), ids=ENDLESS)
def test_an_operation_without_progress_ends(program: str) -> None:
    resident = _resident(program)
    began = time.monotonic()
    with pytest.raises(MemberFault, match=r"no progress|no answer to"):
        resident.call("scan", (), SILENCE, {}).value()
    assert time.monotonic() - began < 15
    resident.close()


def test_an_answer_that_nobody_reads_is_passed_over_within_a_silence() -> None:
    resident = _resident(ENDLESS["signs of life"])
    resident.call("scan", (), 0.5, {})
    began = time.monotonic()
    with pytest.raises(MemberFault, match="no progress"):
        resident.call("ping", (), SILENCE, {})
    assert time.monotonic() - began < 0.5 * SILENCES
    resident.close()


def test_a_flood_while_we_still_send_is_not_held() -> None:
    """Gigabytes of an answer that is none, before the request has gone out."""
    reads = "import threading; threading.Thread(target=sys.stdin.buffer.read, daemon=True).start()\n"
    resident = _resident(reads + "while True: out.write(b'D' + struct.pack('>I', 1 << 16) + bytes(1 << 16))")
    payload: Iterator[bytes] = (os.urandom(1 << 16) for _ in range(100))
    before = peak_mb()
    answer = resident.call("apply", payload, 5.0, {})
    with pytest.raises(MemberFault, match="more than 1000 bytes"):
        read_bounded("bad", "apply", answer, 1000)
    assert peak_mb() - before < 64
    resident.close()


NESTED = {
    "lists": b"[" + b"[]," * (1 << 20) + b"[]]",
    "objects": b"[" + b"{}," * (1 << 20) + b"{}]",
    "length": b'"' + b"x" * (9 << 20) + b'"',
}


@pytest.mark.parametrize("value", NESTED.values(), ids=NESTED)
def test_a_value_that_would_fill_the_memory_is_not_unpacked(value: bytes, tmp_path: Path) -> None:
    (tmp_path / "value").write_bytes(b'{"a": ' + value + b"}")
    resident = _resident(f"send(b'V', open({str(tmp_path / 'value')!r}, 'rb').read()); sys.stdin.buffer.read()")
    before = peak_mb()
    with pytest.raises(MemberFault, match="with too many parts"):
        resident.call("ping", (), 10.0, {}).value()
    assert peak_mb() - before < 64
    resident.close()


def test_more_entries_than_the_source_makes_likely_are_refused(bench: Bench) -> None:
    """With their number, and the setting that allows them; what is set is allowed."""
    (bench.source / "a").write_text("a")
    bench.member().mkdir(parents=True)
    for number in range(30):
        (bench.member() / f"f{number}").touch()
    report = bench.sync(agents=[_with_entries(bench, 20)])
    assert (only(report).state, report.exit) == (MemberState.FAILED, Exit.PARTIAL)
    assert "has 30 entries there; 20 are allowed" in only(report).reason
    assert "raise `entries:`" in only(report).todo
    assert bench.sync(agents=[_with_entries(bench, 30)]).exit is Exit.OK


def _with_entries(bench: Bench, most: int) -> FileTree:
    agent = bench.agent()
    declared = FilesDeclaration(**{**_fields(agent.declared), "entries": most})
    return file_tree(declared, {}, bench.store, members=agent.members)


def _fields(declared: FilesDeclaration) -> dict[str, object]:
    return {name: getattr(declared, name) for name in ("path", "source", "delete", "exclude")}


def test_records_are_counted_before_they_are_unpacked() -> None:
    """A quarter of a megabyte that means a hundred thousand entries."""
    with pytest.raises(tree_records.BadRecord, match="more than 1000"):
        tree_records.split(_many(2000), 1000)
    with pytest.raises(MemberFault, match="bytes of records"):
        inflate("bad", [zlib.compress(_many(100_000))], 1000 << 10)


def _many(count: int) -> bytes:
    found = os.lstat("/")
    return b"".join(tree_records.pack(tree_records.LINK, 0, found, b"%d" % number, b"x") for number in range(count))


def test_a_run_goes_on_without_a_member_that_only_says_that_it_lives(tmp_path: Path) -> None:
    """It is deferred with that reason, and no lock is held for it."""
    bench = Bench(tmp_path, members=3)
    program = tmp_path / "hostile"
    program.write_text(HOSTILE + ENDLESS["signs of life"])
    bench.machine.python["s2"] = (sys.executable, "-IS", os.fspath(program))
    bench.world = replace(bench.world, silence=0.5)
    (bench.source / "a").write_text("a")
    try:
        report = bench.sync()
        states = {each.server: each.state for each in report.members}
        assert states == {"s0": MemberState.CHANGED, "s1": MemberState.CHANGED, "s2": MemberState.DEFERRED}
        assert "it had not answered after" in report.members[2].reason
        assert [each.server for each in bench.store.backlog.entries(WEB)] == ["s2"]
    finally:
        bench.close()
