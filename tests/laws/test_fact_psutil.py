"""A gauge tells the same whether it reads the kernel's files or asks psutil: of real things, at the same moment.

What changes meanwhile is looked at between two looks of the other way. Where psutil tells less, that is said here too.
"""

import inspect
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.remote.facts import kernel_files, mount
from multiall_cli.remote.facts.collect import FACTS, collector
from multiall_cli.remote.facts.cpu import parse_stat
from multiall_cli.remote.facts.kernel_files import KERNEL
from multiall_cli.remote.facts.psutil_fallback import READERS, TIMES, cpu_shares
from tests.laws.test_fact_readings import MEMORY, between

COLLECTORS = {name: collector(name) for name in FACTS}

ROOT = Path(__file__).parents[2]
TICK = 1 / os.sysconf("SC_CLK_TCK")
SECOND = 1.05  # the kernel tells psutil in whole seconds when the machine was started; and looks take a moment
PAGES = 1 << 20  # bytes: the kernel may keep a process's count of pages a little behind, for each processor
Told = dict[str, Any]


def same(name: str, **arguments: object) -> Told:
    """What both tell of something that stays as it is. Others on this machine may disturb a look, but not each."""
    before: object = None
    told: Told = {}
    for _ in range(50):
        before, told, after = COLLECTORS[name](**arguments), READERS[name](**arguments), COLLECTORS[name](**arguments)
        if before == told == after:
            break
    assert told == before
    return told


def test_both_are_called_the_same_way() -> None:
    for name, reader in READERS.items():
        assert str(inspect.signature(reader)) == str(inspect.signature(COLLECTORS[name])), name
    assert set(READERS) <= set(KERNEL) <= set(COLLECTORS)
    assert not [name for name in READERS if kernel_files.missing(name)], "here the kernel's files are read"


def test_memory() -> None:
    before, told, after = COLLECTORS["memory"](), READERS["memory"](), COLLECTORS["memory"]()
    assert between(before["free"], told["free"], after["free"], MEMORY)
    total = before["free"] / before["available"]
    assert told["free"] / told["available"] == pytest.approx(total)
    assert between(before["swap"], told["swap"], after["swap"], MEMORY / total)
    assert set(told) == set(before)


def test_since_when_it_runs() -> None:
    before, told, after = COLLECTORS["uptime"](), READERS["uptime"](), COLLECTORS["uptime"]()
    assert between(before["age"], told["age"], after["age"], SECOND)


# --- processors -----------------------------------------------------------------------------------------------------


def test_processor_time() -> None:
    """In the same ticks, in the same order; idle time may be counted back a little."""
    (_, before), (_, told), (_, after) = COLLECTORS["cpu"](), READERS["cpu"](), COLLECTORS["cpu"]()
    assert len(told["counters"]) == len(before["counters"]) == len(TIMES)
    for at, name in enumerate(TIMES):
        assert between(before["counters"][at], told["counters"][at], after["counters"][at], 5), name


@given(st.lists(st.integers(0, 2**40), min_size=8, max_size=8).filter(any))
def test_shares_of_the_same_ticks(ticks: list[int]) -> None:
    _, mark = parse_stat("cpu 0 0 0 0 0 0 0 0 0 0\n", None)
    told, _ = parse_stat("cpu " + " ".join(map(str, ticks)) + " 0 0\n", mark)
    assert cpu_shares(dict(zip(TIMES, ticks, strict=True))) == told


def test_shares_since_the_look_before() -> None:
    """A look at once after another may have no tick between them."""
    first, mark = READERS["cpu"]()
    assert first == {}
    told: Told = {}
    for _ in range(20):
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass  # what is counted is work, so some is done
        told, mark = READERS["cpu"](mark=mark)
        if told:
            break
    assert set(told) == {"used", "iowait", "steal"}
    assert all(0 <= each <= 1 for each in told.values())


# --- processes ------------------------------------------------------------------------------------------------------

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


@pytest.fixture
def sleeping(tmp_path: Path) -> Iterator[str]:
    """Three processes with a name of more letters than the kernel keeps, and odd arguments; a word that all have."""
    program = tmp_path / "sleeps-very-long-indeed"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    word = tmp_path.name
    shell = ["sh", "-c", "read _; exit 0", word, "", "a  b", "ü\udcff", "line\nbreak", "end ", "", ""]
    with ExitStack() as stack:
        for argv in ([str(program), "600"], shell, [*shell, "more"]):
            child = subprocess.Popen(argv, stdin=subprocess.PIPE)
            stack.callback(child.communicate)
            stack.callback(child.kill)
        while READERS["process"](command=word)[0]["count"] < 3 or COLLECTORS["process"](command=word)[0]["count"] < 3:
            time.sleep(0.01)  # until each is what it was started as
        yield word


def test_processes_by_name_and_command_line(sleeping: str) -> None:
    wanted: list[tuple[Told, int]] = [
        ({"command": sleeping}, 3),
        ({"name": "sleeps-very-long-indeed"}, 1),
        ({"name": "sleeps-very-lon"}, 1),
        ({"name": "sleeps-very-lo"}, 0),
        ({"name": "sh", "command": sleeping}, 2),
        ({"command": f"{sleeping}  a  b ü\ufffd line\nbreak end $"}, 1),
        ({"command": f"{sleeping} .* end   more$"}, 0),  # a dot is no end of a line
        ({"command": f"(?s){sleeping} .* end    more$"}, 1),
        ({"command": sleeping, "user": "nobody"}, 0),
    ]
    for arguments, count in wanted:
        (before, _), (told, _), (after, _) = (way["process"](**arguments) for way in (COLLECTORS, READERS, COLLECTORS))
        assert before["count"] == told["count"] == after["count"] == count, arguments
        assert between(before["rss"], told["rss"], after["rss"], PAGES)
        assert set(told) == set(before)
        assert not count or between(before["age"], told["age"], after["age"], SECOND)


def test_a_user_that_is_not_there() -> None:
    said = []
    for way in (COLLECTORS, READERS):
        with pytest.raises(Exception, match="there is no user 'no-such-user'") as raised:
            way["process"](name="x", user="no-such-user")
        said.append(raised.type)
    assert said[0] is said[1]


def test_how_many_processes_a_user_has() -> None:
    """They come and go: at some moment none does."""
    for _ in range(50):
        looks = [way["process"](command="", user="root")[0]["count"] for way in (COLLECTORS, READERS, COLLECTORS)]
        if len(set(looks)) == 1:
            break
    assert len(set(looks)) == 1


def test_time_that_a_process_ran(tmp_path: Path) -> None:
    """To the tick: it is counted while it waits for us."""
    word = tmp_path.name + "-busy$"
    argv = [sys.executable, "-c", BUSY, word[:-1]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        looks = [(way, way["process"](command=word)) for way in (COLLECTORS, READERS)]
        child.stdin.write(b"x")
        child.stdout.readline()
        ticks = []
        for way, (first, mark) in looks:
            assert "cpu" not in first
            told, now = way["process"](command=word, mark=mark)
            ticks.append(told["cpu"] * (now["at"] - mark["at"]) / TICK)
        assert ticks[0] * TICK >= 0.45
        assert ticks[1] == pytest.approx(ticks[0], abs=3)
        child.communicate(b"x")


def test_zombies(tmp_path: Path) -> None:
    """They are counted as such, and are no processes."""
    program = tmp_path / f"ends-{os.getpid()}"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([str(program)]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert same("zombies")["count"] >= 1
        for way in (COLLECTORS, READERS):
            assert way["process"](name=program.name)[0]["count"] == 0


# --- ports ----------------------------------------------------------------------------------------------------------

PLACES = [
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET, "0.0.0.0"),
    (socket.AF_INET6, "::1"),
    (socket.AF_INET6, "::"),
    (socket.AF_INET6, "::ffff:127.0.0.1"),
]


def bound(family: int, kind: int, address: str, port: int = 0) -> socket.socket:
    made = socket.socket(family, kind)
    if family == socket.AF_INET6 and "." not in address:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        made.bind((address, port))
    except OSError as fault:
        made.close()
        pytest.skip(f"no {address} here: {fault}")
    return made


SHOWN = {"::": ":: (IPv6 only)"}  # as `bound` makes it


@pytest.mark.parametrize(("family", "address"), PLACES)
def test_tcp_ports(family: int, address: str) -> None:
    """Only who listens counts."""
    with closing(bound(family, socket.SOCK_STREAM, address)) as made:
        number = made.getsockname()[1]
        assert same("port", port=number) == {"open": False, "addresses": []}
        made.listen()
        assert same("port", port=number) == {"open": True, "addresses": [SHOWN.get(address, address)]}
        assert same("port", port=number, protocol="tcp")["open"] is True
        with closing(bound(family, socket.SOCK_STREAM, address)) as client:
            client.connect(made.getsockname())
            assert same("port", port=client.getsockname()[1])["open"] is False
            assert same("port", port=number) == {"open": True, "addresses": [SHOWN.get(address, address)]}


@pytest.mark.parametrize(("family", "address"), PLACES)
def test_udp_ports(family: int, address: str) -> None:
    """All that are bound count, and those that talk to one place alone do too."""
    with closing(bound(family, socket.SOCK_DGRAM, address)) as made:
        number = made.getsockname()[1]
        assert same("port", port=number, protocol="udp") == {"open": True, "addresses": [SHOWN.get(address, address)]}
        with closing(bound(family, socket.SOCK_DGRAM, address)) as other:
            other.connect(made.getsockname())
            assert same("port", port=other.getsockname()[1], protocol="udp")["open"] is True
    assert same("port", port=number, protocol="udp") == {"open": False, "addresses": []}


def test_a_port_on_several_addresses() -> None:
    with closing(bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1")) as one:
        number = one.getsockname()[1]
        with closing(bound(socket.AF_INET6, socket.SOCK_STREAM, "::1", number)) as other:
            one.listen()
            other.listen()
            assert same("port", port=number)["addresses"] == ["127.0.0.1", "::1"]


# --- interfaces -----------------------------------------------------------------------------------------------------


def test_interfaces() -> None:
    """psutil tells whether one carries anything: what the kernel does not know the state of does."""
    names = os.listdir("/sys/class/net")
    assert "lo" in names
    for name in names:
        (before, mark), (told, ours), (after, _) = (way["interface"](name) for way in (COLLECTORS, READERS, COLLECTORS))
        if not before["present"] or not after["present"]:
            continue  # it is another test's, and has just gone
        assert set(told) == set(before), name
        assert (told["present"], told.get("speed")) == (True, before.get("speed")), name
        assert told["state"] == {"up": "up", "unknown": "up"}.get(before["state"], "down"), name
        for value in ("errors", "dropped"):
            assert between(before[value], told[value], after[value]), name
        assert ours["of"].split(":")[1] == mark["of"].split(":")[1], name
        again = READERS["interface"](name, mark=ours)[0]
        assert set(again) - set(told) == {"error_rate", "drop_rate"}, name


def test_an_interface_that_is_not_there() -> None:
    assert COLLECTORS["interface"]("none") == READERS["interface"]("none") == ({"present": False}, None)


# --- file systems ---------------------------------------------------------------------------------------------------


def test_file_systems() -> None:
    paths = {path for path, _, _ in mount.mounts()}
    assert "/" in paths
    for path in paths:
        assert same("mount", path=path)["present"] is True
    assert same("mount", path="/no/such/place") == {"present": False}


MOUNTED = """
import json, sys
sys.path.insert(0, {root!r})
from multiall_cli.remote.facts.collect import FACTS, collector
from multiall_cli.remote.facts.psutil_fallback import READERS
COLLECTORS = {{name: collector(name) for name in FACTS}}
from multiall_cli.lab.real import syscalls
syscalls.unshare(syscalls.NEWNS)
syscalls.mount(None, "/", None, syscalls.PRIVATE | syscalls.REC)
syscalls.mount("one", sys.argv[1], "tmpfs", syscalls.NOSUID)
syscalls.mount("two", sys.argv[1], "tmpfs", syscalls.READ_ONLY)
print(json.dumps([way["mount"](sys.argv[1]) for way in (COLLECTORS, READERS)]))
"""


@pytest.mark.root
def test_what_is_mounted_over_something_at_an_odd_place(tmp_path: Path) -> None:
    place = tmp_path / "a b\\040ü\udcff\t,x"
    place.mkdir()
    program = textwrap.dedent(MOUNTED).format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", program, str(place)], capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    one, other = json.loads(done.stdout)
    assert one == other
    assert (one["type"], one["options"][0]) == ("tmpfs", "ro")
