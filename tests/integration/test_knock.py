"""Knocks at real ports of this machine: what each kind of port is held to show."""

import resource
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from multiall_cli.adapters.probes.tcp import Endpoint, TcpProbe
from multiall_cli.domain.topology import Evidence, ProbeLevel

QUICK = 0.3  # seconds that a knock may take


@contextmanager
def listening(*, says: bytes | None = None, backlog: int = 64) -> Iterator[int]:
    """A port of loopback; `says`: to whoever connects, then it hangs up (None: nothing, and it does not)."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server, ExitStack() as open_ones:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                open_ones.callback(connection.close)
                if says is not None:
                    try:
                        connection.sendall(says)
                        connection.close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def knock(port: int, *, address: str = "127.0.0.1", listens: bool = False) -> Evidence:
    (found,) = TcpProbe("adm", QUICK)([Endpoint("a", address, port)], {"a"} if listens else frozenset())
    assert (found.observer, found.target) == ("adm", "a")
    return found


def test_an_open_port_is_open_and_its_banner_is_read_only_where_asked() -> None:
    with listening(says=b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert knock(port).rung is ProbeLevel.TCP
        heard = knock(port, listens=True)
    assert (heard.rung, heard.trouble) == (ProbeLevel.BANNER, "")
    assert heard.rtt is not None
    assert heard.rtt < QUICK


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"220 smtp.example.net\r\n", "not an SSH server"),
        (b"", "its sshd closes the connection at once"),
        (None, "its sshd sends no banner within 0.3 s"),
    ],
)
def test_what_is_no_ssh_server_shows_life_and_trouble(says: bytes | None, words: str) -> None:
    with listening(says=says) as port:
        found = knock(port, listens=True)
    assert (found.rung, found.trouble) == (ProbeLevel.TCP, words)


def test_a_closed_port_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert knock(port).rung is ProbeLevel.REFUSED


def test_a_port_that_takes_no_more_is_silent() -> None:
    """A full backlog drops what comes: as a machine without power looks."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as held:
        address = server.getsockname()
        for _ in range(4):
            full = held.enter_context(socket.socket())
            full.setblocking(False)
            full.connect_ex(address)
        found = knock(address[1])
    assert found.rung is ProbeLevel.TIMEOUT
    assert 0 <= found.lag < QUICK


@pytest.mark.parametrize("name", ["no-such-name.invalid", "a" * 300, "-x", ""])
def test_a_name_without_an_address_is_no_route(name: str) -> None:
    found = knock(22, address=name)
    assert (found.rung, "has no address" in found.trouble) == (ProbeLevel.NO_ROUTE, True)


def test_a_name_is_looked_up_and_ipv6_is_spoken() -> None:
    with listening() as port:
        assert knock(port, address="localhost").rung in (ProbeLevel.TCP, ProbeLevel.REFUSED)
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        assert knock(server.getsockname()[1], address="::1").rung is ProbeLevel.TCP


def test_thousands_of_doors_are_knocked_at_with_few_handles() -> None:
    """Each once; the silent ones cost their time together and not one after the other."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with listening(backlog=4096) as port, socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()[1]
        closed.close()
        doors = [
            Endpoint(f"s{number}", f"127.0.{number // 250}.{number % 250 + 1}", port if number % 2 else refusing)
            for number in range(3000)
        ]
        doors = [Endpoint(each.server, "127.0.0.1", each.port) if each.port == port else each for each in doors]
        found = TcpProbe("adm", 5.0)(doors)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
    assert len({each.target for each in found}) == len(found) == 3000
    assert Counter(each.rung for each in found) == {ProbeLevel.TCP: 1500, ProbeLevel.REFUSED: 1500}


@pytest.mark.parametrize(("address", "port"), [("127.0.0.1", 70_000), ("127.0.0.1", -1), ("203.0.113.1%x", 22)])
def test_a_door_that_cannot_be_tried_is_no_route(address: str, port: int) -> None:
    """Whatever an ssh config says: one odd door must not end the look at all others."""
    found = knock(port, address=address)
    assert found.rung is ProbeLevel.NO_ROUTE
    assert found.trouble
