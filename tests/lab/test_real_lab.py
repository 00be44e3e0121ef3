"""The lab itself: its commands, several labs at once, and leftovers after kills."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiall_cli.domain.errors import UsageError
from multiall_cli.lab.real.faults import FAULTS, FaultKind
from multiall_cli.lab.real.lab import WHERE, RealLab, remove_leftovers
from tests.lab.ground import ROOT
from tests.lab.traces import Traces, traces
from tests.limits import HANG


def ended(pid: int) -> None:
    """Wait until a process is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([handle], [], [], 30)[0]
    os.close(handle)


def test_hosts_are_systems_of_their_own(lab: RealLab) -> None:
    for name in ("web1", "web2"):
        lab.run(name, ["sh", "-c", "echo $(hostname) > /etc/who; mkdir /home/$(hostname); echo 7 > /var/lib/seven"])
    assert lab.run("web1", ["cat", "/etc/who"]).stdout == b"web1\n"
    assert lab.run("web2", ["ls", "/home"]).stdout == b"web2\n"
    assert not Path("/etc/who").exists()
    assert not Path("/var/lib/seven").exists()
    pids = lab.run("web1", ["ps", "-eo", "pid="]).stdout.split()
    assert b"1" in pids
    assert len(pids) < 12
    assert lab.run("web1", ["cut", "-d.", "-f1", "/proc/uptime"]).stdout < b"600"
    assert lab.run("web1", ["cat", "/etc/machine-id"]).stdout != lab.run("web2", ["cat", "/etc/machine-id"]).stdout
    assert lab.run("web1", ["ls", "/root", "/tmp", "/etc/sudoers.d"]).stdout.split() == [
        b"/etc/sudoers.d:", b"/root:", b"/tmp:"]  # fmt: skip


def test_each_has_a_package_database_of_its_own(lab: RealLab) -> None:
    """A package built and installed on one host is on that host alone."""
    control = "Package: multiall-lab-probe\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n"
    make = f"mkdir -p /t/DEBIAN && printf '{control}' > /t/DEBIAN/control && dpkg-deb -b /t /t.deb && dpkg -i /t.deb"
    assert lab.run("web1", ["sh", "-c", make]).returncode == 0
    assert lab.run("web1", ["dpkg", "-s", "multiall-lab-probe"]).returncode == 0
    assert lab.run("web2", ["dpkg", "-s", "multiall-lab-probe"]).returncode == 1
    assert subprocess.run(["dpkg", "-s", "multiall-lab-probe"], capture_output=True, check=False).returncode == 1


def test_a_reset_undoes_all_of_it(lab: RealLab) -> None:
    lab.run("web1", ["sh", "-c", "rm -rf /etc/ssh /usr/bin/python3; useradd deploy; echo x > /x"])
    lab.reset("web1")
    assert lab.run("web1", ["id", "deploy"]).returncode == 1
    assert lab.run("web1", ["ls", "/usr/bin/python3", "/etc/ssh/host_key"]).returncode == 0
    assert lab.run("web1", ["ls", "/x"]).returncode == 2


def test_a_restart_keeps_its_disk(lab: RealLab) -> None:
    lab.run("web1", ["sh", "-c", "echo x > /x"])
    lab.do("web1", FaultKind.RESTART)
    assert lab.run("web1", ["cat", "/x"]).stdout == b"x\n"


def test_a_host_that_ends_by_itself_is_seen(lab: RealLab) -> None:
    pid = lab.pid("web1")
    lab.run("web1", ["reboot", "--force", "--force"])
    ended(pid)
    assert [one.name for one in lab.status() if not one.runs] == ["web1"]
    lab.reset("web1")
    assert lab.run("web1", ["true"]).returncode == 0


def test_two_labs_at_once(lab: RealLab) -> None:
    """The same names and addresses, but nothing shared."""
    with RealLab.up(1, name="web") as other:
        assert other.addresses["web1"] == lab.addresses["web1"]
        other.run("web1", ["sh", "-c", "echo other > /etc/who"])
        assert lab.run("web1", ["cat", "/etc/who"]).returncode == 1
        ssh = ["ssh", "-F", str(other.ssh_config), "web1", "cat", "/etc/who"]
        assert other.beside(ssh).stdout == b"other\n"
        assert lab.beside(ssh).returncode == 255  # its host key differs


USER = """
import sys
from pathlib import Path
from multiall_cli.lab.real.lab import RealLab
lab = RealLab.up(2, Path(sys.argv[1]))
print("up", flush=True)
sys.stdin.read()
"""


def another_user(folder: Path) -> "subprocess.Popen[bytes]":
    """Start another process with its own lab; return when it is up."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", USER, str(folder)]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


def killed(which: str, folder: Path) -> Traces:
    """Kill a lab's user or supervisor with -9; return its traces."""
    child = another_user(folder)
    lab = RealLab.attach(folder)
    with traces(lab) as seen:
        keeper, parent = lab.processes()
        assert len(seen.left()) >= 5
        if which == "user":
            child.kill()
        else:
            os.kill(keeper, signal.SIGKILL)
        ended(keeper)
        ended(parent)
        child.communicate(timeout=HANG)
        assert [each for each in seen.left() if each != str(folder)] == []
    lab.leave()
    return seen


def test_gone_after_kill_9_of_its_user(tmp_path: Path) -> None:
    assert killed("user", tmp_path / "lab").left() == []


def test_gone_after_kill_9_of_its_supervisor_and_its_folder_at_the_next_start() -> None:
    folder = WHERE / f"stale-{os.getpid()}"
    killed("keeper", folder)
    assert folder.exists()
    assert folder in remove_leftovers()
    assert not folder.exists()


@pytest.fixture
def named() -> Iterator[str]:
    """Yield a free name for a lab, and end that lab."""
    name = f"verbs-{os.getpid()}"
    yield name
    if (WHERE / name).exists():
        RealLab.attach(WHERE / name).down()


def multiall(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "multiall_cli", *words]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment}
    return subprocess.run(argv, capture_output=True, text=True, env=surroundings, check=False)


def test_the_verbs(named: str) -> None:
    """up → a working site → break, status, undo → shell → reset → down; each with its exit code."""
    made = multiall("lab", "up", "--hosts", "2", "--lab", named)
    assert made.returncode == 0, made.stderr
    site = made.stdout.strip()
    assert site == str(WHERE / named / "site")
    done = multiall("--site", site, "exec", "@web", "--", "hostname")
    assert (done.returncode, done.stdout.split()[-1]) == (0, "web2")
    assert multiall("lab", "up", "--lab", named).returncode == 2

    broken = multiall("lab", "break", "web1", "line", "delay=20ms", "loss=1%", "--lab", named, "--json")
    assert json.loads(broken.stdout)["hosts"][0]["faults"]["line"]["delay"] == 0.02
    assert multiall("lab", "break", "web2", "kill", "--lab", named).returncode == 0
    told = json.loads(multiall("lab", "status", "--lab", named, "--json").stdout)
    assert [(one["name"], one["runs"], list(one["faults"])) for one in told["hosts"]] == [
        ("web1", True, ["line"]), ("web2", False, ["kill"])]  # fmt: skip
    assert multiall("--site", site, "exec", "@web", "--", "true").returncode == 3
    assert multiall("lab", "break", "web[1-2]", "--undo", "--lab", named).returncode == 0
    assert multiall("--site", site, "exec", "@web", "--", "true").returncode == 0

    assert multiall("lab", "shell", "web2", "--lab", named, "--", "hostname").stdout == "web2\n"
    assert multiall("lab", "shell", "--lab", named, "--", "sh", "-c", "exit 7").returncode == 7
    assert multiall("lab", "reset", "web1", "--lab", named, "--quiet").returncode == 0
    assert multiall("lab", "down", "--lab", named).stdout == f"ended {named}\n"
    assert multiall("lab", "down", "--lab", named).returncode == 2
    after = multiall("--site", site, "exec", "@web", "--", "true")
    assert after.returncode == 2, after.stderr


def test_impossible_commands(lab: RealLab) -> None:
    name = str(lab.folder)
    wrong = multiall("lab", "break", "web1", "frezee", "--lab", name)
    assert (wrong.returncode, "did you mean freeze?" in wrong.stderr) == (2, True)
    wrong = multiall("lab", "break", "web1", "line", "delay=fast", "--lab", name)
    assert (wrong.returncode, "write it as delay=200ms" in wrong.stderr) == (2, True)
    wrong = multiall("lab", "reset", "web9", "--lab", name, "--json")
    assert json.loads(wrong.stdout)["error"]["what"] == "there is no such host"
    known = json.loads(multiall("lab", "break", "--json").stdout)
    assert [one["name"] for one in known["faults"]] == [str(fault) for fault in FAULTS]


def test_without_root_it_suggests_the_demo() -> None:
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "multiall_cli"]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    reached = subprocess.run([*argv, "--version"], env=surroundings, capture_output=True, cwd="/", check=False)
    if reached.returncode:
        pytest.skip("this checkout cannot be read by others")
    done = subprocess.run([*argv, "lab", "up"], env=surroundings, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 1
    assert "needs root" in done.stderr
    assert "`multiall demo --keep`" in done.stderr


def test_invalid_options_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 hosts; ask for 1 to"):
        RealLab.up(0)
    with pytest.raises(UsageError, match="unknown init `upstart`"):
        RealLab.up(1, init="upstart")
    with pytest.raises(UsageError, match="the path is longer than"):
        RealLab.up(1, tmp_path / ("x" * 100))
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="the folder is not empty"):
        RealLab.up(1, tmp_path)


@pytest.mark.skipif(shutil.which("pg_lsclusters") is None, reason="PostgreSQL is not installed")
def test_a_service_runs_when_the_lab_is_up() -> None:
    with RealLab.up(2, services=["postgresql"]) as lab:
        for name in lab.names:
            asked = lab.run(name, ["runuser", "-u", "postgres", "--", "psql", "-Atc", "select 6 * 7"])
            assert asked.stdout == b"42\n", asked.stderr


@pytest.mark.skipif(not Path("/sbin/init").exists(), reason="systemd is not installed")
def test_systemd_as_its_first_process() -> None:
    with RealLab.up(1, init="systemd") as lab:
        assert lab.run("web1", ["systemctl", "is-active", "ssh"]).stdout == b"active\n"
        ssh = ["ssh", "-F", str(lab.ssh_config), "web1", "ps", "-o", "comm=", "-p", "1"]
        assert lab.beside(ssh).stdout == b"systemd\n"
        assert groups_of(lab) != []
        lab.reset()
        assert lab.beside(ssh).stdout == b"systemd\n"
    assert groups_of(lab) == []


def groups_of(lab: RealLab) -> list[Path]:
    """Return the machine's control groups of this lab."""
    return [each for each in Path("/sys/fs/cgroup").glob("**/multiall-lab!*") if each.name.endswith(lab.folder.name)]
