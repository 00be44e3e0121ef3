"""known_hosts: who is meant by a line, and what pinning leaves of a file."""

import base64
import hmac
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from multiall_cli.adapters.ssh.hostkeys import HostKey, KnownHosts, KnownHostsLine, check, parse, pin, preferred
from multiall_cli.adapters.ssh.route import Routes
from multiall_cli.domain.errors import Unreachable, UsageError
from multiall_cli.domain.inventory import Server


def encoded(kind: str) -> str:
    """A key's blob as known_hosts has it: the length of its type, its type, and what the type makes of it."""
    return base64.b64encode(len(kind).to_bytes(4, "big") + kind.encode() + b"key").decode()


BLOB = encoded("ssh-ed25519")
RSA = encoded("ssh-rsa")


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
        (hashed("web1"), "WEB1", True),
        (hashed("[web1.example.net]:22"), "[Web1.Example.Net]:22", True),
        (hashed("web1") + ",web2", "web2", False),
        ("|1|broken", "web1", False),
        ("|1|a|b|c", "web1", False),
    ],
)
def test_who_is_meant(hosts: str, name: str, meant: bool) -> None:
    assert KnownHostsLine(hosts, "ssh-ed25519", b"", "", "").matches(name) is meant


def test_what_is_no_entry_is_passed_over() -> None:
    text = f"# words\n\nweb1\nweb1 ssh-ed25519 ???\n@revoked * ssh-rsa {RSA} words\nweb1 ssh-ed25519 {BLOB}\n"
    found = [(line.hosts, line.marker, line.where) for line in parse(text, "f")]
    assert found == [("*", "@revoked", "f:5"), ("web1", "", "f:6")]


def test_kinds_that_are_known_go_first() -> None:
    kinds = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    known = [
        KnownHostsLine("web1", "ssh-rsa", b"", "", ""),
        KnownHostsLine("*", "ssh-ed25519", b"", "@cert-authority", ""),
    ]
    plain = ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256")
    assert preferred(known, kinds) == (*(f"{kind}-cert-v01@openssh.com" for kind in kinds), *plain)
    assert preferred(known[:1], kinds) == plain
    assert preferred([], kinds) == kinds


def test_pinning(tmp_path: Path) -> None:
    file = tmp_path / "site" / "known_hosts"
    first, second = (HostKey("web1", "ssh-ed25519", base64.b64decode(BLOB) + each) for each in (b"1", b"2"))
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
    kept = ["# web1", f"web* ssh-rsa {RSA}", f"@revoked web1 ssh-rsa {RSA}", f"web2 ssh-rsa {RSA}"]
    gone = [f"web1 ssh-rsa {RSA}", f"{hashed('web1')} ssh-rsa {RSA}"]
    file.write_text("\n".join([*kept, *gone, f"a,web1,b ssh-rsa {RSA} words"]) + "\n")
    key = HostKey("web1", "ssh-ed25519", b"new")
    pin(file, key, replace=True)
    assert file.read_text().splitlines() == [*kept, f"a,b ssh-rsa {RSA} words", key.line]


@pytest.mark.parametrize("sign", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029", "\r"])
def test_a_comment_is_no_entry_whatever_it_holds(sign: str) -> None:
    """Only a line feed ends a line for ssh."""
    assert list(parse(f"# was:{sign}web1 ssh-ed25519 {BLOB}\nweb2 ssh-ed25519 {BLOB} {sign}*\n", "f")) == [
        KnownHostsLine("web2", "ssh-ed25519", base64.b64decode(BLOB), "", "f:2")
    ]


@pytest.mark.parametrize("sign", ["\u3000", "\xa0", "\x1f"])
def test_only_blanks_and_tabs_part_words(sign: str) -> None:
    assert next(parse(f"a{sign}web1 ssh-ed25519 {BLOB}\n", "f")).hosts == f"a{sign}web1"


def test_an_entry_ends_at_a_null() -> None:
    assert list(parse(f"web1\0 ssh-ed25519 {BLOB}\n", "f")) == []


def test_a_type_unlike_the_key_is_no_entry_but_a_revocation_holds() -> None:
    text = f"web1 ssh-rsa {BLOB}\n@cert-authority web1 ssh-rsa {BLOB}\n@other web1 ssh-ed25519 {BLOB}\n"
    assert list(parse(text, "f")) == []
    (line,) = parse(f"@revoked web1 ssh-rsa {BLOB}\n", "f")
    assert line.blob == base64.b64decode(BLOB)


def known(tmp_path: Path, **files: Path) -> Sequence[KnownHostsLine]:
    (tmp_path / "config").write_text(
        f"UserKnownHostsFile {files.get('own', tmp_path / 'none')}\nGlobalKnownHostsFile none\n"
    )
    server = Server("web1", "WEB1")
    routes = Routes({}, [files["pinned"]] if "pinned" in files else [], 5.0, [str(tmp_path / "config")])
    return KnownHosts().of(routes.of(server))


@pytest.mark.parametrize("place", ["pinned", "own"])
def test_a_file_that_cannot_be_read_decides(tmp_path: Path, place: str) -> None:
    """Nothing else may then say that a key is known: the file may pin another, or revoke it."""
    good = tmp_path / "good"
    good.write_text(f"web1 ssh-ed25519 {BLOB}\n")
    bad = tmp_path / "bad"
    bad.mkdir()
    with pytest.raises(Unreachable, match=rf"web1: {bad} cannot be read \(.*\), so its host key") as caught:
        known(tmp_path, **{"pinned": good, "own": good, place: bad})
    assert caught.value.reason == "host-key-unchecked"


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unreachable, match="not a regular file"):
        known(tmp_path, own=tmp_path / "pipe")


def test_no_file_and_the_null_device_say_nothing(tmp_path: Path) -> None:
    assert list(known(tmp_path, pinned=tmp_path / "none" / "deep", own=Path(os.devnull))) == []


def test_a_name_in_capitals_is_found_among_hashed_ones(tmp_path: Path) -> None:
    (tmp_path / "own").write_text(f"{hashed('web1')} ssh-ed25519 {BLOB}\n")
    assert len(known(tmp_path, own=tmp_path / "own")) == 1


def test_a_revocation_that_cannot_be_read_refuses(tmp_path: Path) -> None:
    (tmp_path / "own").write_text(f"web1 ssh-ed25519 {BLOB}\n@revoked web* ssh-ed25519 AAAA!\n")
    found = known(tmp_path, own=tmp_path / "own")
    route = Routes({}, [], 5.0, []).of(Server("web1", "web1"))
    with pytest.raises(Unreachable, match=r"own:2 revokes a key of web1 that cannot be read; fix that line"):
        check(route, found, HostKey("web1", "ssh-ed25519", base64.b64decode(BLOB)))


def test_pinning_leaves_every_byte_of_others(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_bytes(b"# caf\xe9 \x0c \xe2\x80\xa8 x\n")
    pin(file, HostKey("web1", "ssh-ed25519", b"new"))
    assert file.read_bytes().startswith(b"# caf\xe9 \x0c \xe2\x80\xa8 x\nweb1 ")


def test_pinning_into_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").mkdir()
    with pytest.raises(UsageError, match="the host key cannot be saved"):
        pin(tmp_path / "known_hosts", HostKey("web1", "ssh-ed25519", b"new"))


def test_keys_that_the_config_revokes(tmp_path: Path) -> None:
    (tmp_path / "revoked").write_text(f"# stolen\n\nssh-ed25519 {BLOB} words\n")
    (tmp_path / "own").write_text(f"web1 ssh-ed25519 {BLOB}\n")
    text = f"UserKnownHostsFile {tmp_path}/own\nGlobalKnownHostsFile none\nRevokedHostKeys {tmp_path}/"
    for name, words in (
        ("revoked", "offers a revoked"),
        ("none", "RevokedHostKeys. cannot be read"),
        ("krl", "is a KRL"),
    ):
        (tmp_path / "krl").write_text("SSHKRL\n\0")
        (tmp_path / "config").write_text(f"{text}{name}\n")
        route = Routes({}, [], 5.0, [str(tmp_path / "config")]).of(Server("web1", "web1"))
        with pytest.raises(Unreachable, match=words):
            check(route, KnownHosts().of(route), HostKey("web1", "ssh-ed25519", base64.b64decode(BLOB)))
