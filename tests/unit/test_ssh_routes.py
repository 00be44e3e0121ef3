"""How the ssh config and the inventory together say how a server is reached."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from multiall_cli.adapters.ssh.channel import command_line
from multiall_cli.adapters.ssh.config import leads_astray, straight, texts
from multiall_cli.adapters.ssh.route import Route, Routes
from multiall_cli.domain.errors import UsageError
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
    """fabric adds a server's keys to its configuration, where the next one finds them."""
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
    """fabric rebuilds its configuration while a connection is made of it, and another thread then misses keys."""
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


def test_no_jump_where_it_says_none(tmp_path: Path) -> None:
    config = "Host *\n ProxyJump bastion\n"
    assert route(config, tmp_path, web1(jump="none"), bastion=BASTION).jump is None
    assert route("Host *\n ProxyJump none\n", tmp_path, web1()).jump is None


def test_jumps_in_a_circle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bastion: its jumps go in a circle: web1 → bastion → bastion; "):
        route("Host 192.0.2.9\n ProxyJump bastion\n", tmp_path, web1(jump="bastion"), bastion=BASTION)


def test_includes_stand_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1").write_text("Host 192.0.2.*\n User first\n")
    (tmp_path / "d" / "2").write_text("Host 192.0.2.1\n User second\n Port 2\n")
    found = route("Include d/*\nPort 3\nHost *\n User last\n", tmp_path, web1())
    assert (found.user, found.port) == ("first", 2)
    assert route("Include d/*\nPort 3\n", tmp_path, web1("192.0.2.8")).port == 3


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    assert route("Include config\nPort 3\n", tmp_path, web1()).port == 3


@pytest.mark.parametrize("config", ["Host *\n Port many\n", "Host *\n ConnectTimeout soon\n", "Host\n"])
def test_a_config_that_makes_no_sense(config: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mend ~/.ssh/config|mend that line"):
        route(config, tmp_path, web1())


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
    assert routes.door_of(server) == door
    assert leads_astray(texts([str(tmp_path / "config")]).values()) or straight(server) == door
    if door is not None:
        route = routes.of(server)
        assert (route.address, route.port) == door
