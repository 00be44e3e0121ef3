"""The demo lab: quick to start, dies as told, and leaves nothing, whatever ends its user."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from multiall_cli.adapters.secrets import reveal
from multiall_cli.adapters.ssh.transport import SshTransport
from multiall_cli.domain.errors import Unreachable, UsageError
from multiall_cli.domain.inventory import Server, Ssh
from multiall_cli.lab import DemoLab
from multiall_cli.lab.demo.lab import remove_leftovers
from multiall_cli.ports.session import Session
from tests.laws.doubles import Kept
from tests.limits import HANG


@pytest.fixture(scope="module")
def lab() -> Iterator[DemoLab]:
    with DemoLab.up(3) as lab:
        yield lab


def transport(lab: DemoLab, connect_timeout: float = 5) -> SshTransport:
    return SshTransport(
        connect_timeout=connect_timeout,
        timeout=10,
        known_hosts=[lab.site / "known_hosts"],
        servers={},
        cache=Kept(),
        reveal=reveal,
        config_files=(),
    )


def server(lab: DemoLab, name: str) -> Server:
    """As its site's inventory says."""
    told = yaml.safe_load((lab.site / "inventory" / "lab.yaml").read_text())["servers"][name]
    return Server(name=name, address=told["address"], ssh=Ssh(**told["ssh"]))


def opened(lab: DemoLab, name: str, connect_timeout: float = 5) -> Session:
    return transport(lab, connect_timeout).open(server(lab, name))


def pids(folder: Path) -> list[psutil.Process]:
    """The lab's processes and all below them."""
    keeper = psutil.Process(json.loads((folder / "lab.json").read_text())["supervisor"])
    return [keeper, *keeper.children(recursive=True)]


def test_five_servers_start_quickly() -> None:
    before = time.monotonic()
    with DemoLab.up(5) as lab:
        session = opened(lab, "web5")
        assert session.run(["true"]).exit_code == 0
        session.close()
        assert lab.names == ("web1", "web2", "web3", "web4", "web5")
    assert time.monotonic() - before < 3  # 0.4 s on the machine where it was written


def test_the_site_has_a_pool(lab: DemoLab) -> None:
    told = yaml.safe_load((lab.site / "inventory" / "lab.yaml").read_text())
    assert told["pools"] == {"web": {"members": ["web1", "web2", "web3"]}}


def test_each_has_a_home_of_its_own(lab: DemoLab) -> None:
    session = opened(lab, "web1")
    assert (
        session.run(["sh", "-c", "pwd; echo ~; echo x > ~/own"]).stdout.head.decode().split()
        == [str(lab.home("web1"))] * 2
    )
    assert (lab.home("web1") / "own").read_text() == "x\n"
    assert not (lab.home("web2") / "own").exists()
    session.close()


def test_only_the_labs_key_gets_in(lab: DemoLab, tmp_path: Path) -> None:
    wrong = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(wrong)], check=True)
    right = server(lab, "web1")
    stranger = Server(name="web1", address=right.address, ssh=Ssh(user="lab", port=right.ssh.port, identity=str(wrong)))
    with pytest.raises(Unreachable) as caught:
        transport(lab).open(stranger)
    assert caught.value.reason == "auth"


def test_a_command_that_was_started_dies_with_its_server(lab: DemoLab) -> None:
    session = opened(lab, "web2")
    left = lab.home("web2") / "pid"
    script = f"setsid sh -c 'echo $$ > {left}.new; mv {left}.new {left}; exec sleep 600' >/dev/null 2>&1 & echo"
    assert session.run(["sh", "-c", script + f"; while ! test -e {left}; do :; done"]).exit_code == 0
    escaped = psutil.Process(int(left.read_text()))
    lab.kill("web2")
    assert not escaped.is_running()
    with pytest.raises(Unreachable) as caught:
        session.run(["true"])
    assert caught.value.reason == "away"
    with pytest.raises(Unreachable) as caught:
        opened(lab, "web2")
    assert caught.value.reason == "refused"
    lab.start("web2")
    again = opened(lab, "web2")
    assert again.run(["cat", str(left)]).exit_code == 0
    again.close()


def test_frozen_and_thawed(lab: DemoLab) -> None:
    session = opened(lab, "web3")
    lab.freeze("web3")
    with pytest.raises(Unreachable) as caught:
        opened(lab, "web3", connect_timeout=0.3)
    assert caught.value.reason == "banner"
    lab.thaw("web3")
    assert session.run(["printf", "x"]).stdout.head == b"x"
    session.close()


def test_a_frozen_server_can_be_killed(lab: DemoLab) -> None:
    lab.freeze("web3")
    lab.kill("web3")
    lab.start("web3")
    session = opened(lab, "web3")
    assert session.run(["true"]).exit_code == 0
    session.close()


def test_orders_that_make_no_sense(lab: DemoLab) -> None:
    with pytest.raises(UsageError, match="lab web9: there is no such server; its servers are web1, web2, web3"):
        lab.kill("web9")
    with pytest.raises(UsageError, match="it is already running"):
        lab.start("web1")
    with pytest.raises(UsageError, match="0 servers; ask for 1 to"):
        DemoLab.up(0)


def test_a_channel_to_a_brother(lab: DemoLab) -> None:
    """How one member is asked whether it can reach another, and how jumps work."""
    jump = server(lab, "web1")
    through = SshTransport(
        connect_timeout=5,
        timeout=10,
        known_hosts=[lab.site / "known_hosts"],
        servers={"web1": jump},
        cache=Kept(),
        reveal=reveal,
        config_files=(),
    )
    brother = server(lab, "web2")
    ssh = Ssh(user="lab", port=brother.ssh.port, identity=brother.ssh.identity, jump="web1")
    session = through.open(Server(name="web2", address=brother.address, ssh=ssh))
    assert session.call("ping", [b"x" * 100_000]).value() == {"bytes": 100_000}
    session.close()
    through.close()


def test_nothing_stays_behind() -> None:
    with DemoLab.up(2) as lab:
        all_of_it = pids(lab.folder)
        session = opened(lab, "web1")
        session.call("ping").value()
        session.close()
    assert len(all_of_it) == 3
    assert psutil.wait_procs(all_of_it, HANG)[1] == []
    assert not lab.folder.exists()


def test_two_labs_at_once(lab: DemoLab) -> None:
    """The second one finds the usual addresses taken and uses free ports of 127.0.0.1."""
    with DemoLab.up(2) as other:
        assert set(other.addresses.values()).isdisjoint(lab.addresses.values())
        session = opened(other, "web2")
        assert session.run(["true"]).exit_code == 0
        session.close()


USER = """
import sys
from pathlib import Path
from multiall_cli.lab import DemoLab
lab = DemoLab.up(2, Path(sys.argv[1]), keep=sys.argv[2] == "keep")
print("up", flush=True)
sys.stdin.read()
if sys.argv[2] == "keep":
    lab.leave()
"""


def user(folder: Path, keep: str) -> "subprocess.Popen[bytes]":
    """Another process with a lab of its own, which is up."""
    child = subprocess.Popen(
        [sys.executable, "-c", USER, str(folder), keep],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


def done(child: "subprocess.Popen[bytes]") -> None:
    child.communicate(timeout=HANG)


def test_a_folder_in_which_a_lab_runs_is_told_with_what_ends_it(tmp_path: Path) -> None:
    with DemoLab.up(1, tmp_path / "my play"), pytest.raises(UsageError) as told:
        DemoLab.up(1, tmp_path / "my play")
    assert str(told.value).endswith(
        f": a lab is running here; end it with `multiall demo --end --folder '{tmp_path}/my play'`"
    )


def test_an_end_of_nothing_says_so(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    line = [sys.executable, "-m", "multiall_cli", "demo", "--end"]
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=HANG)
    words = "no lab was left running in its own folder; name the folder of another: `multiall demo --end --folder DIR`"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"demo: {words}\n")


def test_gone_also_after_kill_9_of_its_user(tmp_path: Path) -> None:
    child = user(tmp_path / "lab", "end")
    all_of_it = pids(tmp_path / "lab")
    child.kill()
    done(child)
    assert psutil.wait_procs(all_of_it, HANG)[1] == []
    assert not (tmp_path / "lab").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG")
def test_gone_also_after_kill_9_of_its_keeper(tmp_path: Path) -> None:
    child = user(tmp_path / "multiall-lab-x", "end")
    keeper, *members = pids(tmp_path / "multiall-lab-x")
    members[0].suspend()
    keeper.kill()
    assert psutil.wait_procs(members, HANG)[1] == []
    done(child)
    assert remove_leftovers(tmp_path) == [tmp_path / "multiall-lab-x"]
    assert not (tmp_path / "multiall-lab-x").exists()


def test_a_server_may_be_killed_at_the_moment_it_has_started() -> None:
    """It is a process group of its own by then, and dies with its supervisor."""
    with DemoLab.up(1) as lab:
        for _ in range(20):
            lab.kill("web1")
            lab.start("web1")
        with socket.create_connection(lab.addresses["web1"], HANG) as connection:
            assert connection.recv(4) == b"SSH-"


def test_a_kept_lab_is_found_again_and_ended(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    done(user(folder, "keep"))
    all_of_it = pids(folder)
    assert remove_leftovers() == []
    again = DemoLab.attach(folder)
    session = opened(again, "web1")
    assert session.run(["true"]).exit_code == 0
    session.close()
    again.kill("web1")
    again.down()
    assert psutil.wait_procs(all_of_it, HANG)[1] == []
    assert not folder.exists()
    with pytest.raises(UsageError, match="no lab is running here"):
        DemoLab.attach(folder)


def test_a_kept_lab_ends_by_its_pid(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    done(user(folder, "keep"))
    all_of_it = pids(folder)
    os.kill(json.loads((folder / "lab.json").read_text())["supervisor"], signal.SIGTERM)
    assert psutil.wait_procs(all_of_it, HANG)[1] == []
    assert not folder.exists()


def test_a_folder_with_something_in_it_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="the folder is not empty"):
        DemoLab.up(1, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
