"""How the ssh config and the inventory together say how a server is reached."""

import os
import pwd
import re
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from multiall_cli.adapters.ssh.channel import command_line
from multiall_cli.adapters.ssh.config import direct_endpoint, may_change_address, read
from multiall_cli.adapters.ssh.host_config import HostQuery, host_config
from multiall_cli.adapters.ssh.route import Route, Routes, split_hop
from multiall_cli.adapters.ssh.streams import resolve
from multiall_cli.domain.errors import Unreachable, UsageError
from multiall_cli.domain.inventory import Server, Ssh

BASTION = Server(name="bastion", address="192.0.2.9", ssh=Ssh(user="jump", port=2200))


def route(config: str, tmp_path: Path, server: Server, **servers: Server) -> Route:
    (tmp_path / "config").write_text(config)
    return Routes(servers, [Path("/site/known_hosts")], 7.0, [str(tmp_path / "config")]).of(server)


def web1(address: str = "192.0.2.1", **ssh: object) -> Server:
    return Server(name="web1", address=address, ssh=Ssh(**ssh))  # type: ignore[arg-type]


def test_without_a_config(tmp_path: Path) -> None:
    found = route("", tmp_path, web1(user="deploy"))
    assert (found.address, found.port, found.user, found.key_name) == ("192.0.2.1", 22, "deploy", "192.0.2.1")
    assert found.connect_timeout == 7.0
    assert found.pinned == (Path("/site/known_hosts"),)
    assert (found.jump, found.proxy_command, found.default_identities) == (None, "", True)


def test_what_the_config_says_of_the_address(tmp_path: Path) -> None:
    config = (
        "Host shop\n HostName 192.0.2.5\n Port 2222\n User shopper\n ConnectTimeout 3\n IdentityFile /k/a\n"
        " IdentityFile /k/b\n IdentitiesOnly yes\n UserKnownHostsFile /k/1 /k/2\n GlobalKnownHostsFile none\n"
    )
    found = route(config, tmp_path, web1("shop"))
    assert str(found) == "shopper@[192.0.2.5]:2222"
    assert (found.connect_timeout, found.identities_only, found.default_identities) == (3.0, True, False)
    assert found.identities == (Path("/k/a"), Path("/k/b"))
    assert found.known_hosts == (Path("/k/1"), Path("/k/2"))


def test_the_inventory_goes_before_the_config(tmp_path: Path) -> None:
    config = "Host *\n Port 1\n User nobody\n IdentityFile /k/a\n ProxyCommand nc %h %p %r\n"
    found = route(config, tmp_path, web1(user="deploy", port=2222, identity="/k/own"))
    assert (found.user, found.port, found.identities) == ("deploy", 2222, (Path("/k/own"), Path("/k/a")))
    assert found.proxy_command == "nc 192.0.2.1 2222 deploy"


def test_servers_do_not_share_identities(tmp_path: Path) -> None:
    """What is read for one is not changed for the next."""
    (tmp_path / "config").write_text("Host a\n IdentityFile /k/a\nHost b\n IdentityFile /k/b\n")
    routes = Routes({}, [], 7.0, [str(tmp_path / "config")])
    routes.of(web1("a"))
    assert routes.of(web1("b")).identities == (Path("/k/b"),)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns a thousand times as often as they do by themselves."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_many_threads_resolve_at_once() -> None:
    """What is read is shared by all of them."""
    routes = Routes({}, [], 7.0, [])
    servers = [web1(f"192.0.2.{number % 250}", user=f"user{number % 3}") for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(routes.of, servers))
    assert [(each.address, each.user) for each in found] == [(each.address, each.ssh.user) for each in servers]


def test_a_jump_of_the_site(tmp_path: Path) -> None:
    found = route("", tmp_path, web1(jump="bastion"), bastion=BASTION)
    assert found.jump is not None
    assert str(found.jump) == "jump@[192.0.2.9]:2200"


def test_a_jump_of_the_config_in_several_hops(tmp_path: Path) -> None:
    config = "Host web1\n ProxyJump first,me@second:2200\nHost first\n HostName 192.0.2.7\n User one\n"
    found = route(config, tmp_path, web1("web1"))
    assert str(found.jump) == "me@[second]:2200"
    assert str(found.jump and found.jump.jump) == "one@192.0.2.7"


def test_a_later_hop_is_reached_through_the_one_before_it_alone(tmp_path: Path) -> None:
    """What the config says of jumps to `second` itself is not asked for, as with `ssh -J first second`."""
    found = route("Host * !first\n ProxyJump first,second\n", tmp_path, web1("web1"))
    assert (str(found.jump).partition("@")[2], str(found.jump and found.jump.jump).partition("@")[2]) == (
        "second",
        "first",
    )
    assert found.jump
    assert found.jump.jump
    assert found.jump.jump.jump is None


def test_no_jump_where_it_says_none(tmp_path: Path) -> None:
    config = "Host *\n ProxyJump bastion\n"
    assert route(config, tmp_path, web1(jump="none"), bastion=BASTION).jump is None
    assert route("Host *\n ProxyJump none\n", tmp_path, web1()).jump is None


def test_jumps_in_a_circle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bastion: its jump hosts form a cycle: web1 → bastion → bastion; "):
        route("Host 192.0.2.9\n ProxyJump bastion\n", tmp_path, web1(jump="bastion"), bastion=BASTION)


def test_includes_stand_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1").write_text("Host 192.0.2.*\n User first\n")
    (tmp_path / "d" / "2").write_text("Host 192.0.2.1\n User second\n Port 2\n")
    found = route(f"Include {tmp_path}/d/*\nPort 3\nHost *\n User last\n", tmp_path, web1())
    assert (found.user, found.port) == ("first", 2)
    assert route(f"Include {tmp_path}/d/*\nPort 3\n", tmp_path, web1("192.0.2.8")).port == 3


def test_an_include_is_in_force_where_its_block_is(tmp_path: Path) -> None:
    """Its own Host blocks too."""
    (tmp_path / "inner").write_text("User inner\nHost *\n Port 2\n")
    config = f"Host other\n Include {tmp_path}/inner\n User mine\nMatch host 192.0.2.7\n Include {tmp_path}/inner\n"
    assert (route(config, tmp_path, web1(user="me")).port, route(config, tmp_path, web1("192.0.2.7")).port) == (22, 2)
    assert route(config, tmp_path, web1("192.0.2.7")).user == "inner"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("Host *\n Port many\n", "config:2: many is not a port"),
        ("ConnectTimeout soon\n", "config:1: soon is not a time"),
        ("Host\n", "config:1: host has no value"),
        ("Host web1\n User 'open\n", "config:2: a quote is not closed"),
        ("Include {}/config\nPort 3\n", "Includes are nested more than 16 deep"),
        ("Match bogus x\n Port 3\n", "config:1: MultiAll does not know the criterion bogus of Match"),
        ("Match host\n", "the criterion host of Match has no value"),
        ("Prot 3\n", "config:1: ssh has no keyword prot"),
        ("HostName %z\n", "config:1: ssh has no token %z there"),
        ("IdentityFile ${{NOT_SET_HERE}}\n", "the variable ${{NOT_SET_HERE}} is not set"),
        ("ProxyCommand nc %d\n", "config:1: ssh has no token %d there"),
        ("ProxyJump a b\n", "config:1: a b is not a ProxyJump"),
        ("Host web1\n ProxyJump c,[d\n", "jump [d: not [user@]host[:port]"),
    ],
)
def test_a_config_that_ssh_would_refuse(config: str, words: str, tmp_path: Path) -> None:
    """Whatever cannot be read could have held a ProxyJump: nothing is passed over."""
    with pytest.raises(UsageError, match=re.escape(words.format())) as caught:
        route(config.format(tmp_path), tmp_path, web1())
    assert "fix" in str(caught.value) or "set it" in str(caught.value)


def test_an_included_quote_is_no_fault_of_ours(tmp_path: Path) -> None:
    (tmp_path / "inner").write_text('User "open\n')
    with pytest.raises(UsageError, match="inner:1: a quote is not closed; fix that line of the ssh config"):
        route(f"Include {tmp_path}/inner\n", tmp_path, web1())


def test_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    """It may hold the ProxyJump without which a server is reached past its bastion."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="folder: cannot be read"):
        Routes({}, [], 7.0, [str(tmp_path / "folder")])
    with pytest.raises(UsageError, match="folder: cannot be read"):
        route(f"Include {tmp_path}/folder\n", tmp_path, web1())
    (tmp_path / "loose").write_text("User x\n")
    (tmp_path / "loose").chmod(0o666)
    with pytest.raises(UsageError, match=r"loose: cannot be read \(other accounts own it or can write to it"):
        route(f"Include {tmp_path}/loose\n", tmp_path, web1())
    assert route(f"Include {tmp_path}/none\nInclude {tmp_path}/*.conf\n", tmp_path, web1()).port == 22


def test_blocks_about_the_name_and_about_the_address(tmp_path: Path) -> None:
    """Both are in force, in their order; only the inventory's address decides where the server is."""
    config = (
        "Host web1\n ProxyJump bastion\n HostName 192.0.2.99\n HostKeyAlias Shop\n"
        "Host 192.0.2.*\n User deploy\n Port 2222\nHost * !web1\n CertificateFile /k/c\n"
        "Host !192.0.2.1 web*\n IdentityFile /k/x\nHost *\n User nobody\n"
    )
    found = route(config, tmp_path, web1())
    assert (found.address, found.port, found.user, found.key_name) == ("192.0.2.1", 2222, "deploy", "shop")
    assert (str(found.jump), found.certificates, found.identities) == (f"{found.jump.user}@bastion", (), ())  # type: ignore[union-attr]
    assert route(config, tmp_path, web1("web1")).address == "192.0.2.99"


def test_proxy_command_and_proxy_jump_exclude_each_other(tmp_path: Path) -> None:
    assert route("Host web1\nProxyCommand nc %h\nProxyJump b\n", tmp_path, web1()).jump is None
    found = route("Host web1\nProxyJump b\nProxyCommand nc %h\n", tmp_path, web1())
    assert (found.jump is not None, found.proxy_command) == (True, "")
    assert route("Host web1\nProxyCommand none\nProxyJump b\n", tmp_path, web1()).jump is None


@pytest.mark.parametrize("keyword", ["IdentityFile", "CertificateFile", "UserKnownHostsFile", "GlobalKnownHostsFile"])
def test_a_file_in_the_home_of_nobody(keyword: str, tmp_path: Path) -> None:
    words = r"config:1: ~no-such-user/x: there is no such user; fix that line"
    with pytest.raises(UsageError, match=words):
        route(f"{keyword} ~no-such-user/x\n", tmp_path, web1())
    assert route("Include ~no-such-user/x\nUser ann\n", tmp_path, web1()).user == "ann"


def test_a_user_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"# B\xfcro\nHost web1\n User j\xf6rg\n")
    with pytest.raises(UsageError, match="latin:3: user is not UTF-8; fix that line"):
        route(f"Include {tmp_path}/latin\n", tmp_path, web1())
    assert route(f"Include {tmp_path}/latin\n", tmp_path, web1(user="deploy")).user == "deploy"


def test_a_folder_that_a_pattern_of_include_finds(tmp_path: Path) -> None:
    """As for ssh there is nothing in it."""
    (tmp_path / "conf.d" / "old").mkdir(parents=True)
    (tmp_path / "conf.d" / "work").write_text("User ann\n")
    assert route(f"Include {tmp_path}/conf.d/*\n", tmp_path, web1()).user == "ann"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files to groups")
def test_a_config_that_a_group_may_write_to(tmp_path: Path) -> None:
    """With umask 002, as some systems have it, each user has a group of their own."""
    inner = tmp_path / "inner"
    inner.write_text("User ann\n")
    inner.chmod(0o664)
    os.chown(inner, 0, 0)
    assert route(f"Include {inner}\n", tmp_path, web1()).user == "ann"
    os.chown(inner, 0, pwd.getpwnam("nobody").pw_gid)
    with pytest.raises(UsageError, match=r"inner: cannot be read \(other accounts own it or can write to it"):
        route(f"Include {inner}\n", tmp_path, web1())


def test_obsolete_keywords_of_distributions(tmp_path: Path) -> None:
    config = "SetupTimeOut 5\nProtocolKeepAlives 30\nUseBlacklistedKeys no\nRSAMinSize 2048\nUser ann\n"
    assert route(config, tmp_path, web1()).user == "ann"


def test_none_is_none_in_capitals_too(tmp_path: Path) -> None:
    found = route("ProxyJump None\nProxyCommand nc %h %p\n", tmp_path, web1())
    assert (found.jump, found.proxy_command) == (None, "nc 192.0.2.1 22")
    assert route("ProxyCommand None\n", tmp_path, web1()).proxy_command == ""


def test_tokens_and_variables(tmp_path: Path) -> None:
    config = (
        "HostName %h.example.net\nUser ann\nHostKeyAlias Alias\nIdentityFile ~/.ssh/%h-%n-%r-%p-%k\n"
        "IdentityFile ${HOME}/%%/%u\nCertificateFile %d/%L-%l-%i\nUserKnownHostsFile %d/1 ${HOME}/%h\n"
        "IdentityAgent ${HOME}/%r\nProxyCommand connect %n %h:%p %r %% ${HOME} # x\n"
    )
    found, home, here = route(config, tmp_path, web1("web1")), Path.home(), socket.gethostname()
    assert found.identities == (
        home / ".ssh" / "web1.example.net-web1-ann-22-alias",
        home / "%" / pwd.getpwuid(os.getuid()).pw_name,
    )
    assert found.certificates == (home / f"{here.partition('.')[0]}-{here}-{os.getuid()}",)
    assert found.known_hosts[:2] == (home / "1", home / "web1.example.net")
    assert found.agent == f"{home}/ann"
    assert found.proxy_command == "connect web1 web1.example.net:22 ann % ${HOME} # x"


def test_networks_and_tags(tmp_path: Path) -> None:
    """Criteria of newer releases than the one that the other tests compare with."""
    config = "Tag far\nMatch tagged f*\n Port 3\nMatch localnetwork 127.0.0.0/8,192.0.2.0/24\n User here\n"
    found = route(config, tmp_path, web1())
    assert (found.port, found.user) == (3, "here")
    assert route("Match localnetwork 198.51.100.0/24\n Port 3\n", tmp_path, web1()).port == 22


def test_a_name_is_completed(tmp_path: Path) -> None:
    """`localhost` needs no name server; what has an address in none of the domains stays as it is."""
    text = "CanonicalizeHostname yes\nCanonicalDomains nowhere.invalid b\nHost x.b\n Port 3\nMatch canonical\n User c\n"
    (tmp_path / "config").write_text(text)
    files = read([str(tmp_path / "config")])
    found = host_config(files, HostQuery("x"), resolve=lambda name: name == "x.b")
    assert (found.hostname, found.text("port"), found.text("user")) == ("x.b", "3", "c")
    assert host_config(files, HostQuery("y"), resolve=lambda name: False).hostname == "y"


def test_plain_arguments_stay_readable_in_logs() -> None:
    assert command_line(["ls", "-l", "a b"]) == ("ls -l 'a b'", b"")


def test_arguments_that_some_shells_would_read_travel_as_input() -> None:
    line, before = command_line(["printf", "a\\\n!"])
    assert not set(line) & set("\\\n!")
    assert before.count(b"\n") == 1
    assert before.endswith(b"\n")


@pytest.mark.parametrize(
    ("config", "ssh", "door"),
    [
        ("", Ssh(), ("192.0.2.1", 22)),
        ("", Ssh(port=2222), ("192.0.2.1", 2222)),
        ("", Ssh(jump="other"), None),
        ("Host *\n  User ann\n", Ssh(), ("192.0.2.1", 22)),
        ("Host *\n  Port 2200\n", Ssh(), ("192.0.2.1", 2200)),
        ("Host *\n  Port 2200\n", Ssh(port=7), ("192.0.2.1", 7)),
        ("Host 192.0.2.1\n  HostName web.example.net\n", Ssh(), ("web.example.net", 22)),
        ("Host 192.0.2.1\n  ProxyJump gate\n", Ssh(), None),
        ("Host 192.0.2.1\n  ProxyJump none\n", Ssh(), ("192.0.2.1", 22)),
        ("Host 192.0.2.1\n  ProxyCommand nc %h %p\n", Ssh(), None),
        ("host=192.0.2.1\n\thostname=10.0.0.1\n", Ssh(), ("10.0.0.1", 22)),
    ],
)
def test_a_knock_goes_where_a_session_would_go(
    tmp_path: Path, config: str, ssh: Ssh, door: tuple[str, int] | None
) -> None:
    """Or nowhere, where a jump or a proxy lies before the server."""
    (tmp_path / "config").write_text(config)
    server = Server("web1", "192.0.2.1", ssh=ssh)
    routes = Routes({"web1": server, "other": Server("other", "192.0.2.9")}, [], 5.0, [str(tmp_path / "config")])
    assert routes.endpoint_of(server) == door
    assert may_change_address(read([str(tmp_path / "config")])) or direct_endpoint(server) == door
    if door is not None:
        route = routes.of(server)
        assert (route.address, route.port) == door


def test_an_address_with_its_interface(tmp_path: Path) -> None:
    """A link-local address means nothing without it."""
    [(family, place)] = resolve(route("", tmp_path, web1("fe80::1%lo")), 0.0)
    assert (family, place[:2], place[3]) == (socket.AF_INET6, ("fe80::1", 22), socket.if_nametoindex("lo"))
    assert route("", tmp_path, web1("fe80::1%lo", port=7)).key_name == "[fe80::1%lo]:7"
    with pytest.raises(Unreachable, match="check that this host has that interface"):
        resolve(route("", tmp_path, web1("fe80::1%nowhere")), 0.0)


def test_the_family_of_addresses(tmp_path: Path) -> None:
    assert len(resolve(route("AddressFamily inet\n", tmp_path, web1()), 0.0)) == 1
    with pytest.raises(Unreachable, match="no address of AddressFamily inet6"):
        resolve(route("AddressFamily inet6\n", tmp_path, web1()), 0.0)


@pytest.mark.parametrize(
    ("hop", "parts"),
    [
        ("bastion", ("", "bastion", 0)),
        ("x@corp.example@bastion:2200", ("x@corp.example", "bastion", 2200)),
        ("CORP\\x@[2001:db8::1]:22", ("CORP\\x", "2001:db8::1", 22)),
        ("ssh://a@b:3/", ("a", "b", 3)),
        ("2001:db8::1", ("", "2001:db8::1", 0)),
    ],
)
def test_a_hop_and_its_parts(hop: str, parts: tuple[str, str, int]) -> None:
    assert split_hop(hop) == parts
