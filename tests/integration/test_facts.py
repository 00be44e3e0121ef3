"""Gauges read by themselves, on this machine: what came since the look before, and what answers over loopback."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.planning.checks import CHECKS
from multiall_cli.remote.facts import collect
from multiall_cli.remote.facts import log as log_fact
from multiall_cli.remote.facts.collect import FACTS, WITH_MARK, collector, read_fact
from multiall_cli.remote.formats.package_versions import compare_debian
from tests.limits import HANG

Told = dict[str, object]


def look(check: str, mark: object = None, **arguments: object) -> tuple[Told, object]:
    """What the gauge tells, as it is sent: values, mark."""
    told = read_fact(check, arguments, mark)
    assert "trouble" not in told, told
    return told["values"], told.get("mark")


def trouble(check: str, **arguments: object) -> tuple[str, str]:
    told = read_fact(check, arguments, None)
    return told["kind"], told["trouble"]


def test_the_catalogue_and_the_gauges_know_the_same() -> None:
    assert {name for name, check in CHECKS.items() if not check.ours} == set(FACTS)
    assert {name for name, check in CHECKS.items() if check.marked} == set(WITH_MARK)
    for name, check in ((name, check) for name, check in CHECKS.items() if not check.ours):
        code = collector(name).__code__
        takes = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        dear = {key for key, value in check.values.items() if value.dear}
        assert {*check.subject, *check.optional, *dear} <= takes, name
        assert ("mark" in takes) is check.marked, name
        assert all(check.marked for value in check.values.values() if value.over), name


# --- since the look before ------------------------------------------------------------------------------------------


def test_processors() -> None:
    first, mark = look("cpu")
    assert first == {}
    told: Told = {}
    for _ in range(20):  # the kernel's count of idle time may go back a little: then nothing is told
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        told, mark = look("cpu", mark)
        if told:
            break
    assert set(told) == {"used", "iowait", "steal"}
    assert all(isinstance(each, float) and 0 <= each <= 1 for each in told.values())
    assert told["used"] != 0


@pytest.mark.parametrize("check", ["cpu", "oom"])
def test_another_start_has_no_look_before(check: str) -> None:
    _, mark = look(check)
    assert isinstance(mark, dict)
    assert look(check, {**mark, "of": "another"})[0] == {}
    assert look(check, {**mark, "counters": [2**60 for _ in mark["counters"]]})[0] == {}
    assert look(check, "nonsense")[0] == {}


def test_kills_for_want_of_memory() -> None:
    _, mark = look("oom")
    told, _ = look("oom", mark)
    assert isinstance(told["count"], int)


BUSY = """
import sys, time
print(0, flush=True)
sys.stdin.read(1)
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
print(1, flush=True)
sys.stdin.read(1)
"""


def test_a_process_by_its_command_line(tmp_path: Path) -> None:
    word = tmp_path.name + "-busy"
    argv = [sys.executable, "-c", BUSY, word]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()  # until then it may be hardly more than a process
        child.stdin.write(b"x")
        child.stdin.flush()
        began = time.monotonic()
        first, mark = look("process", command=word + "$")
        assert first["count"] == 1
        assert "cpu" not in first
        assert isinstance(first["rss"], int)
        assert first["rss"] > 1 << 20
        child.stdout.readline()
        told, after = look("process", mark, command=word + "$")
        share = told["cpu"]
        assert isinstance(share, float)
        assert 0.1 / (time.monotonic() - began) < share <= 1.2
        assert isinstance(mark, dict)
        assert "cpu" not in look("process", {**mark, "of": "another start"}, command=word + "$")[0]
        child.communicate(b"x")
    gone, _ = look("process", after, command=word + "$")
    assert (gone["count"], gone["rss"], gone["cpu"]) == (0, 0, 0.0)
    assert trouble("process", name="x", user="no-such-user") == ("collect", "there is no user 'no-such-user'")


def test_a_process_that_began_since_counts_whole() -> None:
    from multiall_cli.remote.facts.process import mark_of, ticks_per_second

    mark = mark_of("b", 100.0, {7: 500, 123456: 36**6})
    assert ticks_per_second(mark, "b", 110.0, {7: (3.0, 600)}) == 10.0
    assert ticks_per_second(mark, "b", 110.0, {7: (3.0, 600), 8: (105.0, 50)}) == 15.0
    assert ticks_per_second(mark, "b", 110.0, {7: (105.0, 20)}) == 2.0  # its number was given anew
    assert ticks_per_second(mark, "b", 110.0, {8: (3.0, 600)}) is None  # it was there, and not counted
    assert ticks_per_second(mark, "c", 110.0, {7: (3.0, 600)}) is None
    assert ticks_per_second(mark, "b", 110.0, {7: (3.0, 400)}) is None
    assert ticks_per_second({"of": "b", "at": 1.0, "ran": "?"}, "b", 110.0, {}) is None
    assert mark_of("b", 1.0, dict.fromkeys(range(121), 1)) is None
    longest = mark_of("0" * 36, 1e8 + 1 / 3, {2**22 - each: 36**7 - 1 for each in range(1, 121)})
    assert len(json.dumps(longest)) <= 2000


def test_rates_of_an_interface() -> None:
    first, mark = look("interface", name="lo")
    assert "error_rate" not in first
    told, _ = look("interface", mark, name="lo")
    assert (told["error_rate"], told["drop_rate"]) == (0.0, 0.0)
    assert look("interface", mark, name="none")[0] == {"present": False}


# --- logs -----------------------------------------------------------------------------------------------------------


def test_lines_of_a_log_that_came_since(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("error 0\n")
    told, mark = look("log", path=str(path), pattern="error")
    assert told == {"present": True}
    with path.open("a") as log:
        log.write("error 1\nwell\nerror 2\nerr")
    told, mark = look("log", mark, path=str(path), pattern="error")
    assert told == {"present": True, "count": 2, "gap": False}
    with path.open("a") as log:
        log.write("or 3\n")
    told, mark = look("log", mark, path=str(path), pattern="error")
    assert told["count"] == 1
    assert look("log", mark, path=str(path), pattern="error")[0]["count"] == 0


def test_a_log_that_is_rotated_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("error 0\n")
    _, mark = look("log", path=str(path), pattern="error")
    with path.open("a") as log:
        log.write("error 1\nerror 2\n")
    path.rename(tmp_path / "app.log.1")
    assert look("log", mark, path=str(path), pattern="error") == ({"present": False}, mark)
    path.write_text("error 3\nwell\n")
    told, mark = look("log", mark, path=str(path), pattern="error")
    assert told["count"] == 3
    (tmp_path / "app.log.1").unlink()
    path.unlink()
    path.write_text("error 4\n")  # whether or not it is given the same number
    assert look("log", mark, path=str(path), pattern="error")[0]["count"] == 1


def test_a_log_that_is_written_anew_in_place(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("error 0\n")
    _, mark = look("log", path=str(path), pattern="error")
    path.write_text("error\n")  # shorter
    told, mark = look("log", mark, path=str(path), pattern="error")
    assert told["count"] == 1
    path.write_text("other\nerror\nerror\n")  # longer, and another
    assert look("log", mark, path=str(path), pattern="error")[0]["count"] == 2


def test_a_log_that_was_not_there_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    told, mark = look("log", path=str(path), pattern="error")
    assert told == {"present": False}
    path.write_text("error 1\n")
    assert look("log", mark, path=str(path), pattern="error")[0]["count"] == 1
    assert look("log", {"inode": "x"}, path=str(path), pattern="error")[0] == {"present": True}
    assert trouble("log", path=str(tmp_path), pattern="x") == ("collect", "it is not a regular file")


def test_what_one_look_does_not_read_the_next_one_does(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("")
    _, mark = look("log", path=str(path), pattern="error")
    line, most = "error" + "x" * 9994 + "\n", log_fact.MAX_READ
    path.write_text(line * 2000 + "x" * (most + most // 2) + "error\n")
    counts = []
    for _ in range(6):
        told, mark = look("log", mark, path=str(path), pattern="error")
        counts.append(told["count"])
    assert sum(each for each in counts if isinstance(each, int)) == 2001
    assert counts[0] == most // len(line)
    assert counts[-1] == 0


def test_the_journal_is_read_or_not_there() -> None:
    """Machines of tests have one, or none, or no journalctl."""
    told = read_fact("journal", {"priority": "err"}, None)
    if "trouble" in told:
        assert (told["kind"], "journal" in told["trouble"]) in (("unsupported", True), ("rights", True))
    else:
        assert isinstance(read_fact("journal", {"priority": "err"}, told["mark"])["values"]["count"], int)


# --- programs and what is missing -----------------------------------------------------------------------------------

PROGRAMS = [
    ("zpool", "zpool", {"name": "x"}),
    ("vgs", "lvm", {"name": "x"}),
    ("psql", "replication", {"engine": "postgresql"}),
    ("journalctl", "journal", {}),
    ("systemctl", "timer", {"name": "x"}),
    ("systemctl", "failed_units", {}),
    ("docker", "container", {"name": "x"}),
    ("mysql", "replication", {"engine": "mysql"}),
]


@pytest.mark.parametrize(("program", "check", "arguments"), PROGRAMS)
def test_what_has_no_program_is_unsupported(
    program: str, check: str, arguments: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    kind, words = trouble(check, **arguments)
    assert (kind, bool(words)) == ("unsupported", True)


def test_arrays_are_read_from_the_kernel() -> None:
    told, _ = look("raid")
    assert told["present"] is (Path("/proc/mdstat").exists() and ": active" in Path("/proc/mdstat").read_text())


def test_the_clock() -> None:
    told, _ = look("ntp")
    assert isinstance(told["synchronised"], bool)
    assert isinstance(told["error"], float)
    assert 0 <= told["error"] < 1e6


@pytest.mark.root
def test_sudo_of_this_machine() -> None:
    assert look("sudoers", user="no-such-user")[0] == {"present": False, "nopasswd": False}
    if Path("/etc/sudoers").exists():
        assert look("sudoers", user="root")[0]["present"] is True


def test_a_program_that_never_stops_to_speak_is_ended() -> None:
    from multiall_cli.remote.facts.sources import run

    code, told, _ = run(["yes"], 100_000, enough=True)
    assert (code, len(told)) == (None, 100_000)
    assert run(["sh", "-c", "echo a; echo b >&2; exit 3"]) == (3, "a\n", "b\n")
    # What it left running holds its complaints open.
    began = time.monotonic()
    assert run(["sh", "-c", "sleep 30 >/dev/null & echo a"])[1] == "a\n"
    assert time.monotonic() - began < 20


# --- packages -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")
def test_a_package_is_new_enough() -> None:
    told, _ = look("package", name="dpkg", at_least="1.0")
    assert (told["present"], told["recent"]) == (True, True)
    assert look("package", name="dpkg", at_least="999:1")[0]["recent"] is False
    assert look("package", name="dpkg", at_least=told["version"])[0]["recent"] is True
    assert look("package", name="no-such-package", at_least="1")[0] == {"present": False}


VERSIONS = st.from_regex(r"\A(?:[0-9]:)?[0-9][0-9ab.+~]{0,6}(?:-[0-9a.+~]{1,4})?\Z")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")
@given(st.lists(st.tuples(VERSIONS, VERSIONS), min_size=1, max_size=3))
def test_versions_are_compared_as_dpkg_does(pairs: list[tuple[str, str]]) -> None:
    for one, other in pairs:
        for sign, relation in ((-1, "lt"), (0, "eq"), (1, "gt")):
            done = subprocess.run(["dpkg", "--compare-versions", one, relation, other], check=False)
            assert (done.returncode == 0) is (compare_debian(one, other) == sign), (one, relation, other)


# --- databases ------------------------------------------------------------------------------------------------------


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where one visitor after the other is talked to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                opened, _ = listening.accept()
                with opened:
                    if ended.is_set():
                        return
                    try:
                        talk(opened)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            socket.create_connection(listening.getsockname()).close()
            thread.join(HANG)


def postgres(kind: bytes, body: bytes) -> Callable[[socket.socket], None]:
    def talk(opened: socket.socket) -> None:
        head = opened.recv(1 << 12)
        assert struct.unpack("!2I", head[:8]) == (len(head), 3 << 16)
        assert head[8:].startswith(b"user\0postgres\0")
        opened.sendall(struct.pack("!cI", kind, len(body) + 4) + body)
        if body == bytes(4):
            assert opened.recv(100) == b"X\0\0\0\4"

    return talk


@pytest.mark.parametrize(
    ("kind", "body", "told", "why"),
    [
        (b"R", struct.pack("!I", 5) + b"salt", True, None),
        (b"R", bytes(4), True, None),
        (b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0", True, None),
        (b"E", b"SFATAL\0C28000\0Mno pg_hba.conf entry\0\0", True, None),
        (b"E", b"SFATAL\0C57P03\0Mthe database system is starting up\0\0", False, "the database system is starting up"),
        (b"E", b"SFATAL\0C53300\0Msorry, too many clients already\0\0", False, "sorry, too many clients already"),
        (b"H", b"TTP", False, "the answer is not from PostgreSQL"),
        (b"E", b"", True, None),
    ],
)
def test_postgresql_answers(kind: bytes, body: bytes, told: bool, why: str | None) -> None:
    with server(postgres(kind, body)) as port:
        values, _ = look("database", engine="postgresql", port=port)
    assert (values["open"], values.get("why"), "took" in values) == (told, why, told)


def mysql(greeting: bytes, *answers: bytes) -> Callable[[socket.socket], None]:
    def talk(opened: socket.socket) -> None:
        opened.sendall(struct.pack("<I", len(greeting))[:3] + b"\0" + greeting)
        number = 1
        for answer in answers:
            head = opened.recv(4)
            assert head[3] == number
            left = struct.unpack("<I", head[:3] + b"\0")[0]
            while left:
                left -= len(opened.recv(left))
            number += 2
            opened.sendall(struct.pack("<I", len(answer) | (number - 1) << 24) + answer)

    return talk


HELLO = (
    b"\x0a8.0.36\0\1\0\0\0abcdefgh\0\xff\xf7\xff\2\0\xff\xdf\x15" + bytes(10) + b"ijklmnopqrst\0caching_sha2_password\0"
)
DENIED = b"\xff\x15\x04#28000Access denied"


@pytest.mark.parametrize(
    ("greeting", "answers", "told"),
    [
        (HELLO, [DENIED], {"open": True, "version": "8.0.36"}),
        (HELLO, [b"\xfemysql_native_password\0salt\0", DENIED], {"open": True, "version": "8.0.36"}),
        (HELLO, [b"\0\0\0\2\0\0\0"], {"open": True, "version": "8.0.36"}),
        (HELLO, [], {"open": True, "version": "8.0.36"}),
        (b"\xff\x10\x04Too many connections", [], {"open": False, "why": "Too many connections"}),
        (b"\xff\x6a\x04Host '10.0.0.1' is not allowed", [], {"open": True}),
        (b"SSH-2.0-OpenSSH_9.2\r\n", [], {"open": False, "why": "the answer is not from MySQL"}),
        (b"", [], {"open": False, "why": "the answer is not from MySQL"}),
    ],
)
def test_mysql_greets(greeting: bytes, answers: list[bytes], told: Told) -> None:
    with server(mysql(greeting, *answers)) as port:
        values, _ = look("database", engine="mysql", port=port)
    assert {key: value for key, value in values.items() if key != "took"} == told


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_database_that_is_not_there(engine: str, tmp_path: Path) -> None:
    with server(lambda opened: None) as port:
        assert look("database", engine=engine, port=port)[0]["open"] is False
    assert look("database", engine=engine, port=port)[0]["open"] is False
    assert look("database", engine=engine, socket=str(tmp_path / "none"))[0]["open"] is False
    assert trouble("database", engine="oracle")[1] == "unknown engine 'oracle'; use postgresql or mysql"


# --- echoes ---------------------------------------------------------------------------------------------------------


def test_an_echo_of_loopback() -> None:
    told = read_fact("ping", {"address": "127.0.0.1"}, None)
    if os.geteuid() == 0:
        assert told["values"]["open"] is True
        assert 0 <= told["values"]["took"] < 3
    else:  # where neither a socket nor the program is there for us
        assert told.get("kind") == "unsupported" or told["values"]["open"] is True
    assert look("ping", address="name.invalid")[0]["open"] is False


# --- readers that are slow, hang or end ---------------------------------------------------------------------------


def read(*scripts: str, within: float = 30.0, **limits: float) -> list[Told]:
    """What commands of a shell gave, each read as a rule would have it read."""
    wanted = [["command", {"argv": ["sh", "-c", script]}, None] for script in scripts]
    return [json.loads(line) for line in collect.Reading(wanted, within, **limits).run(lambda: None)]


def until(path: Path) -> str:
    return f"until [ -e {path} ]; do sleep 0.02; done"


def test_others_are_read_while_slow_ones_are_waited_for(tmp_path: Path) -> None:
    """Each of the first waits for what the last one does; the order of the answers is that of the questions."""
    made = tmp_path / "made"
    told = read(f"{until(made)}; echo a", f"{until(made)}; echo b", f"{until(made)}; exit 3", f"touch {made}")
    assert [each["values"]["exit"] for each in told] == [0, 0, 3, 0]  # type: ignore[index]
    assert [each["values"]["output"] for each in told[:2]] == ["a\n", "b\n"]  # type: ignore[index]


def test_one_that_hangs_has_its_time_and_no_more(tmp_path: Path) -> None:
    (first, second) = read(until(tmp_path / "never"), "true", within=0.3)
    assert (first["kind"], first["trouble"]) == ("timeout", "no result within 0.3 s")
    assert second["values"]["exit"] == 0  # type: ignore[index]


def test_only_so_many_are_waited_for_together(tmp_path: Path) -> None:
    """The third would let the others go; it is not begun before one of them has had its time."""
    made = tmp_path / "made"
    told = read(until(made), until(made), f"touch {made}", until(made), within=1.0, max_slow=2, slow_after=0.05)
    assert [told[at].get("kind", "") for at in (0, 2, 3)] == ["timeout", "", ""]


def test_a_reader_that_ends_without_a_word_costs_one_answer(tmp_path: Path) -> None:
    made = tmp_path / "made"
    told = read("kill -9 $PPID", f"{until(made)}; kill -9 $PPID", f"touch {made}", slow_after=0.05)
    assert [each.get("trouble", "") for each in told] == [
        "the process that read it ended",
        "the process that read it ended",
        "",
    ]
