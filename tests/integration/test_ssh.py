"""What only SSH has: host keys, logins, jumps, and the many ways of not getting through."""

import base64
import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from multiall_cli.adapters.passwords import Passwords
from multiall_cli.adapters.secrets import reveal
from multiall_cli.adapters.ssh.hostkeys import pin
from multiall_cli.adapters.ssh.transport import SshTransport
from multiall_cli.domain.errors import MemberFault, Unreachable, UsageError
from multiall_cli.domain.inventory import Become, BecomeMethod, Server, Ssh
from multiall_cli.domain.values import Secret
from tests.integration.sshd import SSHD, Sshd, keygen, sshd
from tests.integration.test_ssh_laws import over
from tests.laws.doubles import Kept

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(SSHD is None, reason="OpenSSH's sshd is not installed")]
AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def daemon() -> Iterator[Sshd]:
    with sshd() as running:
        yield running


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An admin with an empty home and no agent: what the machine's own user has must not help or harm."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


def transport(
    *known_hosts: Path, config: Path | None = None, connect_timeout: float = 10, **more: object
) -> SshTransport:
    settings = {"servers": {}, "cache": Kept(), "reveal": reveal, **more}
    files = [str(config)] if config else []
    return SshTransport(  # type: ignore[arg-type]
        connect_timeout=connect_timeout, timeout=20, known_hosts=known_hosts, config_files=files, **settings
    )


def failure(through: SshTransport, server: Server) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        through.open(server).close()
    assert caught.value.subject == server.name
    assert str(caught.value).isprintable()
    return caught.value


def works(through: SshTransport, server: Server) -> bool:
    session = through.open(server)
    try:
        return session.run(["printf", "x"]).stdout.whole() == b"x"
    finally:
        session.close()


# ---- host keys


def fingerprint(public: Path) -> str:
    return subprocess.run(
        ["ssh-keygen", "-lf", str(public)], capture_output=True, text=True, check=True
    ).stdout.split()[1]


def test_unknown_host_key(daemon: Sshd, tmp_path: Path) -> None:
    fault = failure(transport(tmp_path / "none"), daemon.server())
    assert fault.reason == "host-key-unknown"
    assert fingerprint(daemon.folder / "host.pub") in fault.what
    assert fault.todo == "`multiall server trust web1` shows its fingerprint and pins it"


def test_trust_pins_the_key_that_is_offered(daemon: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "site" / "known_hosts"
    through = transport(known)
    key = through.offered(daemon.server())
    assert key.fingerprint == fingerprint(daemon.folder / "host.pub")
    pin(known, key)
    assert known.stat().st_mode & 0o777 == 0o600
    assert works(through, daemon.server())
    pin(known, key)
    assert len(known.read_text().splitlines()) == 1


def test_changed_host_key(daemon: Sshd, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other")
    kind, blob = other.with_suffix(".pub").read_text().split()[:2]
    known = tmp_path / "known_hosts"
    name = f"[{daemon.address}]:{daemon.port}"
    known.write_text(f"# mine\nelsewhere,{name} {kind} {blob}\nbastion {kind} {blob}\n")
    fault = failure(transport(known), daemon.server())
    assert fault.reason == "host-key-changed"
    assert fingerprint(other.with_suffix(".pub")) in fault.what
    assert fingerprint(daemon.folder / "host.pub") in fault.what
    assert f"{known}:2" in fault.what
    pin(known, transport(known).offered(daemon.server()), replace=True)
    assert works(transport(known), daemon.server())
    lines = known.read_text().splitlines()
    assert lines[:3] == ["# mine", f"elsewhere {kind} {blob}", f"bastion {kind} {blob}"]
    assert len(lines) == 4


def test_another_kind_of_key_is_a_changed_key(daemon: Sshd, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "ecdsa")
    kind, blob = other.with_suffix(".pub").read_text().split()[:2]
    (tmp_path / "known_hosts").write_text(f"[{daemon.address}]:{daemon.port} {kind} {blob}\n")
    assert failure(transport(tmp_path / "known_hosts"), daemon.server()).reason == "host-key-changed"


def test_revoked_host_key(daemon: Sshd, tmp_path: Path) -> None:
    kind, blob = (daemon.folder / "host.pub").read_text().split()[:2]
    known = tmp_path / "known_hosts"
    known.write_text(daemon.known_hosts.read_text() + f"@revoked * {kind} {blob}\n")
    fault = failure(transport(known), daemon.server())
    assert fault.reason == "host-key-changed"
    assert "revoked" in fault.what


def test_the_kind_of_key_that_is_known_is_asked_for(tmp_path: Path) -> None:
    """A server with three keys, of which the admin knows the one that would be chosen last."""
    rsa = keygen(tmp_path / "rsa", "rsa")
    with sshd([f"HostKey {rsa}", f"HostKey {keygen(tmp_path / 'ecdsa', 'ecdsa')}"]) as running:
        kind, blob = rsa.with_suffix(".pub").read_text().split()[:2]
        running.known_hosts.write_text(f"[{running.address}]:{running.port} {kind} {blob}\n")
        assert works(over(running), running.server())


def test_hashed_names_and_the_users_own_file(daemon: Sshd, nobody: Path) -> None:
    own = nobody / ".ssh" / "known_hosts"
    own.parent.mkdir()
    shutil.copy(daemon.known_hosts, own)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(own)], check=True, capture_output=True)
    assert "|1|" in own.read_text()
    assert works(transport(), daemon.server())


@pytest.mark.parametrize("with_certificate", [False, True])
def test_a_key_that_is_known_without_the_port(tmp_path: Path, with_certificate: bool) -> None:
    """As ssh: `[address]:port` goes first; the same key under the address alone is enough, another one says nothing."""
    authority, host, other = (keygen(tmp_path / name) for name in ("ca", "key", "other"))
    signed = sign(authority, host.with_suffix(".pub"), "-h", "-n", "127.0.0.1")
    known = tmp_path / "known"
    with sshd([f"HostKey {host}", *([f"HostCertificate {signed}"] if with_certificate else [])]) as running:
        named = f"[{running.address}]:{running.port}"
        # What known_hosts has, and why we refuse then.
        cases: list[tuple[list[tuple[str, Path]], str]] = [
            ([("127.0.0.1", host)], ""),
            ([("@cert-authority 127.0.0.*", authority)], "" if with_certificate else "host-key-unknown"),
            ([("127.0.0.1", other)], "host-key-unknown"),
            ([("@cert-authority 127.0.0.*", other)], "host-key-unknown"),
            ([("127.0.0.1", host), ("@revoked 127.0.0.1", host)], "host-key-changed"),
        ]
        if not with_certificate:  # with one, ssh takes it although the key of that port is another
            cases.append(([(named, other), ("127.0.0.1", host)], "host-key-changed"))
        for lines, why in cases:
            known.write_text("".join(f"{hosts} {key.with_suffix('.pub').read_text()}" for hosts, key in lines))
            options = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
            options += [
                "-o",
                f"UserKnownHostsFile={known}",
                "-i",
                str(running.folder / "user"),
                "-p",
                str(running.port),
            ]
            theirs = subprocess.run(["ssh", *options, running.address, "true"], capture_output=True).returncode
            assert (theirs == 0) == (not why), lines
            if why:
                assert failure(transport(known), running.server()).reason == why
            else:
                assert works(transport(known), running.server())


def test_what_the_site_pinned_goes_before_the_users_file(daemon: Sshd, nobody: Path, tmp_path: Path) -> None:
    """After `trust --replace` an old key in ~/.ssh/known_hosts opens no door."""
    (nobody / ".ssh").mkdir()
    shutil.copy(daemon.known_hosts, nobody / ".ssh" / "known_hosts")
    other = keygen(tmp_path / "other")
    kind, blob = other.with_suffix(".pub").read_text().split()[:2]
    (tmp_path / "pinned").write_text(f"[{daemon.address}]:{daemon.port} {kind} {blob}\n")
    assert failure(transport(tmp_path / "pinned"), daemon.server()).reason == "host-key-changed"


# ---- logins


def test_wrong_key(daemon: Sshd, tmp_path: Path) -> None:
    fault = failure(transport(daemon.known_hosts), daemon.server(identity=str(keygen(tmp_path / "wrong"))))
    assert fault.reason == "auth"
    assert "accepted none of 1 (wrong)" in fault.what
    assert "authorized_keys" in fault.todo


def test_nothing_to_offer(daemon: Sshd) -> None:
    fault = failure(transport(daemon.known_hosts), daemon.server(identity=None))
    assert fault.reason == "auth"
    assert "no key to offer" in fault.what


def test_missing_and_encrypted_identities_are_named(daemon: Sshd, tmp_path: Path) -> None:
    fault = failure(transport(daemon.known_hosts), daemon.server(identity=str(tmp_path / "lost")))
    assert (fault.reason, f"{tmp_path}/lost does not exist" in fault.what) == ("auth", True)
    locked = keygen(tmp_path / "locked", passphrase="secret")
    fault = failure(transport(daemon.known_hosts), daemon.server(identity=str(locked)))
    assert f"locked is encrypted: add it to the agent with `ssh-add {locked}`" in fault.what


def test_an_identity_that_is_no_key(daemon: Sshd, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    assert (
        "is not a private key"
        in failure(transport(daemon.known_hosts), daemon.server(identity=f"{tmp_path}/text")).what
    )


def test_default_identities(daemon: Sshd, nobody: Path) -> None:
    (nobody / ".ssh").mkdir()
    shutil.copy(daemon.folder / "user", nobody / ".ssh" / "id_ed25519")
    assert works(transport(daemon.known_hosts), daemon.server(identity=None))


@contextmanager
def agent(*keys: Path) -> Iterator[None]:
    """A real ssh-agent that holds some keys."""
    folder = keys[0].parent
    name = str(folder / "agent")
    child = subprocess.Popen(["ssh-agent", "-D", "-a", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    try:
        child.stdout.readline()  # it says where it listens once it does
        os.environ["SSH_AUTH_SOCK"] = name
        subprocess.run(["ssh-add", "-q", *map(str, keys)], check=True, stderr=subprocess.DEVNULL)
        yield
    finally:
        os.environ.pop("SSH_AUTH_SOCK", None)
        child.terminate()
        child.wait()
        child.stdout.close()


def test_the_agent_and_the_key_that_worked_last_time(daemon: Sshd, tmp_path: Path) -> None:
    others = [keygen(tmp_path / f"other{number}") for number in range(3)]
    right = tmp_path / "right"
    shutil.copy(daemon.folder / "user", right)
    cache = Kept()
    with agent(*others, right):
        assert works(transport(daemon.known_hosts, cache=cache), daemon.server(identity=None))
        assert cache.values["key:web1"].decode() == fingerprint(daemon.folder / "user.pub")
        with ThreadPoolExecutor(8) as threads:
            through = transport(daemon.known_hosts, cache=cache)
            assert all(threads.map(lambda _: works(through, daemon.server(identity=None)), range(16)))


def test_the_remembered_key_goes_first(tmp_path: Path) -> None:
    """With one try allowed, only the right key in front gets in."""
    with sshd(["MaxAuthTries 2"]) as running:
        others = [keygen(tmp_path / f"other{number}") for number in range(3)]
        right = tmp_path / "right"
        shutil.copy(running.folder / "user", right)
        cache = Kept()
        with agent(*others, right):
            fault = failure(transport(running.known_hosts, cache=cache), running.server(identity=None))
            assert fault.reason == "auth"
            assert re.search(r"hung up after 2 tries \(other0 \(agent\), other1 \(agent\)\)", fault.what)
            cache.put("key:web1", fingerprint(running.folder / "user.pub").encode())
            assert works(transport(running.known_hosts, cache=cache), running.server(identity=None))


def test_only_the_named_identities(daemon: Sshd, tmp_path: Path) -> None:
    right = tmp_path / "right"
    shutil.copy(daemon.folder / "user", right)
    config = tmp_path / "config"
    config.write_text("Host *\n  IdentitiesOnly yes\n")
    with agent(right):
        wrong = daemon.server(identity=str(keygen(tmp_path / "wrong")))
        assert failure(transport(daemon.known_hosts, config=config), wrong).reason == "auth"


def test_an_encrypted_identity_that_the_agent_holds(daemon: Sshd, tmp_path: Path) -> None:
    right, locked = tmp_path / "right", tmp_path / "locked"
    shutil.copy(daemon.folder / "user", right)
    shutil.copy(daemon.folder / "user", locked)
    shutil.copy(daemon.folder / "user.pub", tmp_path / "locked.pub")
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "secret", "-P", "", "-f", str(locked)], check=True, capture_output=True
    )
    config = tmp_path / "config"
    config.write_text("IdentitiesOnly yes\n")
    with agent(right):
        assert works(transport(daemon.known_hosts, config=config), daemon.server(identity=str(locked)))


def test_another_agent_than_the_environments(daemon: Sshd, tmp_path: Path) -> None:
    right = tmp_path / "right"
    shutil.copy(daemon.folder / "user", right)
    config = tmp_path / "config"
    with agent(right):
        place = os.environ.pop("SSH_AUTH_SOCK")
        config.write_text(f"IdentityAgent {tmp_path}/age%%nt\nIdentityAgent none\n".replace("age%%nt", "agent"))
        assert works(transport(daemon.known_hosts, config=config), daemon.server(identity=None))
        os.environ["SSH_AUTH_SOCK"] = place
        config.write_text("IdentityAgent none\n")
        assert failure(transport(daemon.known_hosts, config=config), daemon.server(identity=None)).reason == "auth"
    config.write_text(f"IdentityAgent {tmp_path}/nowhere\n")
    fault = failure(transport(daemon.known_hosts, config=config), daemon.server(identity=None))
    assert f"the ssh agent at {tmp_path}/nowhere does not answer" in fault.what


def test_a_public_identity_whose_key_the_agent_holds(daemon: Sshd, tmp_path: Path) -> None:
    """The private half may be on a token, or on another machine."""
    right, config = tmp_path / "right", tmp_path / "config"
    shutil.copy(daemon.folder / "user", right)
    shutil.copy(daemon.folder / "user.pub", tmp_path / "only.pub")
    config.write_text(f"IdentitiesOnly yes\nIdentityFile {tmp_path}/only.pub\n")
    with agent(*[keygen(tmp_path / f"other{number}") for number in range(7)], right):
        assert works(transport(daemon.known_hosts, config=config), daemon.server(identity=None))


def test_an_encrypted_identity_without_its_public_half(daemon: Sshd, tmp_path: Path) -> None:
    right, locked = tmp_path / "right", tmp_path / "locked"
    shutil.copy(daemon.folder / "user", right)
    shutil.copy(daemon.folder / "user", locked)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "s3cret", "-P", "", "-f", str(locked)], check=True, capture_output=True
    )
    (tmp_path / "config").write_text("IdentitiesOnly yes\n")
    with agent(right):
        assert works(transport(daemon.known_hosts, config=tmp_path / "config"), daemon.server(identity=str(locked)))


def sign(authority: Path, public: Path, *options: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *options, str(public)], check=True)
    return public.with_name(public.name.replace(".pub", "-cert.pub"))


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_of_ours(tmp_path: Path, kind: str) -> None:
    """With the key of a file, and with one that the agent holds."""
    authority, key = keygen(tmp_path / "ca"), keygen(tmp_path / "mine", kind)
    made = sign(authority, key.with_suffix(".pub"), "-n", getpass.getuser())
    certificate = made.rename(tmp_path / "elsewhere.pub")
    config = tmp_path / "config"
    config.write_text(f"CertificateFile {certificate}\n")
    with sshd([f"TrustedUserCAKeys {authority}.pub"]) as running:
        through = transport(running.known_hosts, config=config)
        assert works(through, running.server(identity=str(key)))
        assert failure(transport(running.known_hosts), running.server(identity=str(key))).reason == "auth"
        with agent(key):
            assert works(through, running.server(identity=None))
        config.write_text(f"CertificateFile {tmp_path}/none\n")
        fault = failure(transport(running.known_hosts, config=config), running.server(identity=str(key)))
        assert f"{tmp_path}/none cannot be read" in fault.what


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_host_that_an_authority_vouches_for(tmp_path: Path, kind: str) -> None:
    authority, other, key = keygen(tmp_path / "ca"), keygen(tmp_path / "other"), keygen(tmp_path / "key", kind)
    certificate = sign(authority, key.with_suffix(".pub"), "-h", "-n", "127.0.0.1,shop")
    known = tmp_path / "known"

    def vouched(public: Path, more: str = "", config: str = "") -> Unreachable | bool:
        known.write_text(f"@cert-authority [127.0.0.*]:*,shop,bad {public.read_text()}{more}")
        (tmp_path / "config").write_text(config)
        try:
            return works(transport(known, config=tmp_path / "config"), running.server())
        except Unreachable as fault:
            return fault

    with sshd([f"HostKey {key}", f"HostCertificate {certificate}"]) as running:
        assert vouched(authority.with_suffix(".pub")) is True
        assert vouched(authority.with_suffix(".pub"), config="HostKeyAlias SHOP\n") is True
        wrong = vouched(authority.with_suffix(".pub"), config="HostKeyAlias bad\n")
        assert isinstance(wrong, Unreachable)
        assert "is for 127.0.0.1, shop, not for bad" in wrong.what
        unknown = vouched(other.with_suffix(".pub"))
        assert isinstance(unknown, Unreachable)
        assert unknown.reason == "host-key-unknown"
        for revoked in (authority, key):
            stolen = vouched(authority.with_suffix(".pub"), f"@revoked * {revoked.with_suffix('.pub').read_text()}")
            assert isinstance(stolen, Unreachable)
            assert (stolen.reason, "revoked" in stolen.what) == ("host-key-changed", True)
        assert vouched(other.with_suffix(".pub"), f"[127.0.0.1]:* {key.with_suffix('.pub').read_text()}") is True


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-h", "-V", "20200101:20200102"], "ended 2020-01-02"),
        (["-h", "-V", "20990101:20990102"], "is valid only from 20"),
    ],
)
def test_a_certificate_out_of_its_time(tmp_path: Path, options: list[str], words: str) -> None:
    authority, key = keygen(tmp_path / "ca"), keygen(tmp_path / "key")
    certificate = sign(authority, key.with_suffix(".pub"), *options)
    (tmp_path / "known").write_text(f"@cert-authority * {authority.with_suffix('.pub').read_text()}")
    with sshd([f"HostKey {key}", f"HostCertificate {certificate}"]) as running:
        fault = failure(transport(tmp_path / "known"), running.server())
    assert (fault.reason, words in fault.what) == ("host-key-changed", True)


def test_a_password_where_none_is_taken(daemon: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    server = daemon.server(identity=None, password=Secret("env", "PASSWORD"))
    fault = failure(transport(daemon.known_hosts), server)
    assert fault.reason == "auth"
    assert "it allows only publickey" in fault.what
    assert "hunter2" not in str(fault)


# ---- not getting through


def test_nothing_listens(daemon: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    fault = failure(transport(daemon.known_hosts), Server(name="web1", address="127.0.0.1", ssh=Ssh(port=port)))
    assert (fault.reason, fault.what) == ("refused", f"nothing listens on 127.0.0.1 port {port}")


def test_a_name_without_an_address(daemon: Sshd) -> None:
    fault = failure(transport(daemon.known_hosts), Server(name="web1", address="web1.invalid"))
    assert fault.reason == "name"
    assert fault.what.startswith("web1.invalid has no address (")


def test_no_way_there(daemon: Sshd) -> None:
    """A broadcast address of loopback: the kernel itself refuses, nothing is sent."""
    fault = failure(transport(daemon.known_hosts), Server(name="web1", address="127.255.255.255", ssh=Ssh(port=22)))
    assert fault.reason == "away"


def test_addresses_are_tried_in_turn(daemon: Sshd) -> None:
    """`localhost` is ::1 as well, where this sshd does not listen."""
    kind, blob = (daemon.folder / "host.pub").read_text().split()[:2]
    with daemon.known_hosts.open("a") as lines:
        lines.write(f"[localhost]:{daemon.port} {kind} {blob}\n")
    server = daemon.server()
    assert works(transport(daemon.known_hosts), Server(name="web1", address="localhost", ssh=server.ssh))


@contextmanager
def listener(behaviour) -> Iterator[Server]:  # type: ignore[no-untyped-def]
    """Something that listens; `behaviour` gets each connection, which is closed afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    visitor, _ = listening.accept()
                except OSError:
                    return
                with visitor:
                    try:
                        behaviour(visitor)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Server(name="web1", address="127.0.0.1", ssh=Ssh(port=listening.getsockname()[1]))
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def until_hung_up(visitor: socket.socket) -> None:
    while visitor.recv(4096):
        pass


def test_no_banner(daemon: Sshd) -> None:
    with listener(until_hung_up) as server:
        fault = failure(transport(daemon.known_hosts, connect_timeout=0.5), server)
    assert fault.reason == "banner"
    assert "sent no SSH banner for 0.5 s" in fault.what


def test_closed_before_the_banner(daemon: Sshd) -> None:
    with listener(lambda visitor: None) as server:
        fault = failure(transport(daemon.known_hosts), server)
    assert fault.reason == "banner"
    assert "closed the connection before its SSH banner" in fault.what


def test_not_an_ssh_server(daemon: Sshd) -> None:
    with listener(lambda visitor: visitor.sendall(b"HTTP/1.1 \033[31m400 Bad Request\r\n" * 200)) as server:
        fault = failure(transport(daemon.known_hosts), server)
    assert fault.reason == "banner"
    assert "HTTP/1.1" in fault.what


def test_a_flood_for_a_banner(daemon: Sshd) -> None:
    def flood(visitor: socket.socket) -> None:
        while True:
            visitor.sendall(b"x" * 4096)

    with listener(flood) as server:
        assert failure(transport(daemon.known_hosts, connect_timeout=0.5), server).reason == "banner"


def test_hangs_after_the_banner(daemon: Sshd) -> None:
    def hang(visitor: socket.socket) -> None:
        visitor.sendall(b"SSH-2.0-tar\r\n")
        until_hung_up(visitor)

    with listener(hang) as server:
        fault = failure(transport(daemon.known_hosts, connect_timeout=0.5), server)
    assert fault.reason == "timeout"
    assert "did not end within 0.5 s" in fault.what


@pytest.mark.parametrize(
    ("line", "offers", "helps"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "chacha20-poly1305@openssh.com", "Ciphers +aes256-gcm@openssh.com"),
        (
            "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            "sntrup761x25519-sha512@openssh.com",
            "KexAlgorithms +curve25519-sha256@libssh.org",
        ),
        (
            "Ciphers aes256-ctr\nMACs umac-128-etm@openssh.com",
            "umac-128-etm@openssh.com",
            "MACs +hmac-sha2-256-etm@openssh.com",
        ),
    ],
)
def test_a_server_that_offers_only_what_we_lack(line: str, offers: str, helps: str) -> None:
    """The line that is named is one that helps: sshd takes it behind its own."""
    with sshd([line]) as running:
        fault = failure(over(running), running.server())
        assert (fault.reason, fault.todo) == ("banner", f"write `{helps}` into its sshd_config and reload it")
        assert f": it offers {offers}" in fault.what
    keyword, _, more = helps.partition(" +")
    both = "\n".join(f"{each},{more}" if each.startswith(keyword) else each for each in line.split("\n"))
    with sshd([both]) as running:
        assert works(over(running), running.server())


def test_a_mac_that_we_lack_beside_a_cipher_that_needs_none() -> None:
    with sshd(["MACs umac-128-etm@openssh.com"]) as running:
        assert works(over(running), running.server())


def test_commands_are_not_allowed(tmp_path: Path) -> None:
    """sshd answers the request with a refusal: MaxSessions 0 allows no channel at all."""
    with sshd(["MaxSessions 0"]) as running:
        session = over(running).open(running.server())
        with pytest.raises(Unreachable, match="opening another channel failed"):
            session.run(["true"])
        session.close()


def test_what_came_before_a_silence_or_a_cut_is_kept(daemon: Sshd) -> None:
    session = transport(daemon.known_hosts).open(daemon.server())
    with pytest.raises(MemberFault, match=r"printed nothing for 0\.5 s") as silent:
        session.run(["sh", "-c", "echo out; echo err >&2; exec sleep 60"], timeout=0.5)
    assert silent.value.so_far == (b"out\n", b"err\n")
    seen: list[bytes] = []

    def cut(stream: str, piece: bytes) -> None:
        seen.append(piece)
        daemon.cut()

    with pytest.raises(Unreachable, match="was cut") as gone:
        session.run(["sh", "-c", "echo out; exec sleep 60"], on_output=cut)
    assert gone.value.so_far == (b"out\n", b"")
    session.close()


# ---- ~/.ssh/config and jumps


def test_the_ssh_config_is_read_with_its_includes(daemon: Sshd, tmp_path: Path) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "web").write_text(
        f"Host shop\n  HostName {daemon.address}\n  Port {daemon.port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {daemon.folder}/user\n  UserKnownHostsFile {daemon.known_hosts}\n"
    )
    config = tmp_path / "config"
    config.write_text(f"Include {tmp_path}/config.d/*\nHost *\n  User nobody\n  Port 1\n")
    assert works(transport(config=config), Server(name="web1", address="shop"))


def test_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host\n")
    with pytest.raises(UsageError, match="config:1: host has no value"):
        transport(config=config)


RELAY = """\
import socket, sys, threading, os
link = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while piece := os.read(0, 65536): link.sendall(piece)
threading.Thread(target=up, daemon=True).start()
while piece := link.recv(65536): os.write(1, piece)
"""


def test_a_proxy_command(daemon: Sshd, tmp_path: Path) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(RELAY)
    config = tmp_path / "config"
    config.write_text(f"Host *\n  ProxyCommand {sys.executable} {relay} %h %p\n")
    assert works(transport(daemon.known_hosts, config=config), daemon.server())


def test_a_proxy_command_that_fails(daemon: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  ProxyCommand false\n")
    fault = failure(transport(daemon.known_hosts, config=config), daemon.server())
    assert (fault.reason, fault.todo) == ("away", "run it by hand: `false`")


def test_the_words_of_a_proxy_command_are_shown(daemon: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host *\n  ProxyCommand sh -c 'echo first; yes x | head -c 300000 >&2; printf \"no way\\033[31m\\n\" >&2' %h\n"
    )
    fault = failure(transport(daemon.known_hosts, config=config), daemon.server())
    assert r"no way\x1b[31m)" in fault.what


@pytest.mark.parametrize("proxied", [False, True])
def test_a_server_with_too_many_logins_at_once_is_tried_again(tmp_path: Path, proxied: bool) -> None:
    """sshd closes what is past MaxStartups; there is room again soon."""
    config = tmp_path / "config"
    config.write_text("")
    with sshd(["MaxStartups 1:100:1"]) as running, ThreadPoolExecutor(1) as threads:
        if proxied:
            (tmp_path / "relay.py").write_text(RELAY)
            config.write_text(f"ProxyCommand {sys.executable} {tmp_path}/relay.py %h %p\n")
        with socket.create_connection((running.address, running.port)) as held:
            held.recv(100)
            opened = threads.submit(works, transport(running.known_hosts, config=config), running.server())
            while b"MaxStartups" not in running.log:
                assert not opened.done(), opened.result()
        assert opened.result() is True


@pytest.fixture(scope="module")
def bastion() -> Iterator[Sshd]:
    with sshd(address="127.0.0.2") as running:
        yield running


def through_bastion(daemon: Sshd, bastion: Sshd, **jump: object) -> tuple[SshTransport, Server]:
    server = daemon.server(jump="bastion")
    servers = {"bastion": bastion.server("bastion", **jump), "web1": server}
    return transport(daemon.known_hosts, bastion.known_hosts, servers=servers), server


def connections(daemon: Sshd) -> list[psutil.Process]:
    return psutil.Process(daemon.child.pid).children()


def test_a_jump_is_shared(daemon: Sshd, bastion: Sshd) -> None:
    psutil.wait_procs([*connections(bastion), *connections(daemon)], 10)  # those of earlier tests
    through, server = through_bastion(daemon, bastion)
    sessions = [through.open(server) for _ in range(3)]
    assert [session.run(["printf", "x"]).stdout.head for session in sessions] == [b"x"] * 3
    assert sessions[0].call("ping", [b"x" * (1 << 20)] * 3).value() == {"bytes": 3 << 20}
    assert (len(connections(bastion)), len(connections(daemon))) == (1, 3)
    for session in sessions:
        session.close()
    through.close()


def test_a_jump_by_alias_and_over_two_hops(daemon: Sshd, bastion: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    user = getpass.getuser()
    config.write_text(
        f"Host first\n  HostName {bastion.address}\n  Port {bastion.port}\n  User {user}\n"
        f"  IdentityFile {bastion.folder}/user\n"
        f"Host second\n  HostName {daemon.address}\n  Port {daemon.port}\n  User {user}\n"
        f"  IdentityFile {daemon.folder}/user\n  ProxyJump first\n"
    )
    through = transport(daemon.known_hosts, bastion.known_hosts, config=config)
    assert works(through, daemon.server(jump="second"))
    assert works(through, daemon.server(jump="first,second"))
    through.close()


def test_a_jump_whose_key_is_not_known(daemon: Sshd, bastion: Sshd) -> None:
    _, server = through_bastion(daemon, bastion)
    through = transport(daemon.known_hosts, servers={"bastion": bastion.server("bastion")})
    fault = failure(through, server)
    assert fault.reason == "jump"
    assert "its jump host bastion cannot be used" in fault.what
    assert "multiall server trust bastion" in fault.todo


def test_a_jump_that_is_away_is_tried_once_for_all(daemon: Sshd, bastion: Sshd) -> None:
    tries = []

    def count(visitor: socket.socket) -> None:
        tries.append(1)
        until_hung_up(visitor)

    with listener(count) as away, ThreadPoolExecutor(8) as threads:
        server = daemon.server(jump="bastion")
        bastions = {"bastion": Server(name="bastion", address=away.address, ssh=away.ssh)}
        through = transport(daemon.known_hosts, servers=bastions, connect_timeout=1)
        faults = list(threads.map(lambda _: failure(through, server), range(8)))
    assert {fault.reason for fault in faults} == {"jump"}
    assert len(tries) < 3


def test_a_server_that_the_jump_cannot_reach(daemon: Sshd, bastion: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    through, _ = through_bastion(daemon, bastion)
    fault = failure(through, Server(name="web1", address="127.0.0.1", ssh=Ssh(port=port, jump="bastion")))
    assert fault.reason == "away"
    assert "through bastion cannot be reached" in fault.what
    through.close()


def test_a_jump_that_was_cut_is_opened_again(daemon: Sshd, bastion: Sshd) -> None:
    through, server = through_bastion(daemon, bastion)
    session = through.open(server)
    bastion.cut()
    with pytest.raises(Unreachable, match="was cut"):
        session.run(["true"])
    session.close()
    assert works(through, server)
    through.close()


def test_jumps_in_a_circle() -> None:
    one = Server(name="one", address="127.0.0.1", ssh=Ssh(jump="two"))
    two = Server(name="two", address="127.0.0.2", ssh=Ssh(jump="one"))
    with pytest.raises(UsageError, match="one: its jump hosts form a cycle: one → two → one; "):
        transport(servers={"one": one, "two": two}).open(one)


# ---- other rights, other shells


@contextmanager
def account(shell: str, password: str = "") -> Iterator[str]:
    """A user of this machine, for the length of a test."""
    name = f"ma{os.getpid()}"
    subprocess.run(["useradd", "-m", "-s", shell, name], check=True, capture_output=True)
    try:
        if password:
            subprocess.run(["chpasswd"], input=f"{name}:{password}".encode(), check=True)
        else:
            subprocess.run(["usermod", "-p", "*", name], check=True)
        yield name
    finally:
        subprocess.run(["userdel", "-r", "-f", name], check=True, capture_output=True)


@contextmanager
def sudoers(line: str) -> Iterator[None]:
    file = Path(f"/etc/sudoers.d/ma{os.getpid()}")
    file.write_text(line + "\n")
    file.chmod(0o440)
    try:
        yield
    finally:
        file.unlink()


needs_sudo = pytest.mark.skipif(not AS_ROOT or not shutil.which("sudo"), reason="needs root, and sudo installed")
SUDO = Become(BecomeMethod.SUDO)


@pytest.fixture
def readable(daemon: Sshd) -> Iterator[Sshd]:
    """The same sshd, whose keys another account's login may read."""
    daemon.folder.chmod(0o755)
    yield daemon
    daemon.folder.chmod(0o700)


@pytest.mark.root
@needs_sudo
class TestSudo:
    @pytest.fixture
    def user(self, readable: Sshd) -> Iterator[str]:
        with account("/bin/sh", "pass word'1") as name:
            yield name

    def server(self, daemon: Sshd, user: str, become: Become) -> Server:
        plain = daemon.server(user=user)
        return Server(name="web1", address=plain.address, ssh=plain.ssh, become=become)

    def test_without_a_password(self, daemon: Sshd, user: str) -> None:
        with sudoers(f"{user} ALL=(ALL) NOPASSWD: ALL"):
            session = transport(daemon.known_hosts).open(self.server(daemon, user, SUDO))
            assert session.run(["id", "-un"]).stdout.head == b"root\n"
            assert session.call("host_info").value()["user"] == "root"
            session.close()

    def test_a_password_that_is_not_declared(self, daemon: Sshd, user: str) -> None:
        with sudoers(f"{user} ALL=(ALL) ALL"):
            session = transport(daemon.known_hosts).open(self.server(daemon, user, SUDO))
            with pytest.raises(
                MemberFault, match=r"sudo asks for a password, but none is declared; .*doctor --sudoers"
            ):
                session.run(["id", "-un"])
            with pytest.raises(MemberFault, match="sudo asks for a password, but none is declared"):
                session.call("ping").value()
            session.close()

    def test_a_password_over_standard_input(self, daemon: Sshd, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SUDO_PASSWORD", "pass word'1")
        become = Become(BecomeMethod.SUDO, password=Secret("env", "SUDO_PASSWORD"))
        with sudoers(f"{user} ALL=(ALL) ALL"):
            session = transport(daemon.known_hosts).open(self.server(daemon, user, become))
            assert session.run(["cat"], stdin=b"input\n").stdout.head == b"input\n"
            assert session.run(["sh", "-c", "id -un; printf '\\n!'"]).stdout.head == b"root\n\n!"
            assert session.call("host_info").value()["user"] == "root"
            session.close()

    @pytest.fixture
    def counted(self, user: str) -> Iterator[Callable[[], int]]:
        """sudo's own PAM service for this user, which counts failures as servers do that lock accounts."""
        name, folder = f"ma{os.getpid()}", Path(tempfile.mkdtemp(prefix="multiall-faillock-"))
        service = Path("/etc/pam.d") / name
        service.write_text(
            "auth [success=2 default=ignore] pam_unix.so nodelay\n"
            f"auth required pam_faillock.so authfail dir={folder} deny=20 no_log_info\n"
            "auth requisite pam_deny.so\nauth required pam_permit.so\n"
            "account required pam_permit.so\nsession required pam_permit.so\n"
        )
        with sudoers(f"Defaults:{user} pam_service={name}\n{user} ALL=(ALL) ALL"):
            try:
                yield lambda: len(
                    re.findall(
                        r"^\d{4}-",
                        subprocess.run(
                            ["faillock", "--dir", str(folder), "--user", user],
                            capture_output=True,
                            text=True,
                            check=True,
                        ).stdout,
                        re.MULTILINE,
                    )
                )
            finally:
                service.unlink()
                shutil.rmtree(folder)

    def test_a_wrong_password_is_tried_once(
        self, daemon: Sshd, user: str, counted: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On one member, with one try: accounts are locked at the third failure, on all members at once."""
        monkeypatch.setenv("SUDO_PASSWORD", "typo")
        become = Become(BecomeMethod.SUDO, password=Secret("env", "SUDO_PASSWORD"))
        through = transport(daemon.known_hosts)

        def tried(number: int) -> str:
            session = through.open(replace(self.server(daemon, user, become), name=f"web{number}"))
            try:
                with pytest.raises(MemberFault) as caught:
                    session.call("ping").value() if number % 2 else session.run(["id"])
                return str(caught.value)
            finally:
                session.close()

        with ThreadPoolExecutor(6) as threads:
            told = list(threads.map(tried, range(6)))
        assert sum("sudo rejected the password" in each for each in told) == 1
        assert sum("was wrong on web" in each and "is not tried again" in each for each in told) == 5
        assert not any("typo" in each for each in told)
        # sudo asks again at once, and its PAM counts that this gets no answer.
        assert 1 <= counted() < 3

    def test_a_short_timeout_does_not_spread_a_wrong_password(self, daemon: Sshd, user: str) -> None:
        """PAM waits for some seconds before it says that a password is wrong."""
        through = transport(daemon.known_hosts, passwords=Passwords(reveal, "typo"))
        with sudoers(f"{user} ALL=(ALL) ALL"):
            told = []
            for name in ("web1", "web2"):
                session = through.open(replace(self.server(daemon, user, SUDO), name=name))
                with pytest.raises(MemberFault) as caught:
                    session.run(["id"], timeout=0.5)
                told.append(caught.value.what)
                session.close()
        assert "it asked for the password again" in told[0]
        assert "was wrong on web1 and is not tried again" in told[1]

    def test_a_command_that_is_not_there(self, daemon: Sshd, user: str) -> None:
        """Every server says the same of it, so that it is shown once."""
        through = transport(daemon.known_hosts, passwords=Passwords(reveal, "pass word'1"))
        with sudoers(f"{user} ALL=(ALL) ALL"):
            session = through.open(self.server(daemon, user, SUDO))
            done = session.run(["no-such-command"])
            session.close()
        assert done.exit_code == 127
        assert b"multiall" not in done.stderr.head

    def test_a_right_password_is_no_failure(
        self, daemon: Sshd, user: str, counted: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SUDO_PASSWORD", "pass word'1")
        become = Become(BecomeMethod.SUDO, password=Secret("env", "SUDO_PASSWORD"))
        through = transport(daemon.known_hosts)

        def tried(number: int) -> bytes:
            session = through.open(replace(self.server(daemon, user, become), name=f"web{number}"))
            try:
                return session.run(["id", "-un"]).stdout.whole()
            finally:
                session.close()

        with ThreadPoolExecutor(6) as threads:
            assert list(threads.map(tried, range(6))) == [b"root\n"] * 6
        assert counted() == 0

    @pytest.mark.parametrize(
        "line",
        [
            "{} ALL=(ALL) NOPASSWD: ALL",
            "Defaults:{0} lecture=always\n{0} ALL=(ALL) ALL",
            "Defaults:{0} use_pty\n{0} ALL=(ALL) ALL",
        ],
    )
    def test_a_command_never_reads_the_password(
        self, daemon: Sshd, user: str, line: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether sudo wants it or not."""
        monkeypatch.setenv("SUDO_PASSWORD", "pass word'1")
        become = Become(BecomeMethod.SUDO, password=Secret("env", "SUDO_PASSWORD"))
        with sudoers(line.format(user)):
            session = transport(daemon.known_hosts).open(self.server(daemon, user, become))
            done = session.run(["sh", "-c", "cat; echo words >&2; exit 3"], stdin=b"in\n\nput")
            assert (done.exit_code, done.stdout.head, done.stderr.head) == (3, b"in\n\nput", b"words\n")
            assert session.call("host_info").value()["user"] == "root"
            session.close()

    def test_a_terminal_that_is_required(self, daemon: Sshd, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SUDO_PASSWORD", "pass word'1")
        for become in (SUDO, Become(BecomeMethod.SUDO, password=Secret("env", "SUDO_PASSWORD"))):
            with sudoers(f"Defaults:{user} requiretty\n{user} ALL=(ALL) ALL"):
                session = transport(daemon.known_hosts).open(self.server(daemon, user, become))
                with pytest.raises(MemberFault, match=r"`become` was refused.*; write `Defaults:USER !requiretty`"):
                    session.call("ping").value()
                session.close()

    def test_a_password_that_was_typed_for_the_run(self, daemon: Sshd, user: str) -> None:
        through = transport(daemon.known_hosts, passwords=Passwords(reveal, "pass word'1"))
        with sudoers(f"{user} ALL=(ALL) ALL"):
            session = through.open(self.server(daemon, user, SUDO))
            assert session.run(["id", "-un"]).stdout.head == b"root\n"
            session.close()
        wrong = transport(daemon.known_hosts, passwords=Passwords(reveal, "typo"))
        with sudoers(f"{user} ALL=(ALL) ALL"):
            session = wrong.open(self.server(daemon, user, SUDO))
            with pytest.raises(MemberFault, match="rejected the password"):
                session.run(["id"])
            with pytest.raises(MemberFault, match="the password of --ask-become-pass was wrong on web1"):
                session.run(["id"])
            session.close()

    def test_a_password_in_another_encoding(self, daemon: Sshd, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
        subprocess.run(["chpasswd"], input=f"{user}:".encode() + b"caf\xe9", check=True)
        monkeypatch.setitem(os.environb, b"SUDO_PASSWORD", b"caf\xe9")
        become = Become(BecomeMethod.SUDO, password=Secret("env", "SUDO_PASSWORD"))
        with sudoers(f"{user} ALL=(ALL) ALL"):
            session = transport(daemon.known_hosts).open(self.server(daemon, user, become))
            assert session.run(["id", "-un"]).stdout.head == b"root\n"
            session.close()

    def test_su_with_a_password(self, daemon: Sshd, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its prompt is PAM's own, whatever the language."""
        monkeypatch.setenv("SU_PASSWORD", "pass word'1")
        become = Become(BecomeMethod.SU, user, Secret("env", "SU_PASSWORD"))
        session = transport(daemon.known_hosts).open(self.server(daemon, user, become))
        done = session.run(["sh", "-c", "cat; id -un"], stdin=b"input\n")
        assert (done.exit_code, done.stdout.head, done.stderr.head) == (0, f"input\n{user}\n".encode(), b"")
        assert session.run(["printf", "%s\\0", *HARD]).stdout.whole() == "".join(f"{w}\0" for w in HARD).encode()
        assert session.call("host_info").value()["user"] == user
        session.close()

    def test_su_that_is_refused(self, daemon: Sshd, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SU_PASSWORD", "typo")
        session = transport(daemon.known_hosts).open(self.server(daemon, user, Become(BecomeMethod.SU, user)))
        with pytest.raises(MemberFault, match="su asks for a password, but none is declared"):
            session.run(["id"])
        session.close()
        become = Become(BecomeMethod.SU, user, Secret("env", "SU_PASSWORD"))
        session = transport(daemon.known_hosts).open(self.server(daemon, user, become))
        with pytest.raises(MemberFault, match="su rejected the password"):
            session.call("ping").value()
        session.close()

    def test_not_in_the_sudoers_file(self, daemon: Sshd, user: str) -> None:
        session = transport(daemon.known_hosts).open(self.server(daemon, user, SUDO))
        with pytest.raises(MemberFault):
            session.call("ping").value()
        session.close()


HARD = ["a\\b", "\\", "a\nb", "!x", "it's", "$HOME", "`x`", "{a,b}", "~", "*", "ü", "\\'", "'\\''", "\n", ""]


@pytest.mark.root
@pytest.mark.skipif(not AS_ROOT, reason="needs root, to make accounts")
@pytest.mark.parametrize("name", ["sh", "dash", "bash", "csh", "tcsh", "fish", "zsh", "ksh"])
def test_login_shells(readable: Sshd, name: str) -> None:
    shell = shutil.which(name, path="/bin:/usr/bin:/usr/local/bin")
    if shell is None:
        pytest.skip(f"{name} is not installed")
    with account(shell) as user:
        session = transport(readable.known_hosts).open(readable.server(user=user))
        assert session.call("ping", [b"x"]).value() == {"bytes": 1}
        assert session.run(["printf", "%s\\0", *HARD]).stdout.whole() == "".join(f"{w}\0" for w in HARD).encode()
        assert session.run(["sh", "-c", "cat; exit 7"], stdin=b"in\n").exit_code == 7
        session.close()


@pytest.mark.root
@pytest.mark.skipif(not AS_ROOT, reason="needs root, to make accounts")
def test_a_login_password() -> None:
    """sshd without PAM checks the account's own hash."""
    with sshd(["PasswordAuthentication yes"]) as running, account("/bin/sh", "pass word") as user:
        running.folder.chmod(0o755)
        os.environ["LOGIN_PASSWORD"] = "pass word"
        try:
            server = running.server(user=user, identity=None, password=Secret("env", "LOGIN_PASSWORD"))
            assert works(over(running), server)
            os.environ["LOGIN_PASSWORD"] = "other word"
            fault = failure(over(running), server)
            assert fault.reason == "auth"
            assert "accepted none of 1 (the password)" in fault.what
            assert "other word" not in str(fault)
            before = running.log.count(b"Failed password")
            through = over(running)
            with ThreadPoolExecutor(4) as threads:
                servers = [replace(server, name=f"web{number}") for number in range(4)]
                told = list(threads.map(lambda each: failure(through, each).what, servers))
            assert sum("was wrong on web" in each and "is not tried again" in each for each in told) == 3
            assert running.log.count(b"Failed password") - before == 1
        finally:
            del os.environ["LOGIN_PASSWORD"]


def test_known_keys_are_base64(daemon: Sshd) -> None:
    key = transport(daemon.known_hosts).offered(daemon.server())
    assert base64.b64decode(key.line.split()[2]) == key.blob


LOUD = """
import sys, json
from tests.laws.measure import over_ssh
from multiall_cli.domain.errors import Unreachable
transport, server = over_ssh(json.loads(sys.argv[1]))
try:
    transport.open(server)
except Unreachable as fault:
    sys.exit(0 if fault.reason == sys.argv[2] else str(fault))
"""


@pytest.mark.parametrize("reason", ["banner", "auth", "host-key-unknown"])
def test_a_library_never_talks_on_standard_error(daemon: Sshd, tmp_path: Path, reason: str) -> None:
    """paramiko logs warnings and tracebacks of what we tell in our own words."""
    server = daemon.server()
    recipe = {
        "address": server.address,
        "port": server.ssh.port,
        "user": server.ssh.user,
        "identity": str(tmp_path / "none"),
        "known_hosts": str(tmp_path / "none") if reason == "host-key-unknown" else str(daemon.known_hosts),
    }
    with listener(lambda visitor: None) as silent:
        port = silent.ssh.port if reason == "banner" else server.ssh.port
        command = [sys.executable, "-c", LOUD, json.dumps({**recipe, "port": port}), reason]
        root = Path(__file__).parents[2]
        done = subprocess.run(
            command, cwd=root, env={"HOME": str(tmp_path), "PYTHONPATH": str(root)}, capture_output=True
        )
    assert (done.returncode, done.stderr) == (0, b"")
