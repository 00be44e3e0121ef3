"""Privileges, shells and programs: members as people set them up."""

import shutil
from collections.abc import Sequence

import pytest

from multiall_cli.domain.report import MemberState
from tests.lab.ground import Ground, all_are, member, states

SHELLS = ("/bin/dash", "/bin/bash", "/bin/csh", "/usr/bin/fish", "/usr/bin/zsh", "/bin/ksh")


def add_user(
    ground: Ground, hosts: Sequence[str], *, shell: str = "/bin/bash", sudo: str = "", password: str = ""
) -> None:
    """Add the user `deploy` on these hosts; `sudo`: the end of its line in sudoers."""
    for name in hosts:
        ground.run(name, "useradd", "--create-home", "--shell", shell, "deploy")
        if password:
            ground.run(name, "chpasswd", stdin=f"deploy:{password}\n".encode())
        if sudo:
            ground.run(name, "sh", "-c", f"echo 'deploy ALL=(ALL) {sudo}' > /etc/sudoers.d/deploy")


def as_deploy(ground: Ground, **more: object) -> dict[str, dict[str, object]]:
    return {name: {"ssh": {"user": "deploy"}, **more} for name in ground.lab.names}


def test_a_plain_user_in_its_own_home(ground: Ground) -> None:
    add_user(ground, ground.lab.names)
    ground.write(as_deploy(ground), {"path": "~/www"})
    ground.tree({"page": "x"})
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    assert ground.run("web1", "stat", "-c", "%U", "/home/deploy/www/page") == b"deploy\n"


def test_a_plain_user_where_it_may_not_write(ground: Ground) -> None:
    add_user(ground, ground.lab.names)
    ground.write(as_deploy(ground))
    ground.tree({"page": "x"})
    report = ground.sync()
    assert all_are(report, MemberState.FAILED, ground.lab.names)
    assert "ermission" in str(report.members[0])


def test_sudo_without_a_password(ground: Ground) -> None:
    add_user(ground, ground.lab.names, sudo="NOPASSWD: ALL")
    ground.write(as_deploy(ground, become="sudo"))
    ground.tree({"page": "x"})
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    assert ground.run("web1", "stat", "-c", "%U", "/srv/www/page") == b"root\n"


def test_sudo_with_a_password(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password goes over standard input, and appears in no process list."""
    add_user(ground, ground.lab.names, sudo="ALL", password="correct horse")
    monkeypatch.setenv("SUDO_PASSWORD", "correct horse")
    become = {"method": "sudo", "password": "${env:SUDO_PASSWORD}"}
    ground.write(as_deploy(ground, become=become))
    ground.tree({"page": "x"})
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    assert ground.has("web3", "/srv/www/page") == b"x"
    told = ground.cli("exec", "web1", "--", "ps", "axww", "-o", "args")
    assert "ps axww" in told.stdout
    assert "correct horse" not in told.stdout


def test_sudo_with_no_password_or_the_wrong_one(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both fail with the next step."""
    add_user(ground, ground.lab.names, sudo="ALL", password="right")
    monkeypatch.setenv("SUDO_PASSWORD", "wrong")
    servers = as_deploy(ground, become="sudo")
    servers["web2"] = {"ssh": {"user": "deploy"}, "become": {"method": "sudo", "password": "${env:SUDO_PASSWORD}"}}
    ground.write(servers)
    ground.tree({"page": "x"})
    report, took = ground.timed_sync()
    assert not set(states(report).values()) & {MemberState.SAME, MemberState.CHANGED}
    for name in ("web1", "web2"):
        assert "sudo" in member(report, name).reason + member(report, name).todo
    assert took < 15


def test_a_member_without_python3(ground: Ground) -> None:
    """It fails with an error that says so; the others are done, and plain commands still run on it."""
    ground.write()
    ground.tree({"page": "x"})
    ground.run("web2", "sh", "-c", "rm /usr/bin/python3*")
    report = ground.sync()
    assert all_are(report, MemberState.CHANGED, {"web1", "web3", "web4"})
    lost = member(report, "web2")
    assert lost.state in (MemberState.FAILED, MemberState.DEFERRED)
    assert "python3" in lost.reason
    assert ground.cli("exec", "web2", "--", "hostname").returncode == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_other_login_shells(ground: Ground, shell: str) -> None:
    """Commands, quotes and trees arrive intact through any login shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    add_user(ground, ["web1"], shell=shell, sudo="NOPASSWD: ALL")
    ground.write({"web1": {"ssh": {"user": "deploy"}, "become": "sudo"}})
    ground.tree({"a page": "x"})
    assert states(ground.sync(only="web1")) == {"web1": MemberState.CHANGED}
    assert ground.has("web1", "/srv/www/a page") == b"x"
    odd = ["a b", "$HOME", "it's", '"q"', "*", "!x", "back\\slash", "new\nline"]
    told = ground.cli("-o", "json", "exec", "web1", "--", "printf", "[%s]", *odd)
    assert told.returncode == 0, told.stderr
    for word in odd:
        assert f"[{word}]".replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') in told.stdout
