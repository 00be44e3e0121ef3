"""New sites: valid at once, harmless, and never over an existing one."""

import pytest

from multiall_cli.adapters.site.init import create_site
from multiall_cli.adapters.site.read import default_guards, read_site
from multiall_cli.domain.errors import UsageError


def test_a_site_without_ssh_config_is_a_commented_example(tmp_path):
    root = tmp_path / "new" / "site"
    files = create_site(root, tmp_path / "nowhere")
    assert {str(file.relative_to(root)) for file in files} == {
        "inventory/site.yaml",
        "inventory/schema.json",
        "inventory/settings.schema.json",
        "inventory/pack.schema.json",
        "rules/guards.yaml",
        "multiall.yaml",
    }
    site = read_site(root)
    assert site.inventory.servers == {}
    assert site.guards == default_guards()
    assert files[0].read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def test_a_site_takes_the_servers_of_ssh_config(tmp_path):
    config = tmp_path / "config"
    config.write_text("Host web1\n  HostName 192.0.2.1\n  User x\n  ProxyCommand \x1b\nHost *\n  User y\n")
    root = tmp_path / "site"
    text = create_site(root, config)[0].read_text()
    server = read_site(root).inventory.servers["web1"]
    assert (server.address, server.ssh.user) == ("192.0.2.1", "x")
    assert "#   line 5: 'Host *' is a pattern, not a server" in text
    assert "\x1b" not in text


def test_an_ssh_config_without_servers_gives_the_example(tmp_path):
    (tmp_path / "config").write_text("Host *\n  User x\n")
    text = create_site(tmp_path / "site", tmp_path / "config")[0].read_text()
    assert "# servers:" in text
    assert read_site(tmp_path / "site").inventory.servers == {}


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "multiall.yaml").write_text("parallel: 2")
    with pytest.raises(UsageError, match=r"already has multiall\.yaml"):
        create_site(tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["multiall.yaml"]


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"Not a directory|File exists"):
        create_site(tmp_path / "file", None)


def test_an_impossible_folder_name_is_reported(tmp_path):
    with pytest.raises(UsageError, match="File name too long"):
        create_site(tmp_path / ("x" * 300), None)
