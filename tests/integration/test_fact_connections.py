"""Gauges that connect: to places with several addresses, of which some are silent."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from multiall_cli.remote.facts import database as database_fact
from multiall_cli.remote.facts.certificate import certificate
from multiall_cli.remote.facts.database import database
from multiall_cli.remote.facts.http import http
from multiall_cli.remote.facts.sources import connect
from multiall_cli.remote.facts.tcp import tcp

NAME = "dual.test"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
WITHIN = 1.0

Told = dict[str, object]


@pytest.fixture
def dual(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that has two addresses, as a site's name service would have it."""
    known = socket.getaddrinfo

    def both(host: str | None, *rest: object) -> list[object]:
        return [each for one in ((FIRST, SECOND) if host == NAME else (host,)) for each in known(one, *rest)]  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", both)


@contextmanager
def silent(*addresses: str) -> Iterator[int]:
    """A port that drops what comes, at each of them: its backlog is full, as a machine without power looks."""
    with ExitStack() as held:
        port = 0
        for address in addresses:
            listening = held.enter_context(socket.create_server((address, port), backlog=0))
            port = listening.getsockname()[1]
            for _ in range(4):
                full = held.enter_context(socket.socket())
                full.setblocking(False)
                full.connect_ex((address, port))
        yield port


class Answers(BaseHTTPRequestHandler):
    """The path that it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering(address: str, port: int = 0) -> Iterator[int]:
    with HTTPServer((address, port), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(10)


ASKED: dict[str, Callable[[int], Told]] = {
    "tcp": lambda port: tcp(NAME, port, WITHIN),
    "http": lambda port: http(f"http://{NAME}:{port}/", within=WITHIN),
    "https": lambda port: http(f"https://{NAME}:{port}/", within=WITHIN, insecure=True),
    "certificate": lambda port: certificate(address=NAME, port=port, within=WITHIN),
    "trusted": lambda port: certificate(address=NAME, port=port, within=WITHIN, trusted=True),
    "postgresql": lambda port: database("postgresql", address=NAME, port=port),
    "mysql": lambda port: database("mysql", address=NAME, port=port),
}


@pytest.mark.usefixtures("dual")
@pytest.mark.parametrize("name", ASKED)
def test_all_addresses_share_one_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is silent at both is told as closed, before the gauge itself is cut off."""
    monkeypatch.setattr(database_fact, "TIMEOUT", WITHIN)
    with silent(FIRST, SECOND) as port:
        began = time.monotonic()
        told = ASKED[name](port)
        took = time.monotonic() - began
    assert told == {"present" if "present" in told else "open": False, "why": "timed out"}
    assert took < 1.9 * WITHIN


@pytest.mark.usefixtures("dual")
def test_another_address_answers_where_the_first_does_not() -> None:
    with silent(FIRST) as port, answering(SECOND, port):
        assert tcp(NAME, port, WITHIN)["open"] is True
        assert http(f"http://{NAME}:{port}/health?x=1", "^/health.x=1$", WITHIN)["matches"] is True
    with answering(SECOND) as port:
        assert tcp(NAME, port, WITHIN)["open"] is True, "the first refuses"


@pytest.mark.usefixtures("dual")
def test_the_last_fault_is_told() -> None:
    with socket.create_server((FIRST, 0)) as unused:
        port = unused.getsockname()[1]
    assert "refused" in str(tcp(NAME, port, WITHIN)["why"])
    assert tcp("name.invalid", port, WITHIN)["open"] is False


def test_what_is_connected_is_waited_for_as_long_again() -> None:
    with answering(FIRST) as port, connect(FIRST, port, 2.5) as opened:
        assert opened.gettimeout() == 2.5
