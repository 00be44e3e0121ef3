"""Gauges that connect: to places with several addresses, of which some are silent."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from multiall_cli.remote.facts.sources import connect
from tests.limits import HANG

NAME = "dual.test"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
WITHIN = 1.0
ROOT = Path(__file__).parents[2]

Told = dict[str, object]


PROGRAM = """
import json, sys, time
from multiall_cli.remote.facts.certificate import certificate
from multiall_cli.remote.facts.database import database
from multiall_cli.remote.facts.http import http
from multiall_cli.remote.facts.tcp import tcp
began = time.monotonic()
facts = {"tcp": tcp, "http": http, "certificate": certificate, "database": database}
told = facts[sys.argv[1]](**json.loads(sys.argv[2]))
print(json.dumps([told, time.monotonic() - began]))
"""
BOUND = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


@dataclass(frozen=True)
class Dual:
    """A process in which NAME has two addresses, by a hosts file of its own mount namespace."""

    hosts: Path

    def timed(self, fact: str, **arguments: object) -> tuple[Told, float]:
        """What the fact reports, and after how many seconds."""
        program = [sys.executable, "-c", PROGRAM, fact, json.dumps(arguments)]
        line = ["unshare", "--mount", "sh", "-c", BOUND, "sh", str(self.hosts), *program]
        done = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, timeout=HANG)
        told, took = json.loads(done.stdout)
        return told, took

    def tell(self, fact: str, **arguments: object) -> Told:
        return self.timed(fact, **arguments)[0]


@pytest.fixture
def dual(tmp_path: Path) -> Dual:
    (tmp_path / "hosts").write_text(f"{FIRST} {NAME}\n{SECOND} {NAME}\n")
    return Dual(tmp_path / "hosts")


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
            thread.join(HANG)


ASKED: dict[str, Callable[[int], dict[str, object]]] = {
    "tcp": lambda port: {"fact": "tcp", "address": NAME, "port": port},
    "http": lambda port: {"fact": "http", "url": f"http://{NAME}:{port}/"},
    "https": lambda port: {"fact": "http", "url": f"https://{NAME}:{port}/", "insecure": True},
    "certificate": lambda port: {"fact": "certificate", "address": NAME, "port": port},
    "trusted": lambda port: {"fact": "certificate", "address": NAME, "port": port, "trusted": True},
    "postgresql": lambda port: {"fact": "database", "engine": "postgresql", "address": NAME, "port": port},
    "mysql": lambda port: {"fact": "database", "engine": "mysql", "address": NAME, "port": port},
}


@pytest.mark.root
@pytest.mark.parametrize("name", ASKED)
def test_all_addresses_share_one_time(name: str, dual: Dual) -> None:
    """Who is silent at both is told as closed, before the gauge itself is cut off."""
    with silent(FIRST, SECOND) as port:
        told, took = dual.timed(**ASKED[name](port), within=WITHIN)  # type: ignore[arg-type]
    assert told == {"present" if "present" in told else "open": False, "why": "timed out"}
    assert took < 1.9 * WITHIN


@pytest.mark.root
def test_another_address_answers_where_the_first_does_not(dual: Dual) -> None:
    with silent(FIRST) as port, answering(SECOND, port):
        assert dual.tell("tcp", address=NAME, port=port, within=WITHIN)["open"] is True
        url = f"http://{NAME}:{port}/health?x=1"
        assert dual.tell("http", url=url, match="^/health.x=1$", within=WITHIN)["matches"] is True
    with answering(SECOND) as port:
        assert dual.tell("tcp", address=NAME, port=port, within=WITHIN)["open"] is True, "the first refuses"


@pytest.mark.root
def test_the_last_fault_is_told(dual: Dual) -> None:
    with socket.create_server((FIRST, 0)) as unused:
        port = unused.getsockname()[1]
    assert "refused" in str(dual.tell("tcp", address=NAME, port=port, within=WITHIN)["why"])
    assert dual.tell("tcp", address="name.invalid", port=port, within=WITHIN)["open"] is False


def test_what_is_connected_is_waited_for_as_long_again() -> None:
    with answering(FIRST) as port, connect(FIRST, port, 2.5) as opened:
        assert opened.gettimeout() == 2.5
