"""Sessions that start in another network namespace: `network:` in multiall.yaml."""

import os
import socket
from pathlib import Path

import pytest

from multiall_cli.adapters.network_namespace import NetworkNamespace
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.lab.real.lab import RealLab
from tests.limits import HANG


def test_a_namespace_file_and_a_socket_that_sends_one(lab: RealLab) -> None:
    """In the block this thread's sockets are made there; afterwards here, as before."""
    before = os.readlink("/proc/thread-self/ns/net")
    keeper = lab.argv_beside([])[2]
    for path in (f"/proc/{keeper}/ns/net", str(lab.folder / "network")):
        elsewhere = NetworkNamespace(path)
        with elsewhere.entered():
            assert os.readlink("/proc/thread-self/ns/net") == os.readlink(f"/proc/{keeper}/ns/net")
            visitor = socket.create_connection((lab.addresses["web1"], 22), timeout=HANG)
        elsewhere.close()
        assert os.readlink("/proc/thread-self/ns/net") == before
        assert visitor.recv(4) == b"SSH-"
        visitor.close()


def test_an_error_returns_the_thread_to_its_namespace(lab: RealLab) -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    elsewhere = NetworkNamespace(str(lab.folder / "network"))
    with pytest.raises(ZeroDivisionError), elsewhere.entered():
        raise ZeroDivisionError
    elsewhere.close()
    assert os.readlink("/proc/thread-self/ns/net") == before


def test_a_missing_namespace(tmp_path: Path) -> None:
    with pytest.raises(MultiAllError, match=r"network .*/gone: cannot be opened \(No such file or directory\); start"):
        NetworkNamespace(str(tmp_path / "gone"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    with pytest.raises(MultiAllError, match=r"cannot be opened \(Connection refused\)"):
        NetworkNamespace(str(tmp_path / "dead"))


def test_a_file_that_is_not_a_namespace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    elsewhere = NetworkNamespace(str(tmp_path / "file"))
    with pytest.raises(MultiAllError, match=r"cannot be entered \(Invalid argument\)"), elsewhere.entered():
        pytest.fail("it was entered")
    elsewhere.close()
