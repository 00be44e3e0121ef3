"""Import of OpenSSH's client configuration."""

import pytest

from multiall_cli.adapters.site.imports import import_ssh_config
from multiall_cli.adapters.ssh.route import Routes
from multiall_cli.domain.errors import InputFaults
from multiall_cli.domain.inventory import Ssh


@pytest.fixture
def imported(tmp_path):
    def read(text, **files):
        for name, content in {"config": text, **files}.items():
            (tmp_path / name).write_text(content)
        return import_ssh_config(tmp_path / "config")

    return read


def dropped(found):
    return [f"{one.origin.line}: {one.what}" for one in found.skipped]


def test_hosts_become_servers(imported):
    text = """
# a comment
Host web1 web2
    HostName = %h.example.com
    user deploy
    Port=2222
    ProxyJump b1,x@b2:22
    IdentityFile %d/.ssh/id
Host web1
    User late
    Port 99
"""
    found = imported(text)
    assert not found.skipped
    one, two = found.servers
    assert (one.name, one.address, two.address) == ("web1", "web1.example.com", "web2.example.com")
    assert (one.ssh.user, one.ssh.port, one.ssh.jump, one.ssh.identity) == ("deploy", 2222, "b1,x@b2:22", "~/.ssh/id")
    assert one.where["ssh.user"].line == 5


DROPPED = {
    "Host *\n User x": "1: 'Host *' is a pattern, not a server",
    "Host web? !web1": "1: 'Host web?' is a pattern, not a server",
    "Match user x\n User y": "1: the block 'Match user x'",
    "User x": "1: 'user' for all hosts",
    "Host a\n ProxyCommand nc %h": "2: 'proxycommand' of a",
    "Host a\n User": "2: 'user' of a",
    "Host a\n IdentityFile ~/a\n IdentityFile ~/b": "3: another key of a, '~/b'",
    "Host a\n IdentityFile id_%h": "2: the key 'id_%h' of a is not a path",
    "Host a\n IdentityFile /k/%h": "2: the key '/k/%h' of a is not a path",
    "Host a\n IdentityFile %d/": "2: '~/' is not a valid identity of a",
    "Host -oProxyCommand=x": "1: '-oProxyCommand=x' is not a valid name",
    "Host a/../b": "1: 'a/../b' is not a valid name",
    "Host a\n HostName -oProxyCommand=x": "2: '-oProxyCommand=x' is not a valid address of a",
    "Host a\n User -x": "2: '-x' is not a valid user of a",
    "Host a\n Port 70000": "2: '70000' is not a valid port of a",
    "Host a\n ProxyJump -x": "2: '-x' is not a valid jump of a",
    'Host "a': "1: 'Host \"a' has an unmatched quote",
    "Host a\n Foo \x1b[31m": "2: 'foo' of a",
    "Match exec \x1b": r"1: \"the block 'Match exec \\x1b'\"",
}


@pytest.mark.parametrize(("text", "told"), DROPPED.items())
def test_skipped_entries_are_reported(imported, text, told):
    found = imported(text)
    assert any(told.replace("\\\\", "\\").replace('\\"', '"') in one for one in dropped(found)), dropped(found)
    assert all(str(one).isprintable() for one in found.skipped)


def test_a_jump_of_none_is_none(imported):
    found = imported("Host a\n ProxyJump none")
    assert (found.servers[0].ssh.jump, found.skipped) == (None, ())


def test_lines_after_a_broken_host_belong_to_no_host(imported):
    assert imported('Host a\nHost "b\n User x').servers[0].ssh.user is None


def test_included_files_are_followed(imported, tmp_path):
    """In the block with the Include: a Host of such a file applies to no other block."""
    text = f"Host a\n Include one\nUser x\nInclude {tmp_path}/t*\nInclude nowhere\n"
    found = imported(text, one="Port 5\nHost b\n User y\n", two="Host c\n")
    assert {server.name: (server.ssh.user, server.ssh.port) for server in found.servers} == {
        "a": ("x", 5),
        "b": (None, None),
        "c": (None, None),
    }


def test_a_cycle_of_includes_ends(imported):
    assert "Include more than 16 deep" in dropped(imported("Include config"))[0]


def test_an_unreadable_include_is_reported(imported, tmp_path):
    (tmp_path / "one").mkdir()
    assert "is not a regular file" in dropped(imported("Include one"))[0]


def test_an_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(InputFaults):
        import_ssh_config(tmp_path / "nowhere")


@pytest.mark.parametrize("pattern", ["~\0x", "\0/*", "a\0b"])
def test_an_impossible_include_is_ignored(imported, pattern):
    assert [server.name for server in imported(f"Host a\nInclude {pattern}\n").servers] == ["a"]


def test_files_that_include_themselves_often_end_soon(imported):
    found = imported("Host a\n" + "Include config config\n" * 20)
    assert any("more than 1,000 files" in one for one in dropped(found))
    assert len(found.skipped) < 100


def test_the_first_value_wins(imported):
    """A pattern before a host wins over the host's own lines, as in ssh."""
    found = imported("Match host web*\n User first\nHost *\n Port 5\nHost web1\n User late\n Port 6\nHost b\n User c\n")
    one, other = found.servers
    assert (one.ssh.user, one.ssh.port, other.ssh.user, other.ssh.port) == ("first", 5, "c", 5)


def test_no_command_of_a_file_is_run(imported, tmp_path):
    found = imported(f"Match exec 'touch {tmp_path}/ran'\n User x\nHost a\n Port 3\n")
    assert (found.servers[0].ssh.user, found.servers[0].ssh.port) == (None, 3)
    assert not (tmp_path / "ran").exists()


def test_values_of_the_name_are_not_repeated(imported, tmp_path):
    """The file that sessions read stays in force, with jump hosts and host key names."""
    text = "Host app-*\n ProxyJump gate\nHost app-1\n HostName 192.0.2.1\n ProxyCommand nc %h %p\n User x\n"
    imported(text)
    found = import_ssh_config(tmp_path / "config", [str(tmp_path / "config")])
    server = found.servers[0]
    assert (server.address, server.ssh) == ("app-1", Ssh())
    assert dropped(found) == ["1: 'Host app-*' is a pattern, not a server"]
    route = Routes({"app-1": server}, [], 5.0, [str(tmp_path / "config")]).of(server)
    assert (str(route), str(route.jump)) == ("x@192.0.2.1", f"{route.jump.user}@gate")


def test_only_values_that_differ_from_those_of_the_name(imported, tmp_path):
    (tmp_path / "own").write_text("Host a\n User x\n Port 4\n")
    (tmp_path / "config").write_text("Host a\n User x\n Port 5\n HostName 192.0.2.1\n")
    server = import_ssh_config(tmp_path / "config", [str(tmp_path / "own")]).servers[0]
    assert (server.address, server.ssh) == ("192.0.2.1", Ssh(port=5))
