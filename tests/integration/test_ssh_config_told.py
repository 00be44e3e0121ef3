"""What a site's ssh config says and MultiAll does not do, as doctor reports it."""

from pathlib import Path

import pytest

from multiall_cli.fleet import Fleet

CONFIG = """\
Host web*
  ForwardAgent yes
  SendEnv LANG LC_*
  StrictHostKeyChecking accept-new
Host web1
  setenv A=b
  KnownHostsCommand /bin/x %H
  ProxyJump gate
  ServerAliveInterval 5
Host 192.0.2.9
  LocalForward 1 localhost:1
Host *
  ForwardAgent no
  StrictHostKeyChecking no
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "site.yaml").write_text(
        "servers: {web1: {address: 192.0.2.1}, web2: {}, db: {address: 192.0.2.9}, here: {transport: local}}\n"
    )
    (tmp_path / "multiall.yaml").write_text("ssh_config: ./ssh_config\nstore: ./state\n")
    (tmp_path / "ssh_config").write_text(CONFIG)
    return tmp_path


def test_each_line_is_named_with_its_servers(site: Path) -> None:
    with Fleet.load(str(site)) as fleet:
        told = [str(each.what) for each in fleet.doctor.examine_site() if each.subject == "ssh config"]
    assert told == [
        f"ForwardAgent ({site}/ssh_config:2) is not honoured, for web[1-2]",
        f"setenv ({site}/ssh_config:6) is not honoured, for web1",
        f"KnownHostsCommand ({site}/ssh_config:7) is not honoured, for web1",
        f"LocalForward ({site}/ssh_config:11) is not honoured, for db",
        f"StrictHostKeyChecking ({site}/ssh_config:14) is not honoured, for db",
    ]


def test_a_config_that_ssh_refuses_is_named(site: Path) -> None:
    (site / "ssh_config").write_text("Match bogus x\n  Port 1\n")
    with Fleet.load(str(site)) as fleet:
        (told,) = (each for each in fleet.doctor.examine_site() if "ssh_config" in each.subject)
    assert (told.subject, told.what) == (
        f"{site}/ssh_config:1",
        "MultiAll does not know the criterion bogus of Match",
    )


def test_a_login_by_hand_takes_the_same_way(site: Path) -> None:
    with Fleet.load(str(site)) as fleet:
        argv = fleet.servers.login_command(fleet.servers.find("web1"))
    assert argv[:3] == ["ssh", "-F", f"{site}/ssh_config"]
    assert "ProxyJump=gate" in argv
    assert argv[-2:] == ["--", "web1"]
