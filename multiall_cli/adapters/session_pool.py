"""A session pool for callers that only read."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.ports.session import Completed, OnOutput, Reply, Session
from multiall_cli.ports.transport import Transport


class PooledTransport:
    """Keeps at most `most` idle sessions of another transport, one per server. Safe to use from many threads."""

    def __init__(self, transport: Transport, most: int) -> None:
        self._transport = transport
        self._most = most
        self._idle: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self, server: Server) -> Session:
        with self._lock:
            idle_session = self._idle.pop(server.name, None)
        return PooledSession(
            server, self, idle_session or self._transport.open(server), reused=idle_session is not None
        )

    def open_new(self, server: Server) -> Session:
        """Open a session that was not used before."""
        return self._transport.open(server)

    def put_back(self, server: Server, session: Session) -> None:
        with self._lock:
            if len(self._idle) < self._most and server.name not in self._idle:
                self._idle[server.name] = session
                return
        session.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
        for session in idle.values():
            session.close()


class PooledSession:
    """A pooled session. If its connection has ended, one new connection replaces it and the call is repeated: callers
    only read.
    """

    def __init__(self, server: Server, pool: PooledTransport, session: Session, *, reused: bool) -> None:
        self._server = server
        self._pool = pool
        self._session = session
        self._reused = reused
        self._broken = False

    @property
    def server(self) -> Server:
        return self._server

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        timeout: float | None = None,
        on_output: OnOutput | None = None,
    ) -> Completed:
        self._broken = True  # until the command has ended normally
        completed = self._session.run(argv, stdin, timeout, on_output)
        self._broken = False
        return completed

    def call(
        self,
        operation: str,
        payload: Iterable[bytes] = (),
        timeout: float | None = None,
        ends: float | None = None,
        **arguments: object,
    ) -> Reply:
        """Call without payload, and read the whole answer."""
        try:
            return self._call_once(operation, timeout, ends, arguments)
        except Unreachable:
            if not self._reused:
                raise
        self._session.close()
        self._session, self._reused = self._pool.open_new(self._server), False
        return self._call_once(operation, timeout, ends, arguments)

    def _call_once(
        self, operation: str, timeout: float | None, ends: float | None, arguments: Mapping[str, object]
    ) -> Reply:
        self._broken = True
        value = self._session.call(operation, (), timeout, ends, **arguments).value()
        self._broken = False
        return _ReadReply(value)

    def close(self) -> None:
        """Return the session to the pool; close it if it is broken."""
        if self._broken:
            self._session.close()
        else:
            self._pool.put_back(self._server, self._session)


@dataclass(frozen=True, slots=True)
class _ReadReply:
    """A Reply whose answer has been read."""

    content: Mapping[str, object]

    def pieces(self) -> Iterator[bytes]:
        return iter(())

    def value(self) -> Mapping[str, object]:
        return self.content
