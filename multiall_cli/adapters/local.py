"""The admin host as a server: commands are child processes, facts of the host come from psutil."""

import importlib.util
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from multiall_cli.adapters.passwords import Passwords, Reveal
from multiall_cli.adapters.process_session import ProcessSession
from multiall_cli.adapters.secrets import reveal as reveal_secret
from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.ports.session import Reply

CHUNK = 1 << 16


class LocalProcess:
    """A child process as a Process."""

    def __init__(self, argv: Sequence[str], cwd: str | None = None, env: dict[str, str] | None = None) -> None:
        self._child = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        self._selector = selectors.DefaultSelector()
        for name, stream in (("stdout", self._child.stdout), ("stderr", self._child.stderr)):
            assert stream is not None  # noqa: S101  (it is a PIPE)
            self._selector.register(stream, selectors.EVENT_READ, name)
        assert self._child.stdin is not None  # noqa: S101  (it is a PIPE)
        self._stdin = self._child.stdin

    def send(self, piece: bytes) -> None:
        self._stdin.write(piece)
        self._stdin.flush()

    def finish(self) -> None:
        self._stdin.close()

    def receive(self, timeout: float) -> tuple[str, bytes] | None:
        while self._selector.get_map():
            events = self._selector.select(timeout)
            if not events:
                raise TimeoutError
            for key, _ in events:
                piece = os.read(key.fd, CHUNK)
                if piece:
                    return str(key.data), piece
                self._selector.unregister(key.fileobj)
        return None

    def ready(self) -> bool:
        return bool(self._selector.get_map()) and bool(self._selector.select(0))

    def exit_code(self) -> int:
        code = self._child.wait()
        return 128 - code if code < 0 else code

    def kill(self) -> None:
        """Kill the child and its process group at once; a waiting reader sees the end of output."""
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """End the child and every process that it started."""
        self._selector.close()
        if self._child.poll() is None:
            try:
                os.killpg(self._child.pid, signal.SIGTERM)
                self._child.wait(2)
            except subprocess.TimeoutExpired:
                os.killpg(self._child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            try:
                stream.close()  # type: ignore[union-attr]
            except BrokenPipeError:
                continue
        self._child.wait()


class _FactsReply:
    """A Reply of facts that needs no loop."""

    def __init__(self, value: Mapping[str, object]) -> None:
        self._value = value

    def pieces(self) -> Iterator[bytes]:
        return iter(())

    def value(self) -> Mapping[str, object]:
        return self._value


class LocalSession:
    """A session with the admin host. psutil provides its facts, so hosts without /proc have them too."""

    def __init__(self, session: ProcessSession) -> None:
        self._session = session
        self.server = session.server
        self.run = session.run
        self.close = session.close

    def call(
        self,
        operation: str,
        payload: Iterable[bytes] = (),
        timeout: float | None = None,
        ends: float | None = None,
        **arguments: object,
    ) -> Reply:
        if operation == "collect":
            arguments["library"] = _library()
        if operation != "host_info":
            return self._session.call(operation, payload, timeout, ends, **arguments)
        facts = dict(self._session.call(operation, payload, timeout, ends, **arguments).value())
        return _FactsReply(facts | _psutil_facts())


def _library() -> tuple[str, str]:
    """Return psutil's folder and its path of /proc: the remote loop does not see our packages.

    psutil is not imported for that: collectors that read the kernel's files do not need it.
    """
    found = importlib.util.find_spec("psutil")
    folder = os.path.dirname(os.path.dirname(found.origin)) if found is not None and found.origin else ""
    return folder, getattr(sys.modules.get("psutil"), "PROCFS_PATH", "")


def _psutil_facts() -> dict[str, object]:
    import psutil

    return {
        "cpus": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "uptime": time.time() - psutil.boot_time(),
    }


class LocalTransport:
    """Opens sessions with the admin host."""

    def __init__(
        self, timeout: float = 60.0, reveal: Reveal = reveal_secret, passwords: Passwords | None = None
    ) -> None:
        self._timeout = timeout
        self._reveal = reveal
        self._passwords = passwords or Passwords(reveal)

    def open(self, server: Server) -> LocalSession:
        start = partial(_start, server)
        session = ProcessSession(
            server, start, self._timeout, self._reveal, python=sys.executable, passwords=self._passwords
        )
        return LocalSession(session)

    def close(self) -> None:
        return


def _start(server: Server, argv: Sequence[str]) -> LocalProcess:
    try:
        return LocalProcess(argv)
    except FileNotFoundError:
        return LocalProcess(["sh", "-c", 'echo "sh: $1: not found" >&2; exit 127', "sh", argv[0]])
    except OSError as fault:
        raise Unreachable(
            server.name, f"`{argv[0]}` could not be started: {fault.strerror}", "fix that and run again", "away"
        ) from None


def addresses() -> tuple[str, ...]:
    """Return this host's own addresses, in the network of the calling thread."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    return tuple(each.address for facts in psutil.net_if_addrs().values() for each in facts if each.family in families)
