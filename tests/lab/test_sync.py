"""`pool sync` over real hosts: many, through jump hosts, trees with owners and attributes."""

import os
import random
import subprocess
from pathlib import Path

from multiall_cli.domain.report import MemberState
from multiall_cli.lab.real.faults import FaultKind
from multiall_cli.lab.real.lab import RealLab
from tests.lab.ground import Ground, all_are, states


def test_a_pool_becomes_equal(ground: Ground) -> None:
    ground.write()
    ground.tree({"index.html": "one", "deep/er/page": "two", "big": os.urandom(300_000)})
    ground.run("web2", "mkdir", "-p", "/srv/www")
    ground.run("web2", "sh", "-c", "echo stray > /srv/www/stray")
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    for name in ground.lab.names:
        assert ground.has(name, "/srv/www/index.html") == b"one"
        assert ground.has(name, "/srv/www/stray") is None
    assert all_are(ground.sync(), MemberState.SAME, ground.lab.names)


def test_many_hosts(ground: Ground) -> None:
    """Thirty at once, one in ten of them dead: those are deferred, all others done."""
    with RealLab.up(30) as many:
        there = Ground(many, ground.root)
        there.write()
        there.tree({f"d{number % 5}/f{number}": f"{number}" for number in range(100)})
        dead = ("web7", "web17", "web27")
        for name in dead:
            many.do(name, FaultKind.POWER_OFF)
        report = there.sync()
        assert all_are(report, MemberState.DEFERRED, dead)
        assert all_are(report, MemberState.CHANGED, set(many.names) - set(dead))
        for name in dead:
            many.start(name)
        assert all_are(there.sync(), MemberState.CHANGED, dead)
        assert all_are(there.sync(), MemberState.SAME, many.names)


def test_the_command_line_over_the_labs_own_site(ground: Ground) -> None:
    """As a user of `multiall lab up` does, with only the printed site."""
    ground.write()
    ground.tree({"index.html": "one"})
    planned = ground.cli("pool", "plan", "web")
    assert planned.returncode == 10, planned.stderr
    done = ground.cli("pool", "sync", "web", "--yes")
    assert done.returncode == 0, done.stderr
    assert ground.cli("pool", "plan", "web").returncode == 0
    told = ground.cli("exec", "@web", "--", "hostname")
    assert [line for line in told.stdout.splitlines() if not line.startswith("---")] == list(ground.lab.names)


def test_a_member_is_the_source(ground: Ground) -> None:
    ground.write(files={"source": "web3"})
    ground.run("web3", "sh", "-c", "mkdir /srv/www && echo mine > /srv/www/page")
    assert all_are(ground.sync(), MemberState.CHANGED, {"web1", "web2", "web4"})
    assert ground.has("web1", "/srv/www/page") == b"mine\n"


def test_behind_two_jump_hosts(ground: Ground) -> None:
    """web4 hears only web3, and web3 is reached through web2."""
    ground.write({"web3": {"ssh": {"jump": "web2"}}, "web4": {"ssh": {"jump": "web3"}}})
    ground.tree({"page": "x"})
    ground.lab.do("web4", FaultKind.PARTITION, **{"from": ("admin", "web1", "web2")})
    ground.lab.do("web3", FaultKind.PARTITION, **{"from": ("admin", "web1")})
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    assert ground.has("web4", "/srv/www/page") == b"x"


def test_a_dead_jump_host_defers_servers_behind_it(ground: Ground) -> None:
    ground.write({"web4": {"ssh": {"jump": "web3"}}})
    ground.tree({"page": "x"})
    ground.lab.kill("web3")
    found = states(ground.sync())
    assert found == {"web1": MemberState.CHANGED, "web2": MemberState.CHANGED,
                     "web3": MemberState.DEFERRED, "web4": MemberState.DEFERRED}  # fmt: skip
    ground.lab.start("web3")
    assert all_are(ground.sync(), MemberState.CHANGED, {"web3", "web4"})


def many_kinds(top: Path, luck: random.Random) -> None:
    """Make a tree with owners, modes, odd names, links, empty folders and attributes, chosen by `luck`."""
    for number in range(60):
        file = top / f"d{number % 7}" / luck.choice(["a b", "ü", "new\nline", "-x", "plain"]) / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(luck.randbytes(luck.choice([0, 1, 100, 70_000])))
        os.chown(file, luck.choice([0, 1, 33]), luck.choice([0, 33, 4242]))
        file.chmod(luck.choice([0o600, 0o644, 0o755, 0o400, 0o4755, 0o2755]))
        os.utime(file, ns=(0, luck.randrange(10**18)))
        if luck.random() < 0.2:
            os.setxattr(file, "user.origin", luck.randbytes(9))
    (top / "empty").mkdir(mode=0o700)
    (top / "link").symlink_to("d1/nowhere")
    (top / "out").symlink_to("/etc/passwd")


def test_owners_modes_and_attributes_as_rsync_sees_them(ground: Ground) -> None:
    """rsync finds no difference: content, owner, group, mode, time, links, attributes."""
    ground.write(files={"owner": "source", "xattrs": True, "times": True})
    top = ground.root / "trees" / "www"
    top.mkdir(parents=True)
    many_kinds(top, random.Random(ground.lab.seed))
    report = ground.sync()
    assert all_are(report, MemberState.CHANGED, ground.lab.names), report.members
    for name in ground.lab.names[:2]:
        looked = rsync(ground, top, name)
        assert looked.stdout.decode() == "", looked.stderr.decode()


def rsync(ground: Ground, top: Path, name: str) -> "subprocess.CompletedProcess[bytes]":
    """Return what rsync would still change on a host, deletions included."""
    shell = f"ssh -F {ground.lab.ssh_config}"
    options = ["-aXHn", "--checksum", "--delete", "--itemize-changes", "--numeric-ids"]
    looked = ground.lab.beside(["rsync", *options, "-e", shell, f"{top}/", f"{name}:/srv/www/"])
    assert looked.returncode == 0, looked.stderr.decode()
    return looked
