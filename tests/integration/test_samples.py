"""What samples are taken by: signs of life, pings, members' own tries, and the files that members are given."""

import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from multiall_cli.adapters.bounded_read import read_bounded
from multiall_cli.adapters.local import LocalTransport
from multiall_cli.adapters.probes.icmp import IcmpProbe
from multiall_cli.adapters.signing_key import SigningKey, is_signed
from multiall_cli.adapters.ssh.peer import valid_triples
from multiall_cli.domain.errors import MemberFault, UsageError
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.remote.ops.neighbours import lldp_chassis
from multiall_cli.remote.ops.tcp_probe import probe_tcp


class Quiet:
    """A request whose answer nobody reads."""

    def heartbeat(self) -> None:
        return


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door.getsockname()[1]


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def met(*doors: tuple[str, str, int], within: float = 5.0) -> dict[str, str]:
    told = probe_tcp(Quiet(), [list(each) for each in doors], within)["results"]
    return {name: word for name, word, _ in told}


def test_what_a_member_meets(listening: int, closed: int) -> None:
    found = met(("open", "127.0.0.1", listening), ("closed", "127.0.0.1", closed), ("odd", "no.such.host.invalid", 22))
    assert found == {"open": "tcp", "closed": "refused"}


def test_a_connection_that_cannot_even_be_begun_is_none(listening: int) -> None:
    """Such a fault is told at once, and the socket knows nothing of it afterwards: it must not read as an open door."""
    found = met(("broadcast", "255.255.255.255", 22), ("open", "127.0.0.1", listening), within=0.2)
    assert found["open"] == "tcp"
    assert found.get("broadcast") != "tcp"


@pytest.mark.parametrize(
    "told",
    [None, {}, [1], [["a", "tcp"]], [["a", "tcp", True]], [["a", "tcp", 10**400]], [["a", "tcp", float("nan")]],
     [["a", "tcp", -1.0]], [[1, "tcp", 1.0]], [["a", 1, 1.0]]],
)  # fmt: skip
def test_what_a_member_says_of_others_is_held_against_sense(told: Any) -> None:
    assert valid_triples(told) == []


def test_pings_where_the_kernel_lets_us() -> None:
    """All of many, though it holds few answers at a time."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    except OSError:
        pytest.skip("this kernel lets nobody without rights ping (net.ipv4.ping_group_range)")
    asked = {f"s{number}": f"127.0.{number // 250}.{number % 250 + 1}" for number in range(600)}
    assert set(IcmpProbe(5.0)(asked)) == set(asked)
    assert IcmpProbe(0.2)({"name": "no.such.host.invalid"}) == {}


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Any]:
    """Publishes a content at a path below the test's folder, through a loop on this machine."""
    with closing(LocalTransport(10.0).open(Server("here", "localhost", Link.LOCAL))) as session:
        yield lambda path, content=b"{}": session.call("publish", [content], path=str(path)).value()


def test_a_publication_is_whole_and_for_everyone_to_read(given: Any, tmp_path: Path) -> None:
    """Its folders too, whatever the umask says."""
    before = os.umask(0o077)
    try:
        with closing(LocalTransport(10.0).open(Server("here", "localhost", Link.LOCAL))) as session:
            session.call("publish", [b"one"], path=str(tmp_path / "a" / "b" / "file")).value()
    finally:
        os.umask(before)
    file = tmp_path / "a" / "b" / "file"
    given(file, b"two")
    assert file.read_bytes() == b"two"
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (file, file.parent, file.parent.parent)]
    assert modes == [0o644, 0o755, 0o755]
    assert os.listdir(file.parent) == ["file"]


def test_a_publication_goes_where_others_cannot_lead_it(given: Any, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(MemberFault, match="can write to"):
        given(tmp_path / "open" / "file")
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    if os.geteuid() == 0:
        os.chown(tmp_path / "link", 1234, 1234, follow_symlinks=False)
        with pytest.raises(MemberFault, match="symbolic link"):
            given(tmp_path / "link" / "file")
    with pytest.raises(MemberFault):
        given(tmp_path / "target")
    with pytest.raises(MemberFault, match="is not an absolute path"):
        given("relative")
    assert os.listdir(tmp_path / "target") == []


def test_the_sites_key_is_made_once_and_whole(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: SigningKey(tmp_path / "key").public, range(64)))
    assert len(keys) == 1
    assert os.listdir(tmp_path) == ["key"]
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    seal = SigningKey(tmp_path / "key")
    assert is_signed(b"words", seal.public, seal.sign(b"words"))
    assert not is_signed(b"other words", seal.public, seal.sign(b"words"))
    assert not is_signed(b"words", "no key", "no signature")
    (tmp_path / "key").write_bytes(b"")
    with pytest.raises(UsageError, match="not an Ed25519 key"):
        SigningKey(tmp_path / "key")
    with pytest.raises(UsageError, match="cannot use the site"):
        SigningKey(tmp_path / "missing" / "key")


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    """A pipe that no one writes to, or one without an end, keeps nobody waiting."""
    (tmp_path / "file").write_bytes(b"four")
    assert read_bounded(tmp_path / "file", 4) == b"four"
    os.mkfifo(tmp_path / "pipe")
    for path, most in ((tmp_path / "file", 3), (tmp_path / "pipe", 9), (Path("/dev/zero"), 9)):
        with pytest.raises(OSError, match=r"not a regular file|File too large"):
            read_bounded(path, most)


@pytest.mark.parametrize(
    "told",
    [
        {"lldp": {"interface": [{"eth0": {"chassis": {"sw1": {"mgmt-ip": "192.0.2.1"}}}}]}},
        {"lldp": {"interface": {"eth0": {"chassis": {"sw1": {"mgmt-ip": ["192.0.2.1"]}}, "port": {"id": {}}}}}},
    ],
)
def test_what_lldpd_heard(told: Any) -> None:
    """As releases of lldpcli write one neighbour, and several."""
    assert lldp_chassis(told) == [["sw1", "192.0.2.1"]]
    assert lldp_chassis({"chassis": [1], "x": {"chassis": {"a": 3, "b": {}}}}) == []
