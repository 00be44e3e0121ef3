"""Disks, mounts and commands: what is shown is of the thing that was meant, or unknown."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from multiall_cli.domain.baseline import Code
from multiall_cli.remote.facts import file, mount, psutil_fallback
from multiall_cli.remote.facts.disk import mount_point
from multiall_cli.remote.facts.sources import MAX_OUTPUT
from tests.fixtures.judging import judged
from tests.limits import HANG


def test_the_disk_of_a_path_that_is_not_mounted_says_so(tmp_path: Path) -> None:
    wrong = judged("disk", path=tmp_path, mounted=True)
    assert wrong.code is Code.WRONG_STATE
    assert wrong.shows == f"mounted false (it is on {mount_point(str(tmp_path))})"
    assert judged("disk", path=tmp_path, free="1B").code is Code.OK
    assert judged("disk", path="/proc/", mounted=True).code is Code.OK


@pytest.mark.parametrize("way", [mount, psutil_fallback], ids=["kernel", "psutil"])
def test_a_mount_by_any_way_to_it(way: object, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to("/proc")
    mount = way.mount  # type: ignore[attr-defined]
    for path in ("/proc", "/proc/", "//proc", "/proc/../proc", str(tmp_path / "way"), str(tmp_path / "way") + "/"):
        assert mount(path)["present"] is True, path
    assert mount(str(tmp_path))["present"] is False


@pytest.mark.root
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_folder_that_is_mounted_on_another_of_the_same_disk(tmp_path: Path) -> None:
    """The same device on both sides: only the kernel's table knows."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    program = "import sys; from multiall_cli.remote.facts.disk import disk; print(disk(sys.argv[1])['mounted'])"
    script = 'mount --bind "$1/a" "$1/b" && "$2" -c "$3" "$1/b/" && "$2" -c "$3" "$1/a"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=HANG)
    if "ermi" in done.stderr:
        pytest.skip("needs mounts")
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.parametrize(
    ("script", "asked", "code"),
    [
        ("echo ok", {"stdout": "^ok$"}, Code.OK),
        ("echo no; echo ok", {"stdout": "^ok$"}, Code.OK),
        ("echo not ok", {"stdout": "^ok$"}, Code.WRONG_VALUE),
        ("echo ok; echo bad >&2", {"stdout": "ok", "stderr": r"\Abad$"}, Code.OK),
        ("echo ok; echo bad >&2", {"stderr": r"\A\Z"}, Code.WRONG_VALUE),
        ("exec >&-; head -c 9999999 /dev/zero | wc -c | grep 9; echo late >&2", {"stderr": "late"}, Code.OK),
        ("echo ok; exit 3", {"stdout": "ok"}, Code.WRONG_VALUE),
        ("echo ok; exit 3", {"stdout": "ok", "exit": 3}, Code.OK),
    ],
)
def test_patterns_of_what_a_command_says(script: str, asked: dict[str, object], code: Code) -> None:
    assert judged("command", argv=["sh", "-c", script], **asked).code is code


@pytest.mark.parametrize("asked", [{"stdout": "x"}, {"stdout": "y"}, {"stderr": "x"}, {"output": "x"}])
def test_more_than_is_read_is_neither_a_match_nor_a_miss(asked: dict[str, object]) -> None:
    script = f"yes x | head -c {MAX_OUTPUT + 1} | tee /dev/stderr"
    found = judged("command", argv=["sh", "-c", script], **asked)
    assert found.code is Code.BAD_OUTPUT
    assert "65536 bytes" in found.shows
    assert judged("command", argv=["sh", "-c", script]).code is Code.OK, "its exit code is known"


def test_a_file_that_is_longer_than_what_is_searched(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * file.MAX_SEARCHED + b"\nsecret\n")
    assert judged("file", path=path, match="secret").code is Code.BAD_OUTPUT


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_listener_on_every_address_of_ipv6_may_take_no_ipv4(kind: socket.SocketKind, alone: bool) -> None:
    """The kernel's tables show both alike; a connection to 127.0.0.1 is refused by the one and taken by the other."""
    protocol = "tcp" if kind is socket.SOCK_STREAM else "udp"
    with socket.socket(socket.AF_INET6, kind) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, alone)
        listener.bind(("::", 0))
        if kind is socket.SOCK_STREAM:
            listener.listen()
        port = listener.getsockname()[1]
        both = judged("port", port=port, protocol=protocol, addresses=["0.0.0.0"])
        assert both.code is (Code.WRONG_ACCESS if alone else Code.OK), both.shows
        assert ("IPv6 only" in both.shows) == alone
        assert judged("port", port=port, protocol=protocol, addresses=["::"]).code is Code.OK
