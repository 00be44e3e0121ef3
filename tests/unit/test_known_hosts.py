"""known_hosts: who is meant by a line, and what pinning leaves of a file."""

import base64
import hmac
import os
from pathlib import Path

import pytest

from multiall_cli.adapters.ssh.hostkeys import HostKey, Line, parse, pin, preferred

BLOB = base64.b64encode(b"key").decode()


def hashed(name: str) -> str:
    salt = bytes(range(20))
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("hosts", "name", "meant"),
    [
        ("web1", "web1", True),
        ("WEB1.example.net", "web1.EXAMPLE.net", True),
        ("web1,192.0.2.1", "192.0.2.1", True),
        ("web1", "web11", False),
        ("[192.0.2.1]:2222", "[192.0.2.1]:2222", True),
        ("[192.0.2.1]:2222", "192.0.2.1", False),
        ("192.0.2.1", "[192.0.2.1]:2222", False),
        ("*.example.net", "a.b.example.net", True),
        ("web?", "web1", True),
        ("[192.0.2.?]:2222", "[192.0.2.7]:2222", True),
        ("[ab]:22?2", "a", False),
        ("*,!web3", "web3", False),
        ("!web3,*", "web4", True),
        (hashed("web1"), "web1", True),
        (hashed("web1"), "web2", False),
        ("|1|broken", "web1", False),
        ("|1|a|b|c", "web1", False),
    ],
)
def test_who_is_meant(hosts: str, name: str, meant: bool) -> None:
    assert Line(hosts, "ssh-ed25519", b"", "", "").means(name) is meant


def test_what_is_no_entry_is_passed_over() -> None:
    text = f"# words\n\nweb1\nweb1 ssh-ed25519 ???\n@revoked * ssh-rsa {BLOB} words\nweb1 ssh-ed25519 {BLOB}\n"
    found = [(line.hosts, line.marker, line.where) for line in parse(text, "f")]
    assert found == [("*", "@revoked", "f:5"), ("web1", "", "f:6")]


def test_kinds_that_are_known_go_first() -> None:
    kinds = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    known = [Line("web1", "ssh-rsa", b"", "", ""), Line("*", "ssh-ed25519", b"", "@cert-authority", "")]
    assert preferred(known, kinds) == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256")
    assert preferred([], kinds) == kinds


def test_pinning(tmp_path: Path) -> None:
    file = tmp_path / "site" / "known_hosts"
    first, second = HostKey("web1", "ssh-ed25519", b"first"), HostKey("web1", "ssh-ed25519", b"second")
    pin(file, first)
    pin(file, first)
    assert file.read_text() == f"{first.line}\n"
    pin(file, second)
    assert file.read_text() == f"{first.line}\n{second.line}\n"
    pin(file, second, replace=True)
    assert file.read_text() == f"{second.line}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(file.parent) == ["known_hosts"]


def test_replacing_leaves_what_others_need(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    kept = ["# web1", f"web* ssh-rsa {BLOB}", f"@revoked web1 ssh-rsa {BLOB}", f"web2 ssh-rsa {BLOB}"]
    gone = [f"web1 ssh-rsa {BLOB}", f"{hashed('web1')} ssh-rsa {BLOB}"]
    file.write_text("\n".join([*kept, *gone, f"a,web1,b ssh-rsa {BLOB} words"]) + "\n")
    key = HostKey("web1", "ssh-ed25519", b"new")
    pin(file, key, replace=True)
    assert file.read_text().splitlines() == [*kept, f"a,b ssh-rsa {BLOB} words", key.line]
